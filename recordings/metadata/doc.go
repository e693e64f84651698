// Package metadata reads the metadata.xml that BigBlueButton writes into every
// format of a recording. It owns what is believed of such a file, and in what
// shape: it is as tolerant as the files in the field need, and hands on nothing
// that could hurt whoever stores, serves or shows it.
//
// It reads bytes and nothing else: it knows no directories, no store and no
// HTTP, and imports nothing of this module but its own charset.
package metadata
