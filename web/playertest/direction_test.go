package playertest

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/recordings/recordingtest"
)

// places are the texts on the stage and where they begin, how wide and how high
// they are, in points of the stage.
const places = `(() => {
	const stage = document.querySelector("#stage").getBoundingClientRect();
	return [...document.querySelectorAll("#stage text")].map((text) => {
		const box = text.getBoundingClientRect();
		return [text.textContent, ...[box.x - stage.x, box.y - stage.y, box.width, box.height].map(Math.round)].join(" ");
	});
})()`

// TestRightToLeft: a language that is written from right to left turns the page
// round, but not what is written on the whiteboard, in whichever language that is.
func TestRightToLeft(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	english, err := os.ReadFile("../player/locale/en.json")
	if err != nil {
		t.Fatal(err)
	}
	h.disturb(func(w http.ResponseWriter, r *http.Request) bool {
		turned := strings.HasSuffix(r.URL.Path, "/locale/de.json")
		if turned {
			_, _ = w.Write([]byte(strings.Replace(string(english), `"dir": "ltr"`, `"dir": "rtl"`, 1)))
		}
		return turned
	})
	for _, version := range recordingtest.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r := h.show(recordingtest.Options{Version: version})
			var want []string
			for _, language := range []string{"en", "de"} {
				p := h.play(t, laptop, r.Path()+"?locale="+language)
				if dir := evaluate[string](p, "getComputedStyle(document.body).direction"); dir != map[string]string{"en": "ltr", "de": "rtl"}[language] {
					t.Fatalf("the page in %s is written %s", language, dir)
				}
				for _, at := range []float64{4.2, 26} {
					p.seek(at)
					got := evaluate[[]string](p, places)
					if len(got) == 0 {
						t.Fatalf("at %v s nothing is written on the slide", at)
					}
					want = append(want, got...)
				}
			}
			half := len(want) / 2
			if diff := cmp.Diff(want[:half], want[half:]); diff != "" {
				t.Errorf("texts in English (-) and on a page that is turned round (+):\n%s", diff)
			}
		})
	}
}
