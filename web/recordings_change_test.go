package web

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
)

func answered(element, text string) string {
	return "<response><returncode>SUCCESS</returncode><" + element + ">" + text + "</" + element + "></response>"
}

// wantBody checks the whole of an answer.
func (a answer) wantBody(t testing.TB, what, want string) {
	t.Helper()
	if a.status != http.StatusOK || a.body != want {
		t.Errorf("%s: %d %s, want %s", what, a.status, a.body, want)
	}
	a.wantXMLHeader(t)
}

// threeTapes are A and B, with two formats each, and C.
func threeTapes() []tape {
	two := []string{"presentation", "video"}
	return []tape{
		{id: tapeA, meeting: "a", name: "A", formats: two, meta: []string{"name", "theirs", "tenant-id", "t1"}},
		{id: tapeB, meeting: "b", name: "B", formats: two}, {id: tapeC, meeting: "c", name: "C"},
	}
}

// TestParametersOfTheChangingCalls: the order of the checks, and the methods.
func TestParametersOfTheChangingCalls(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, tape{id: tapeA, meeting: "a", name: "A"})
	const missingID, missingPublish = "You must specify a recordID.", "You must specify a publish value true or false."
	for _, call := range []string{"publishRecordings", "updateRecordings", "deleteRecordings"} {
		for _, id := range [][]string{nil, {"recordID", ""}, {"recordID", " "}, {"recordID", " ,, "}, {"recordID", "\t\x00"}} {
			s.get(call, id...).wantFailed(t, "missingParamRecordID", missingID)
			s.get(call, append(id, "publish", "true", "meta_a", "b")...).wantFailed(t, "missingParamRecordID", missingID)
		}
		// The checksum comes first.
		s.fetch("GET", s.base+"/"+call, nil, nil).wantFailed(t, "checksumError", checksumMessage)
		s.fetch("GET", s.base+"/"+call+"?recordID="+tapeA+"&publish=true&checksum=0", nil, nil).wantFailed(t, "checksumError", checksumMessage)
	}
	for _, value := range []string{"", "  ", "\x00"} {
		s.get("publishRecordings", "recordID", tapeA, "publish", value).wantFailed(t, "missingParamPublish", missingPublish)
	}
	s.get("publishRecordings", "recordID", "unknown").wantFailed(t, "missingParamPublish", missingPublish)

	form := params("recordID", tapeA, "publish", "false").Encode()
	for _, call := range []string{"publishRecordings", "deleteRecordings"} {
		s.post(call, "", typeForm, bbb.Sign(bbb.SHA256, call, form, testSecret)).wantFailed(t, "unsupportedRequest", unsupportedMessage)
		s.post(call, bbb.Sign(bbb.SHA256, call, form, testSecret), typeForm, "x=y").wantFailed(t, "unsupportedRequest", unsupportedMessage)
	}
	// A HEAD looks; it must not touch.
	s.fetch(http.MethodHead, s.link("publishRecordings", "recordID", tapeA, "publish", "false"), nil, nil)
	s.fetch(http.MethodHead, s.link("deleteRecordings", "recordID", tapeA), nil, nil)
	s.fetch(http.MethodHead, s.link("updateRecordings", "recordID", tapeA, "meta_x", "y"), nil, nil)
	if r := s.record(tapeA); r.State != store.Published || len(r.Metadata()) > 0 {
		t.Errorf("after a HEAD: %+v", r)
	}
	update := params("recordID", tapeA, "meta_posted", "yes").Encode()
	s.post("updateRecordings", "", typeForm, bbb.Sign(bbb.SHA256, "updateRecordings", update, testSecret)).wantBody(t, "POST", answered("updated", "true"))
	// A signed link cannot be extended.
	a := s.post("updateRecordings", bbb.Sign(bbb.SHA256, "updateRecordings", params("recordID", tapeA).Encode(), testSecret), typeForm, "meta_more=x")
	a.wantBody(t, "extended", answered("updated", "false"))
}

