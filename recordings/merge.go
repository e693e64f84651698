package recordings

import (
	"maps"
	"slices"
	"time"

	"scalelite/recordings/metadata"
	"scalelite/store"
)

// defaultLinks is where the formats of BBB are opened, if their metadata does
// not say; ID stands between the two parts.
var defaultLinks = map[string][2]string{
	"presentation": {"/playback/presentation/2.3/", ""},
	"video":        {"/playback/video/", "/"},
	"screenshare":  {"/recording/screenshare/", "/"},
	"podcast":      {"/podcast/", "/audio.ogg"},
	"notes":        {"/notes/", "/notes.pdf"},
}

// maxImportedKey is the longest key of metadata in bytes that is taken over.
const maxImportedKey = 1024

func defaultLink(kind, id string) string {
	parts, ok := defaultLinks[kind]
	if !ok {
		parts = [2]string{"/" + kind + "/", "/"}
	}
	return parts[0] + id + parts[1]
}

// merge puts formats into the record of a recording. What the metadata of a
// format does not say stays; what somebody decided stays anyhow.
func merge(r store.Recording, formats []incomingFormat, stamp time.Time) store.Recording {
	r.ImportedAt = stamp
	imported := map[string]string{}
	// The presentation's metadata says most, so it has the last word.
	ordered := slices.Clone(formats)
	slices.SortStableFunc(ordered, func(a, b incomingFormat) int { return rank(a) - rank(b) })
	for _, f := range ordered {
		mergeFields(&r, f.doc)
		for _, pair := range f.doc.Metadata {
			if len(pair.Key) <= maxImportedKey {
				imported[pair.Key] = pair.Value
			}
		}
		r.SetFormat(formatOf(r.ID, f, stamp))
	}
	if len(imported) > 0 {
		r.Imported = imported
	} else {
		r.Imported = maps.Clone(r.Imported)
	}
	if r.InternalMeetingID == "" {
		r.InternalMeetingID = r.ID
	}
	if tenant, ok := r.Metadata()["tenant-id"]; ok {
		r.Tenant = tenant
	}
	return r
}

// addFormats puts formats of an older tarball into the record of a recording,
// which otherwise stays as the newer one made it.
func addFormats(r store.Recording, formats []incomingFormat, stamp time.Time) store.Recording {
	r.ImportedAt = stamp
	for _, f := range formats {
		r.SetFormat(formatOf(r.ID, f, stamp))
	}
	return r
}

func rank(f incomingFormat) int {
	if f.Type == "presentation" {
		return 1
	}
	return 0
}

// mergeFields takes over what the metadata of a format says of the recording.
func mergeFields(r *store.Recording, doc *metadata.Document) {
	setText(&r.MeetingID, doc.MeetingID)
	setText(&r.Name, doc.Name)
	if doc.InternalMeetingID != doc.RecordID {
		setText(&r.InternalMeetingID, doc.InternalMeetingID)
	}
	if doc.Start != 0 {
		r.Start = doc.Start
	}
	if doc.End != 0 {
		r.End = doc.End
	}
	r.Participants = max(r.Participants, doc.Participants)
	r.RawSize = max(r.RawSize, doc.RawSize)
	r.IsBreakout = r.IsBreakout || doc.IsBreakout
	if b := doc.Breakout; b != nil {
		r.Breakout = &store.Breakout{ParentID: b.ParentMeetingID, MeetingID: b.MeetingID, Sequence: b.Sequence, FreeJoin: b.FreeJoin}
	}
	if len(doc.BreakoutRooms) > 0 {
		r.BreakoutRooms = doc.BreakoutRooms
	}
}

func setText(field *string, text string) {
	if text != "" {
		*field = text
	}
}

func formatOf(id string, f incomingFormat, stamp time.Time) store.Format {
	format := store.Format{
		Type: f.Type, URL: f.doc.Link,
		LengthMS: f.doc.LengthMS, ProcessingMS: f.doc.ProcessingMS, Size: f.doc.Size,
		Files: f.Files, Bytes: f.Bytes, ImportedAt: stamp, Seen: f.seen,
	}
	if format.URL == "" {
		format.URL = defaultLink(f.Type, id)
	}
	for _, image := range f.doc.Images {
		format.Images = append(format.Images, store.Image{Width: image.Width, Height: image.Height, Alt: image.Alt, Path: image.Path})
	}
	return format
}

// target is the state that a recording is to have after an import: as somebody
// decided, else as the configuration or the metadata of a format says.
func (l *Library) target(r store.Recording, formats []incomingFormat) store.RecordingState {
	if r.StateDecided {
		return r.State
	}
	hidden := func(f incomingFormat) bool { return f.doc.PublishedSet && !f.doc.Published }
	if l.settings.Load().ImportUnpublished || slices.ContainsFunc(formats, hidden) {
		return store.Unpublished
	}
	return store.Published
}
