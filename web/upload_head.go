package web

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"

	"scalelite/recordings/unpack"
)

// maxHeadEntries bounds how many entries of the beginning are looked at.
const maxHeadEntries = 16

// checkHead looks at the first bytes of a tarball: whether it is compressed, and
// whether what can be told of it by now is of the recording. The importer's own
// check of the whole follows when it is here.
func checkHead(head []byte, recording string) (packed bool, err error) {
	if len(head) == 0 {
		return false, badTarball(unpack.ErrIncomplete)
	}
	var r io.Reader = bytes.NewReader(head)
	if packed = bytes.HasPrefix(head, []byte{0x1f, 0x8b}); packed {
		z, err := gzip.NewReader(r)
		if err != nil {
			return packed, badTarball(unpack.ErrCorrupt)
		}
		// What a few bytes may unpack to is bounded as well.
		r = io.LimitReader(z, uploadBlock)
	}
	archive := tar.NewReader(r)
	for range maxHeadEntries {
		entry, err := archive.Next()
		if errors.Is(err, tar.ErrHeader) {
			return packed, badTarball(unpack.ErrCorrupt)
		}
		if err != nil { // it goes on beyond these bytes, or is too short
			return packed, nil
		}
		parts := strings.SplitN(strings.TrimPrefix(entry.Name, "./"), "/", 3)
		if len(parts) < 2 || parts[1] == "" {
			continue
		}
		if parts[1] != recording {
			return packed, errUploadOther
		}
		return packed, nil
	}
	return packed, nil
}