// TestPublishRecordings (S2, S6): own, unknown and mixed lists; the files move.
func TestPublishRecordings(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, threeTapes()...)
	for _, step := range []struct {
		list, publish, want string
		a, b                string // tree in which the files are then
	}{
		{"unknown", "false", "", "published", "published"},
		{"unknown,other", "true", "", "published", "published"},
		{tapeA[:41], "false", "", "published", "published"}, // a prefix names nothing here
		{tapeA, "true", "true", "published", "published"},
		{tapeA, "false", "false", "unpublished", "published"},
		{tapeA, "false", "false", "unpublished", "published"},
		{"unknown," + tapeB + "," + tapeB + ",", "FALSE", "false", "unpublished", "unpublished"},
		{tapeA, "TRUE", "true", "published", "unpublished"},
		{" " + tapeA + " , " + tapeB + " ", "yes", "false", "unpublished", "unpublished"},
		{tapeB + "," + tapeA + ",,", "True", "true", "published", "published"},
	} {
		a := s.get("publishRecordings", "recordID", step.list, "publish", step.publish)
		if step.want == "" {
			a.wantFailed(t, "notFound", recordingsNotFoundMessage)
		} else {
			a.wantBody(t, step.list+" "+step.publish, answered("published", step.want))
		}
		for id, tree := range map[string]string{tapeA: step.a, tapeB: step.b} {
			if diff := cmp.Diff(treeOf(tree, "presentation", "video"), s.trees(id)); diff != "" {
				t.Fatalf("%s %s: files of %s (-want +got):\n%s", step.list, step.publish, id, diff)
			}
			l := s.list("recordID", id).Recordings[0]
			if l.State != tree || l.Published != (tree == "published") {
				t.Errorf("%s %s: %s is %s, %t", step.list, step.publish, id, l.State, l.Published)
			}
			file := s.fetch("GET", s.url+"/video/"+id+"/a/file.txt", nil, nil)
			if want := tree == "published"; (file.status == http.StatusOK) != want || want && file.body != "video of "+id {
				t.Errorf("%s %s: file of %s: %d %.80s", step.list, step.publish, id, file.status, file.body)
			}
		}
	}
	if diff := cmp.Diff(treeOf("published", "presentation"), s.trees(tapeC)); diff != "" {
		t.Errorf("a recording that was not named (-want +got):\n%s", diff)
	}
}

// TestPublishWithoutFiles: nothing changes, and the answer says so; what else is
// in the list is published all the same.
func TestPublishWithoutFiles(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, threeTapes()...)
	for _, kind := range []string{"presentation", "video"} {
		if err := os.RemoveAll(filepath.Join(s.web.recordingsConfig().PublishedDir, kind, tapeA)); err != nil {
			t.Fatal(err)
		}
	}
	before := s.record(tapeA)
	for _, publish := range []string{"false", "true"} {
		s.get("publishRecordings", "recordID", tapeA, "publish", publish).wantFailed(t, "internalError", "Unable to publish/unpublish recording.")
		s.get("publishRecordings", "recordID", tapeA+",unknown", "publish", publish).wantFailed(t, "internalError", "Unable to publish/unpublish recording.")
	}
	s.get("publishRecordings", "recordID", tapeA+","+tapeC, "publish", "false").wantFailed(t, "internalError", "Unable to publish/unpublish recording.")
	if diff := cmp.Diff(before, s.record(tapeA)); diff != "" {
		t.Errorf("the recording without files changed:\n%s", diff)
	}
	if r := s.record(tapeC); r.State != store.Unpublished {
		t.Errorf("the one with files is %s", r.State)
	}
}

// T20: unpublish, import again, still unpublished; T22: so with metadata.
func TestDecisionsSurviveAnImport(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, threeTapes()...)
	s.get("publishRecordings", "recordID", tapeA, "publish", "false").wantBody(t, "unpublish", answered("published", "false"))
	s.get("updateRecordings", "recordID", tapeA, "meta_name", "mine", "meta_tags", "x").wantBody(t, "update", answered("updated", "true"))
	s.takeIn(threeTapes()[0])
	l := s.list("recordID", tapeA)
	if len(l.Recordings) != 1 || len(l.Recordings[0].Formats) != 2 || l.Recordings[0].State != "unpublished" {
		t.Errorf("after the import: %+v", l.Recordings)
	}
	if diff := cmp.Diff(map[string]string{"name": "mine", "tags": "x", "tenant-id": "t1"}, l.Recordings[0].meta()); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(treeOf("unpublished", "presentation", "video"), s.trees(tapeA)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	s.get("publishRecordings", "recordID", tapeB, "publish", "true").wantBody(t, "publish", answered("published", "true"))
	again := threeTapes()[1]
	again.hidden = true
	s.takeIn(again)
	if r := s.record(tapeB); r.State != store.Published {
		t.Errorf("its metadata made it %s against the decision", r.State)
	}
}

