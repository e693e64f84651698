package recordings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"scalelite/store"
)

// Bounds of what Update takes.
const (
	maxMetaKey   = 200      // bytes
	maxMetaValue = 64 << 10 // bytes
)

// maxMetaKeys bounds the metadata keys of one recording that were set or removed
// here.
const maxMetaKeys = 500

// metaKey is what can be the name of an XML element and of a parameter.
var metaKey = regexp.MustCompile(`^[a-z_][a-z0-9_.-]*$`)

// Update changes metadata and protection of recordings: of all that are named,
// or of none. It returns false if nothing was to do, and also if one of them is
// unknown, deleted or outside the scope. Keys count in lower case. ErrInvalid
// says that a key or value is none that can be set.
//
// What is set here stays when the recording is imported again.
func (l *Library) Update(ctx context.Context, scope Scope, ids []string, c Change) (bool, error) {
	end, err := l.begin()
	if err != nil {
		return false, err
	}
	defer end()
	meta, err := checkMeta(c.Meta)
	if err != nil {
		return false, err
	}
	ids = distinct(ids)
	release, err := l.locks.lock(ctx, ids...)
	if err != nil {
		return false, err
	}
	defer release()
	var changed bool
	err = l.store.Update(ctx, func(tx *store.Tx) error {
		changed = false
		for _, id := range ids {
			r, err := tx.Recording(id)
			if err != nil {
				return err
			}
			if r.State == store.Deleted || scope != nil && r.Tenant != *scope {
				return store.ErrNotFound
			}
			if !decide(&r, meta, c.Protect) {
				continue
			}
			changed = true
			if n := len(r.Decided); n > maxMetaKeys {
				return fmt.Errorf("%w: a recording takes changes of at most %d metadata keys", ErrInvalid, maxMetaKeys)
			}
			if err := tx.PutRecording(r); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return changed && err == nil, err
}

// checkMeta returns the metadata with its keys in lower case.
func checkMeta(given map[string]string) (map[string]string, error) {
	meta := make(map[string]string, len(given))
	for key, value := range given {
		lower := strings.ToLower(key)
		switch {
		case len(lower) > maxMetaKey || !metaKey.MatchString(lower):
			return nil, fmt.Errorf("%w: metadata key %.64q is no XML name", ErrInvalid, key)
		case lower == "tenant-id" || lower == "tenant-name":
			return nil, fmt.Errorf("%w: metadata key %s cannot be changed", ErrInvalid, lower)
		case len(value) > maxMetaValue:
			return nil, fmt.Errorf("%w: the value of metadata key %s has more than %d bytes", ErrInvalid, lower, maxMetaValue)
		}
		// A record holds valid UTF-8 only; its indexes must hold the same.
		meta[lower] = strings.ToValidUTF8(value, "\uFFFD")
	}
	return meta, nil
}

// decide applies a change and reports whether it was one.
func decide(r *store.Recording, meta map[string]string, protect *bool) (changed bool) {
	if r.Decided = maps.Clone(r.Decided); r.Decided == nil {
		r.Decided = map[string]*string{}
	}
	for key, value := range meta {
		old, decided := r.Decided[key]
		_, there := r.Metadata()[key]
		switch {
		case value == "" && !there:
			continue
		case value == "":
			r.Decided[key] = nil
		case decided && old != nil && *old == value:
			continue
		default:
			r.Decided[key] = &value
		}
		changed = true
	}
	if protect != nil && r.Protected != *protect {
		r.Protected, changed = *protect, true
	}
	return changed
}
