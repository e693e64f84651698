package web

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// recordingQuery is a getRecordings as it was asked for.
type recordingQuery struct {
	filter store.RecordingFilter
	// nothing: a filter is given but empty or malformed. It matches nothing,
	// never everything.
	nothing bool
	paged   bool
	offset  int64
	limit   int64
}

// recordingStates are the states that clients may ask for, with what they are
// here: nothing is ever in the midst of processing.
var recordingStates = map[string][]store.RecordingState{
	"processing": nil, "processed": nil,
	"published": {store.Published}, "unpublished": {store.Unpublished}, "deleted": {store.Deleted},
	"any": store.RecordingStates(),
}

const maxPage = 100

// metaFilter is the name of a filter on metadata; its keys are those of
// updateRecordings.
var metaFilter = regexp.MustCompile(`^meta_([A-Za-z_][A-Za-z0-9_.-]*)$`)

// parseRecordingQuery reads the parameters of getRecordings. A recordID makes a
// meetingID beside it count for nothing, as in BBB.
func parseRecordingQuery(p bbb.Params) recordingQuery {
	q := recordingQuery{filter: store.RecordingFilter{
		States: []store.RecordingState{store.Published, store.Unpublished}, Meta: map[string][]string{},
	}}
	if _, ok := p.Lookup("recordID"); ok {
		q.filter.IDs = q.list(p.ID("recordID"))
	} else if _, ok := p.Lookup("meetingID"); ok {
		q.filter.Meetings = q.list(p.ID("meetingID"))
	}
	if list, ok := p.Lookup("state"); ok {
		q.states(q.list(list))
	}
	for name, value := range p.All() {
		if !strings.HasPrefix(name, "meta_") {
			continue
		}
		key := metaFilter.FindStringSubmatch(name)
		if key == nil {
			q.nothing = true
			continue
		}
		q.filter.Meta[strings.ToLower(key[1])] = q.list(value)
	}
	q.page(p)
	return q
}

func (q *recordingQuery) list(value string) []string {
	found := items(value)
	if len(found) == 0 {
		q.nothing = true
	}
	return found
}

func (q *recordingQuery) states(names []string) {
	q.filter.States = nil
	for _, name := range names {
		states, known := recordingStates[name]
		if !known {
			q.nothing = true
		}
		q.filter.States = append(q.filter.States, states...)
	}
	slices.Sort(q.filter.States)
	q.filter.States = slices.Compact(q.filter.States)
}

// page: a limit makes pages. As in BBB, one that is out of range counts as the
// nearest that is not, and an offset that is no good as 0.
func (q *recordingQuery) page(p bbb.Params) {
	limit, err := strconv.ParseInt(p.ID("limit"), 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return
	}
	q.paged, q.limit = true, min(max(limit, 1), maxPage)
	if offset, err := strconv.ParseInt(p.ID("offset"), 10, 64); err == nil && offset >= 0 {
		q.offset = offset
	}
}