// TestUpdateRecordings (S2): all or none.
func TestUpdateRecordings(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{recordings: func(c *recordings.Config) { c.Trash = "0s" }}, threeTapes()...)
	s.get("deleteRecordings", "recordID", tapeC).wantBody(t, "delete", answered("deleted", "true"))
	both := tapeA + "," + tapeB
	long := strings.Repeat("x", 70<<10)
	for _, step := range []struct {
		list    string
		pairs   []string
		want    string            // updated, or the start of the message of a validationError
		a, b    map[string]string // metadata; nil: as before
		protect bool
	}{
		{list: tapeA, want: "false"},
		{list: "unknown", pairs: []string{"meta_x", "1"}, want: "false"},
		{list: tapeA + ",unknown", pairs: []string{"meta_x", "1"}, want: "false"},
		{list: tapeC, pairs: []string{"meta_x", "1"}, want: "false"},
		{list: tapeA + "," + tapeC, pairs: []string{"meta_x", "1", "protect", "true"}, want: "false"},
		{list: tapeA[:41], pairs: []string{"meta_x", "1"}, want: "false"},
		{list: both + "," + tapeA + ",", pairs: []string{"meta_X-y", " Ä <1> "}, want: "true",
			a: map[string]string{"name": "theirs", "tenant-id": "t1", "x-y": "Ä <1>"}, b: map[string]string{"x-y": "Ä <1>"}},
		{list: both, pairs: []string{"meta_x-Y", "Ä <1>"}, want: "false"},
		{list: both, pairs: []string{"meta_name", ""}, want: "true", a: map[string]string{"tenant-id": "t1", "x-y": "Ä <1>"}},
		{list: both, pairs: []string{"meta_name", ""}, want: "false"},
		{list: tapeA, pairs: []string{"meta_x-y", " ", "meta_k", "v", "meta_none", ""}, want: "true", a: map[string]string{"tenant-id": "t1", "k": "v"}},
		{list: tapeB, pairs: []string{"meta_gl-listed", "true", "meta_a.b_c", "2"}, want: "true", b: map[string]string{"x-y": "Ä <1>", "gl-listed": "true", "a.b_c": "2"}},
		// Keys that are none, or not to be had: all or nothing.
		{list: both, pairs: []string{"meta_ok", "1", "meta_tenant-id", "t2"}, want: "invalid: metadata key tenant-id"},
		{list: both, pairs: []string{"meta_Tenant-ID", "t2"}, want: "invalid: metadata key tenant-id"},
		{list: both, pairs: []string{"meta_tenant-name", "t2"}, want: "invalid: metadata key tenant-name"},
		{list: both, pairs: []string{"meta_ok", "1", "meta_1x", "1"}, want: `invalid: metadata key "1x"`},
		{list: both, pairs: []string{"meta_", "1"}, want: "invalid: metadata key"},
		{list: both, pairs: []string{"meta_a b", "1"}, want: "invalid: metadata key"},
		{list: both, pairs: []string{"meta_a<b", "1"}, want: "invalid: metadata key"},
		{list: both, pairs: []string{"meta_é", "1"}, want: "invalid: metadata key"},
		{list: both, pairs: []string{"meta_" + strings.Repeat("k", 300), "1"}, want: "invalid: metadata key"},
		{list: both, pairs: []string{"meta_ok", "1", "meta_l", long}, want: "invalid: the value of metadata key l"},
		// The protection.
		{list: both, pairs: []string{"protect", "true"}, want: "true", protect: true},
		{list: both, pairs: []string{"protect", "TRUE"}, want: "false", protect: true},
		{list: both, pairs: []string{"protect", ""}, want: "false", protect: true},
		{list: both, pairs: []string{"protect", "maybe"}, want: "The parameter protect must be true or false", protect: true},
		{list: both, pairs: []string{"protect", "0", "meta_ok", "1"}, want: "The parameter protect must be true or false", protect: true},
		{list: both + ",unknown", pairs: []string{"protect", "false"}, want: "false", protect: true},
		{list: both, pairs: []string{"protect", "False"}, want: "true"},
	} {
		before := map[string]map[string]string{tapeA: s.record(tapeA).Metadata(), tapeB: s.record(tapeB).Metadata()}
		query := bbb.Sign(bbb.SHA256, "updateRecordings", params(append([]string{"recordID", step.list}, step.pairs...)...).Encode(), testSecret)
		a := s.post("updateRecordings", "", typeForm, query)
		switch {
		case step.want == "true" || step.want == "false":
			a.wantBody(t, step.list, answered("updated", step.want))
		case a.OK || a.MessageKey != "validationError" || !strings.Contains(a.Message, step.want):
			t.Errorf("%.200q: %s", step.pairs, a.body)
		}
		for id, want := range map[string]map[string]string{tapeA: step.a, tapeB: step.b} {
			if want == nil {
				want = before[id]
			}
			r := s.record(id)
			if diff := cmp.Diff(want, r.Metadata()); diff != "" || r.Protected != step.protect {
				t.Errorf("%.200q: %s, protected %t (-want +got):\n%s", step.pairs, id, r.Protected, diff)
			}
		}
	}
	if diff := cmp.Diff([]string{tapeB}, s.list("meta_X-Y", "Ä <1>").ids()); diff != "" {
		t.Errorf("found by what was set (-want +got):\n%s", diff)
	}
}

