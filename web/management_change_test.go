package web

import (
	"fmt"
	"testing"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
)

func TestUpdateServer(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	object := func(secret, tag, state, multiplier string) string {
		return fmt.Sprintf(`{"id":"bbb1","url":"https://bbb1.example.org/bigbluebutton/","secret":%q,"tag":%q,"bbb_version":"","state":%q,"load":"unavailable","load_multiplier":%q,"online":"offline"}`,
			secret, tag, state, multiplier)
	}
	for _, step := range []struct{ query, body, want string }{
		{"", `{"id":"bbb1","server":{"state":"enable","load_multiplier":"1.5","secret":"new","tag":"uni"}}`, object("new", "uni", "enabled", "1.5")},
		{"", `{"id":"bbb1","server":{"state":"cordon"}}`, object("new", "uni", "cordoned", "1.5")},
		{"", `{"id":"bbb1","state":"disable","load_multiplier":3}`, object("new", "uni", "disabled", "3.0")},
		{"id=bbb1", `{"server":{"tag":""}}`, object("new", "", "disabled", "3.0")},
		{"", `{"server":{"id":"bbb1","tag":"a"}}`, object("new", "a", "disabled", "3.0")},
		{"", `{"id":"bbb1","server":{"tag":null,"secret":null,"url":"https://other.example.org","online":"online"}}`, object("new", "a", "disabled", "3.0")},
		{"", `{"id":"bbb1"}`, object("new", "a", "disabled", "3.0")},
		{"id=bbb1", `{"id":"other","server":{"tag":"b"}}`, object("new", "b", "disabled", "3.0")}, // the signed id counts
	} {
		a.want(200, step.want, "updateServer", step.query, step.body)
	}
}

func TestUpdateServerRefuses(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	const multiplier = `{"error":"Load-multiplier must be a non-zero number"}`
	for attributes, want := range map[string]string{
		`"state":"enabled"`:                           `{"error":"Invalid state parameter: enabled"}`,
		`"state":""`:                                  `{"error":"Invalid state parameter: "}`,
		`"state":7`:                                   `{"error":"Invalid state parameter: 7"}`,
		`"state":["enable"]`:                          `{"error":"Invalid state parameter: [\"enable\"]"}`,
		`"load_multiplier":0`:                         multiplier,
		`"load_multiplier":"0.0"`:                     multiplier,
		`"load_multiplier":""`:                        multiplier,
		`"load_multiplier":"two"`:                     multiplier,
		`"load_multiplier":"inf"`:                     multiplier,
		`"load_multiplier":1e999`:                     multiplier,
		`"load_multiplier":true`:                      multiplier,
		`"load_multiplier":{}`:                        multiplier,
		`"secret":[]`:                                 `{"error":"secret must be a string"}`,
		`"tag":[]`:                                    `{"error":"tag must be a string"}`,
		`"tag":"a;b"`:                                 `{"error":"a tag has neither ';' nor '!' nor control characters"}`,
		`"secret":""`:                                 `{"error":"a server needs its secret; 'bbb-conf --secret' shows it on the BBB server"}`,
		`"state":"enable","load_multiplier":"x"`:      multiplier,
		`"state":"x","load_multiplier":2,"tag":"new"`: `{"error":"Invalid state parameter: x"}`,
	} {
		a.want(400, want, "updateServer", "", `{"id":"bbb1","server":{"secret":"changed","tag":"changed",`+attributes+`}}`)
	}
	a.want(400, `{"error":"The request needs an id"}`, "updateServer", "", `{"server":{"tag":"x"}}`)
	a.want(404, `{"error":"Couldn't find server with id=nope"}`, "updateServer", "", `{"id":"nope","server":{"state":"x"}}`)
	a.want(200, disabledServer, "getServerInfo", "id=bbb1", "") // all or nothing
}

func TestDeleteServer(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	a.want(400, `{"error":"The request needs an id"}`, "deleteServer", "", `{}`)
	a.want(404, `{"error":"Couldn't find server with id=nope"}`, "deleteServer", "", `{"id":"nope"}`)
	a.want(200, `{"success":"Server id=bbb1 was destroyed"}`, "deleteServer", "", `{"id":"bbb1"}`)
	a.want(404, `{"error":"Couldn't find server with id=bbb1"}`, "deleteServer", "", `{"id":"bbb1"}`)
	a.add(balancer.NewServer{ID: "5", URL: "h", Secret: "s"})
	a.want(200, `{"success":"Server id=5 was destroyed"}`, "deleteServer", "", `{"id":5}`)
	a.add(balancer.NewServer{ID: "bbb1", URL: "h", Secret: "s"})
	if resp := a.send("POST", signedCall("deleteServer", "id=bbb1"), "", ""); resp.StatusCode != 200 {
		t.Errorf("id in the query, no body: %d", resp.StatusCode)
	}
}

func TestPanicServer(t *testing.T) {
	t.Parallel()
	const done = `{"success":"Server id=bbb1 has been disabled and the meetings have been destroyed"}`
	for _, c := range []struct {
		query, body string
		state       store.State
	}{
		{"", `{"id":"bbb1"}`, store.Disabled},
		{"", `{"server":{"id":"bbb1"}}`, store.Disabled},
		{"id=bbb1", `{}`, store.Disabled},
		{"", `{"id":"bbb1","keep_state":false}`, store.Disabled},
		{"", `{"id":"bbb1","keep_state":true}`, store.Enabled},
		{"", `{"id":"bbb1","keep_state":"true"}`, store.Enabled},
		{"", `{"id":"bbb1","server":{"keep_state":true}}`, store.Enabled},
		{"", `{"server":{"id":"bbb1","keep_state":1}}`, store.Enabled},
	} {
		a := newManagementAPI(t)
		b := bbbtest.Start(t, bbbtest.Options{})
		a.add(balancer.NewServer{ID: "bbb1", URL: b.URL(), Secret: bbb.Secret(b.Secret()), Enable: true})
		if _, err := a.pool.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		placeMeeting(t, a.pool, "m1", "")
		b.Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.ServerError}) // it goes on whatever the server answers
		a.want(200, done, "panicServer", c.query, c.body)
		s, err := a.pool.Server(t.Context(), "bbb1")
		if err != nil || s.State != c.state {
			t.Errorf("%s %s: state %s, %v", c.query, c.body, s.State, err)
		}
		if left, err := a.pool.Meetings(t.Context()); err != nil || len(left) != 0 || b.Count("end") == 0 {
			t.Errorf("%s %s: %d ends, left %v, %v", c.query, c.body, b.Count("end"), left, err)
		}
	}
}

func TestPanicServerRefuses(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	a.want(404, `{"error":"Couldn't find server with id=nope"}`, "panicServer", "", `{"id":"nope"}`)
	a.want(404, `{"error":"Couldn't find server with id=nope"}`, "panicServer", "", `{"id":"nope","keep_state":true}`)
	a.want(400, `{"error":"The request needs an id"}`, "panicServer", "", `{"keep_state":true}`)
	a.want(400, `{"error":"keep_state must be true or false"}`, "panicServer", "", `{"id":"bbb1","keep_state":"maybe"}`)
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	a.want(400, `{"error":"Couldn't disable server id=bbb1"}`, "panicServer", "", `{"id":"bbb1"}`)
}
