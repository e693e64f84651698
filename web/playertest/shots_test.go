package playertest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"scalelite/recordings/recordingtest"
)

var shots = flag.String("shots", "", "a directory that screenshots of the player are written to")

// TestScreenshots writes what the player looks like, to be looked at by people:
// each generation at telling times, light and dark, on a phone and a laptop.
func TestScreenshots(t *testing.T) {
	if *shots == "" {
		t.Skip("-shots names no directory")
	}
	h := newTheatre(t, nil)
	shoot := func(p *tab, name string) {
		p.followed()
		if err := os.WriteFile(filepath.Join(*shots, name+".png"), p.screenshot(""), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, version := range recordingtest.Versions() {
		r := h.show(recordingtest.Options{Version: version})
		for name, v := range map[string]view{"laptop": laptop, "phone": phone, "dark": {width: 1280, height: 800, dark: true}, "dark-phone": {width: 390, height: 844, touch: true, dark: true}} {
			v.calm = true
			p := h.play(t, v, r.Path()+"?locale=en")
			p.captionsOn("en")
			p.key("k") // who has begun sees the picture without a button on it
			p.is("playing", "true")
			p.key("k")
			p.is("playing", "false")
			for _, at := range []float64{4.5, 9.5, 13.5, 20, 26} {
				p.seek(at)
				shoot(p, fmt.Sprintf("%s-%s-%v", version, name, at))
			}
			p.close()
		}
	}
}
