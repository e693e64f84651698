package cmd

import (
	_ "embed"
	"os"
	"path/filepath"
)

// sample is a tarball as a BBB server sends it: a short meeting in two formats.
//
//go:embed sample.tar
var sample []byte

// sampleID is the record ID of the sample.
const sampleID = "92f6e2dd1b1d1f1fb57ce2fa4ddd39a8b2e2aa1e-1767258000000"

// dropSample puts the sample into a spool as rsync would: under a temporary
// name first.
func dropSample(spool string) error {
	temporary := filepath.Join(spool, "."+sampleID+".tar.Xa81kq")
	if err := os.WriteFile(temporary, sample, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(spool, sampleID+".tar"))
}
