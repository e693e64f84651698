package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"scalelite/store"
)

const (
	// minAbbreviation is how many bytes of an ID stand for it.
	minAbbreviation = 8
	// maxNamed bounds how many recordings a message names.
	maxNamed = 10
)

// find returns the recordings that IDs or their beginnings mean, each once, in
// the order given. It is all of them or an error.
func (l *Local) find(ctx context.Context, ids []string) ([]store.Recording, error) {
	var found []store.Recording
	var unknown []string
	seen := map[string]bool{}
	for _, id := range ids {
		r, err := l.findOne(ctx, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			unknown = append(unknown, strconv.Quote(id))
		case err != nil:
			return nil, explain(ctx, err)
		case !seen[r.ID]:
			seen[r.ID] = true
			found = append(found, r)
		}
	}
	switch {
	case len(ids) == 0:
		return nil, &Error{Invalid, "give the id of a recording"}
	case len(unknown) > maxNamed:
		unknown = append(unknown[:maxNamed], fmt.Sprintf("and %d more", len(unknown)-maxNamed))
		fallthrough
	case len(unknown) > 0:
		return nil, &Error{NotFound, fmt.Sprintf("there is no recording %s: 'scalelite recordings --state any' lists those there are "+
			"(the beginning of an id needs %d characters)", strings.Join(unknown, ", "), minAbbreviation)}
	}
	return found, nil
}

// findOne returns the recording with this ID, or the only one whose ID begins
// like this.
func (l *Local) findOne(ctx context.Context, id string) (store.Recording, error) {
	var found []store.Recording
	err := l.store.View(ctx, func(tx *store.Tx) error {
		found = found[:0]
		r, err := tx.Recording(id)
		if err == nil {
			found = append(found, r)
		}
		if !errors.Is(err, store.ErrNotFound) || len(id) < minAbbreviation {
			return err
		}
		for r, err := range tx.Recordings(store.RecordingFilter{IDs: []string{id}, States: store.RecordingStates()}, nil) {
			if err != nil {
				return err
			}
			if found = append(found, r); len(found) > maxNamed {
				break
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return store.Recording{}, err
	case len(found) == 0:
		return store.Recording{}, store.ErrNotFound
	case len(found) > 1:
		return store.Recording{}, ambiguous(id, found)
	}
	return found[0], nil
}

// ambiguous names the recordings whose IDs begin alike. Those of one meeting do:
// the first 40 characters are that of the meeting.
func ambiguous(id string, found []store.Recording) error {
	var b strings.Builder
	for i, r := range found {
		if i == maxNamed {
			b.WriteString("\n  and more")
			break
		}
		b.WriteString("\n  " + r.ID)
	}
	return &Error{Conflict, fmt.Sprintf("the ids of several recordings begin with %q; say which:%s", id, b.String())}
}
