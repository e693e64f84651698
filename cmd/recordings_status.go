package cmd

import (
	"fmt"
	"io"
	"strings"

	"scalelite/web/admin"
)

// printRecordingsStatus prints the lines below the table of servers.
func printRecordingsStatus(w io.Writer, s admin.RecordingsStatus) error {
	if !s.Enabled {
		_, err := fmt.Fprintln(w, "Recordings  switched off (recordings.enabled)")
		return err
	}
	lines := []struct{ key, text string }{
		{"Recordings", fmt.Sprintf("%d published, %d unpublished, %d in the trash", s.Published, s.Unpublished, s.InTrash)},
		{"Disk", diskText(s.Disk)},
		{"Spool", spoolText(s.Spool)},
		{"Callbacks", callbackText(s.Callbacks)},
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%-11s %s\n", l.key, l.text); err != nil {
			return err
		}
	}
	return nil
}

func diskText(d admin.DiskStatus) string {
	if d.Error != "" {
		return "not known: " + printable(d.Error)
	}
	return fmt.Sprintf("%s used, %s free of %s", byteSize(d.Used()), byteSize(d.Free), byteSize(d.Total))
}

func spoolText(s admin.SpoolStatus) string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(s.Waiting, "waiting")
	add(s.Settling, "settling")
	add(s.Importing, "importing")
	add(s.Failed, "failed")
	add(s.Ignored, "ignored")
	text := strings.Join(parts, ", ")
	switch {
	case s.Error != "" && text == "":
		return "nothing can come in: " + printable(s.Error)
	case s.Error != "":
		text += "; nothing can come in: " + printable(s.Error)
	case text == "":
		return "empty"
	case s.Held > 0:
		text += fmt.Sprintf("; %d held back because the disk is too full", s.Held)
	case s.Unplaced > 0:
		text += fmt.Sprintf("; %d held back until the next look, as a disk was not mounted", s.Unplaced)
	case s.Failed > 0, s.Ignored > 0:
		text += "; 'scalelite recordings spool' tells why"
	}
	return text
}

func callbackText(c admin.CallbackStatus) string {
	switch {
	case c.Failed > 0:
		return fmt.Sprintf("%d pending, %d failed; 'scalelite callbacks' tells why", c.Pending, c.Failed)
	case c.Pending > 0:
		return fmt.Sprintf("%d pending", c.Pending)
	}
	return "none pending"
}
