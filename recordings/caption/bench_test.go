package caption

import (
	"fmt"
	"strings"
	"testing"
)

// An hour and a half of captions, and texts that are meant to take long: the
// time a byte should be much the same.
func BenchmarkToVTT(b *testing.B) {
	var ordinary strings.Builder
	for i := range 1800 {
		fmt.Fprintf(&ordinary, "%d\n00:%02d:%02d,000 --> 00:%02d:%02d,900\n<i>Line %d</i> of a lesson\nabout fractions & more\n\n",
			i+1, i/30, i%30*2, i/30, i%30*2+1, i)
	}
	const size = 1 << 20
	texts := []struct{ name, text string }{
		{"ordinary", ordinary.String()},
		{"dropped-tags", second + "\nx" + strings.Repeat("<s>x", size/4)},
		{"angles", second + "\nx" + strings.Repeat("<", size)},
		{"overrides", second + "\nx" + strings.Repeat(`{\a`, size/3)},
		{"open-tags", second + "\nx" + strings.Repeat("<b>", size/3)},
		{"references", second + "\nx" + strings.Repeat("&", size)},
		{"lines", second + "\nx" + strings.Repeat("\n>", size/2)},
	}
	for _, text := range texts {
		b.Run(text.name, func(b *testing.B) {
			b.SetBytes(int64(len(text.text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ToVTT([]byte(text.text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