// TestDeleteRecordings (S2, T21): no file of a deleted one is anywhere below the
// storage.
func TestDeleteRecordings(t *testing.T) {
	t.Parallel()
	for _, trash := range []string{"0s", "7d"} {
		s := withRecordings(t, settings{recordings: func(c *recordings.Config) { c.Trash = trash }}, threeTapes()...)
		s.get("deleteRecordings", "recordID", "unknown,"+tapeA[:41]).wantFailed(t, "notFound", recordingsNotFoundMessage)
		s.get("publishRecordings", "recordID", tapeA, "publish", "false").wantBody(t, "unpublish", answered("published", "false"))
		s.get("deleteRecordings", "recordID", tapeA+",unknown, "+tapeB+","+tapeA+",").wantBody(t, "delete", answered("deleted", "true"))
		for _, id := range []string{tapeA, tapeB} {
			if files := s.trees(id); len(files) > 0 {
				t.Errorf("trash %s: files of %s: %v", trash, id, files)
			}
			r := s.record(id)
			if r.State != store.Deleted || len(r.Formats) > 0 || len(r.Metadata()) > 0 || r.Name != "" {
				t.Errorf("record %+v", r)
			}
			if a := s.fetch("GET", s.url+"/video/"+id+"/a/file.txt", nil, nil); a.status != http.StatusNotFound {
				t.Errorf("file: %d", a.status)
			}
		}
		left, err := filepath.Glob(filepath.Join(s.web.recordingsConfig().WorkDir, "*", "*"+tapeA+"*"))
		if err != nil || (len(left) > 0) != (trash != "0s") {
			t.Errorf("trash %s: left in work_dir: %v, %v", trash, left, err)
		}
		if diff := cmp.Diff(treeOf("published", "presentation"), s.trees(tapeC)); diff != "" {
			t.Errorf("a recording that was not named (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{tapeC}, s.list().ids()); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		// To the other calls it is as unknown; to delete it again is no fault.
		s.get("publishRecordings", "recordID", tapeA, "publish", "true").wantFailed(t, "notFound", recordingsNotFoundMessage)
		s.get("updateRecordings", "recordID", tapeA, "meta_x", "y").wantBody(t, "update", answered("updated", "false"))
		s.get("deleteRecordings", "recordID", tapeA).wantBody(t, "delete again", answered("deleted", "true"))
		if err := func() error {
			_, err := s.library.Import(t.Context(), threeTapes()[0].pack(t), nil)
			return err
		}(); err == nil || s.record(tapeA).State != store.Deleted {
			t.Errorf("an import brought a deleted recording back: %v", err)
		}
	}
}
