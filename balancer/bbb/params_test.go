package bbb

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pairs lists parameters as "name=value", decoded.
func pairs(p Params) []string {
	list := []string{}
	for name, value := range p.All() {
		list = append(list, name+"="+value)
	}
	return list
}

func TestParseQuery(t *testing.T) {
	t.Parallel()
	rows := []struct {
		raw  string
		want []string
	}{
		{"", []string{}},
		{"&&", []string{}},
		{"=x&a=1", []string{"a=1"}},
		{"a=1&b=2", []string{"a=1", "b=2"}},
		{"b=2&a=1&b=3", []string{"b=3", "a=1"}},
		{"a=1;b=2&c=3", []string{"a=1;b=2", "c=3"}},
		{"a=x+y%20z%2B", []string{"a=x y z+"}},
		{"a=%zz&b=100%&c=%4&d=%41%zz%42", []string{"a=%zz", "b=100%", "c=%4", "d=A%zzB"}},
		{"a&b=&c==", []string{"a=", "b=", "c=="}},
		{"+meetingID=1", []string{"meetingID=1"}},
		{"%00meeting%0aID%20=1&meetingID=2", []string{"meetingID=2"}},
		{"meeting%C2%85ID=1", []string{"meetingID=1"}},
		{"a=%20x%20%0a", []string{"a= x \n"}},
		{"n=J%c3%bcrgen", []string{"n=Jürgen"}},
		{"n=%ff%fe", []string{"n=\xff\xfe"}},
	}
	for _, row := range rows {
		if diff := cmp.Diff(row.want, pairs(ParseQuery(row.raw))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", row.raw, diff)
		}
	}
}

func TestParamsID(t *testing.T) {
	t.Parallel()
	p := ParseQuery("a=+x%20y%0d%0a&b=+%09&c=%c2%a0&d=%00")
	for name, want := range map[string]string{"a": "x y", "b": "", "c": "", "d": "", "missing": ""} {
		if got := p.ID(name); got != want {
			t.Errorf("ID(%s) = %q, want %q", name, got, want)
		}
	}
}

func TestParamsChange(t *testing.T) {
	t.Parallel()
	p := ParseQuery("a=1&b=2&c=3")
	before := p.Clone()
	p.Set("b", "x")
	p.Set(" d ", "4")
	p.Set("\x00", "nothing")
	p.Del("a")
	p.Del("missing")
	if got := p.Encode(); got != "b=x&c=3&d=4" {
		t.Errorf("Encode = %s", got)
	}
	if got := before.Encode(); got != "a=1&b=2&c=3" {
		t.Errorf("the clone changed to %s", got)
	}
	if got := p.Names(); !slices.Equal(got, []string{"b", "c", "d"}) || p.Len() != 3 {
		t.Errorf("Names = %v, Len = %d", got, p.Len())
	}
	if _, ok := p.Lookup("a"); ok {
		t.Error("a is still there")
	}
}

// Beyond some number of parameters they are indexed; nothing else may change.
func TestParamsMany(t *testing.T) {
	t.Parallel()
	var p Params
	for i := range 500 {
		p.Set(fmt.Sprint("k", i), "old")
	}
	for i := range 500 {
		p.Set(fmt.Sprint("k", i), fmt.Sprint(i))
	}
	p.Del("k3")
	q := p.Clone()
	q.Set("k7", "other")
	if p.Len() != 499 || p.Get("k3") != "" || p.Get("k4") != "4" || p.Get("k499") != "499" || p.Get("k7") != "7" {
		t.Errorf("len %d, k3 %q, k4 %q, k499 %q, k7 %q", p.Len(), p.Get("k3"), p.Get("k4"), p.Get("k499"), p.Get("k7"))
	}
	if diff := cmp.Diff(pairs(p), pairs(ParseQuery(p.Encode()))); diff != "" {
		t.Error(diff)
	}
}

func TestJavaEncoding(t *testing.T) {
	t.Parallel()
	// What java.net.URLEncoder.encode(s, UTF_8) returns.
	const in, want = "a b*c~d-e_f.g+h/ü😀\n", "a+b*c%7Ed-e_f.g%2Bh%2F%C3%BC%F0%9F%98%80%0A"
	if got := string(appendJava(nil, in)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=2", "a=%zz&a+=2", "%C2%01%80=x", vectorQuery, "a;b=c&&=&x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p := ParseQuery(raw)
		again := ParseQuery(p.Encode())
		if diff := cmp.Diff(pairs(p), pairs(again)); diff != "" {
			t.Errorf("%q does not survive encoding:\n%s", raw, diff)
		}
		if p.Len() > strings.Count(raw, "&")+1 {
			t.Errorf("%q has %d parameters", raw, p.Len())
		}
		names := p.Names()
		slices.Sort(names)
		if len(slices.Compact(names)) != p.Len() {
			t.Errorf("%q: a name twice in %q", raw, p.Names())
		}
		for name := range p.All() {
			if name != clean(name) || name == "" {
				t.Errorf("%q: name %q is not clean", raw, name)
			}
		}
	})
}
