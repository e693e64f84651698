package unpack

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// TestCutTarballIsIncomplete is T8: wherever a copy stands, it is seen to be
// unfinished until the last byte that matters is there.
func TestCutTarballIsIncomplete(t *testing.T) {
	t.Parallel()
	whole := archive(good(), pax('x', "path="+in("a")), member("x", '0', strings.Repeat("a", 700)),
		longName(recordID+"/"+strings.Repeat("n", 200)))
	for name, data := range map[string][]byte{"plain": whole, "gzip": compressed(t, whole)} {
		inspect(t, tarFile(t, data))
		f := tarFile(t, data)
		for n := range len(data) {
			if n%7 != 0 && n%blockSize > 1 {
				continue
			}
			if _, err := Inspect(t.Context(), cut(t, f.Name(), n), plenty); !errors.Is(err, ErrIncomplete) {
				t.Fatalf("%s, %d of %d bytes: %v", name, n, len(data), err)
			}
		}
	}
}

// TestTarballOfReservedSpace is a copy into a file that got its full size first.
func TestTarballOfReservedSpace(t *testing.T) {
	t.Parallel()
	reserved := append(good(), make([]byte, 3<<20)...)
	for _, data := range [][]byte{reserved, compressed(t, reserved), make([]byte, 2<<20)} {
		if _, err := Inspect(t.Context(), tarFile(t, data), plenty); !errors.Is(err, ErrIncomplete) {
			t.Errorf("got %v, want ErrIncomplete", err)
		}
	}
}

// TestNoTarball is T5: what is no tarball, or no longer one, is corrupt.
func TestNoTarball(t *testing.T) {
	t.Parallel()
	damaged := archive(good())
	damaged[blockSize+3] ^= 1
	zipped := compressed(t, archive(good(), member(in("a"), '0', strings.Repeat("abc", 1000))))
	wrongSum := bytes.Clone(zipped)
	wrongSum[len(wrongSum)-6] ^= 1
	for name, data := range map[string][]byte{
		"a page":               []byte("<html>" + strings.Repeat(" ", 600)),
		"a damaged header":     damaged,
		"one zero block":       append(append(good(), make([]byte, blockSize)...), good()...),
		"a wrong gzip sum":     wrongSum,
		"gzip, then something": append(bytes.Clone(zipped), "something else than gzip"...),
		"gzip of a page":       compressed(t, []byte("<html>"+strings.Repeat(" ", 600))),
		"gzip's magic alone":   append([]byte{0x1f, 0x8b}, bytes.Repeat([]byte{0xff}, 100)...),
		"a negative size":      archive(good(), negative(in("a"))),
	} {
		if _, err := Inspect(t.Context(), tarFile(t, data), plenty); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, want ErrCorrupt", name, err)
		}
	}
}

// negative returns a header with a size below zero.
func negative(name string) []byte {
	b := header(name, '0', 0)
	for i := 124; i < 136; i++ {
		b[i] = 0xff
	}
	return signed(b)
}

// huge returns a header with a size of 1 TB, as GNU tar writes it.
func huge(name string) []byte {
	b := header(name, '0', 0)
	copy(b[124:136], "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00")
	return signed(b)
}

// TestSpaceLimit is T4: the limit is met to the byte, and what is needed is told.
func TestSpaceLimit(t *testing.T) {
	t.Parallel()
	data := archive(good(), member(in("a"), '0', strings.Repeat("a", 5000)))
	const need = (2 + 1 + 2) * diskBlock // directories, metadata.xml, a
	for _, data := range [][]byte{data, compressed(t, data)} {
		f := tarFile(t, data)
		plan, err := Inspect(t.Context(), f, Limits{MaxBytes: need})
		if err != nil || plan.Disk != need {
			t.Fatalf("with enough space: %v", err)
		}
		_, err = Inspect(t.Context(), f, Limits{MaxBytes: need - 1})
		large, ok := errors.AsType[*TooLarge](err)
		if !ok || !errors.Is(err, ErrNoSpace) {
			t.Fatalf("with a byte too little: %v", err)
		}
		if diff := cmp.Diff(TooLarge{Need: need, Limit: need - 1}, *large); diff != "" {
			t.Error(diff)
		}
	}
}

// TestBombs: what claims to be enormous costs nothing to turn down.
func TestBombs(t *testing.T) {
	t.Parallel()
	l := Limits{MaxBytes: 1 << 30}
	claim := archive(good(), huge(in("a")))
	if _, err := Inspect(t.Context(), tarFile(t, claim), l); !errors.Is(err, ErrIncomplete) {
		t.Errorf("1 TB in a small tarball: %v", err)
	}
	if _, err := Inspect(t.Context(), tarFile(t, compressed(t, claim)), l); !errors.Is(err, ErrNoSpace) {
		t.Errorf("1 TB, compressed: %v", err)
	}
	zeros := compressed(t, make([]byte, 64<<20))
	bomb := append(compressed(t, append(good(), header(in("a"), '0', 1<<32)...)), bytes.Repeat(zeros, 64)...)
	bomb = append(bomb, compressed(t, archive())...)
	if _, err := Inspect(t.Context(), tarFile(t, bomb), l); !errors.Is(err, ErrNoSpace) {
		t.Errorf("4 GiB in %d KiB: %v", len(bomb)>>10, err)
	}
	behind := append(compressed(t, archive(good())), bytes.Repeat(zeros, 64)...)
	if _, err := Inspect(t.Context(), tarFile(t, behind), l); !errors.Is(err, ErrIncomplete) {
		t.Errorf("4 GiB behind the end: %v", err)
	}
}

// TestInspectStops when the context ends.
func TestInspectStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the service stops")
	cancel(why)
	for _, data := range [][]byte{archive(good()), compressed(t, archive(good()))} {
		if _, err := Inspect(ctx, tarFile(t, data), plenty); !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
	}
}

// TestReadErrorsAreThemselves keeps an unreadable disk apart from a bad
// tarball, also behind the decompression.
func TestReadErrorsAreThemselves(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken disk")
	raw := &recorder{r: io.MultiReader(bytes.NewReader(compressed(t, archive(good()))[:50]), iotest.ErrReader(broken))}
	z, err := gzip.NewReader(raw)
	if err != nil {
		t.Fatal(err)
	}
	src := &packed{meter: meter{ctx: t.Context(), budget: 1 << 20}, raw: raw, z: z}
	if _, err := io.ReadAll(src); err != broken {
		t.Errorf("behind gzip: got %v", err)
	}
	f := open(t, t.TempDir())
	_, err = Inspect(t.Context(), f, plenty)
	if err == nil || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrIncomplete) {
		t.Errorf("a directory: got %v", err)
	}
}
