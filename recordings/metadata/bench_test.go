package metadata

import (
	"bytes"
	"encoding/xml"
	"os"
	"strings"
	"testing"
)

func BenchmarkParse(b *testing.B) {
	ordinary, err := os.ReadFile("testdata/presentation.xml")
	if err != nil {
		b.Fatal(err)
	}
	docs := []struct {
		name string
		data []byte
	}{
		{"ordinary", ordinary},
		{"4MiB", []byte(recording("<meta>" + strings.Repeat("<key-of-a-value>a &amp; b</key-of-a-value>", 90_000) + "</meta>"))},
	}
	for _, doc := range docs {
		b.Run(doc.name, func(b *testing.B) {
			b.SetBytes(int64(len(doc.data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(bytes.NewReader(doc.data)); err != nil {
					b.Fatal(err)
				}
			}
		})
		// encoding/xml only splitting the same document, to compare with.
		b.Run(doc.name+"-encoding-xml", func(b *testing.B) {
			b.SetBytes(int64(len(doc.data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := xml.Unmarshal(doc.data, new(struct{})); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
