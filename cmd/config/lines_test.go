package config

import (
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

func TestLinesOfKeys(t *testing.T) {
	t.Parallel()
	got := indexLines(`# comment = 1
top = """
a = 1
[not.a.table]
""" # after
[web]   # comment
listen = "#[x]"
'quoted key' = 'it = 1'
secrets = [ # one
  "a]", """
b = 2
""", '''c''',
  { inner = 1 },
]
a.b."c.d" = { x = 1, y = { z = [
  1 ] } }

[ balancer . "create_defaults" ]
  welcome = "\"\\"
[[list]]
item = 1
[[list]]
item = 2
`)
	want := lineIndex{
		"top": 2, "web": 6, "web\x00listen": 7, "web\x00quoted key": 8, "web\x00secrets": 9,
		"web\x00a": 15, "web\x00a\x00b": 15, "web\x00a\x00b\x00c.d": 15, "web\x00a\x00b\x00c.d\x00x": 15,
		"web\x00a\x00b\x00c.d\x00y": 15, "web\x00a\x00b\x00c.d\x00y\x00z": 15,
		"balancer\x00create_defaults": 18, "balancer\x00create_defaults\x00welcome": 19,
		"list": 20, "list\x00item": 21,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Of every valid file, each key that the decoder sees outside of lists is
// found, on a line that it stands on.
func FuzzLines(f *testing.F) {
	for _, s := range []string{
		"a=1\n[b]\nc.d='x'", "a=\"\"\"\nb=1\n\\\"\"\"\"\"\"\n[c]\nd=[1,[2,\n3]]", "a={b={c=1},d=[{e=1}]}\nf=1",
		"[[a]]\nb=1\r\n[a.c]\nd=2", "a='''x'''''\nb=1", "\"a\\u0041\"=1\n''=2", "a=[\n#]\n]\nb=1", "a=\"\\\n", "a={\nb=1,\n#}\n}\nc=2",
		"a = 1979-05-27 07:32:00\nb=-inf", strings.Repeat("[", 200), "a=" + strings.Repeat("[", 100), "a=" + strings.Repeat("{a=", 80),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		index := indexLines(src)
		lines := strings.Split(src, "\n")
		for key, line := range index {
			if line < 1 || line > len(lines) {
				t.Errorf("%q at line %d of %d", key, line, len(lines))
			}
		}
		var tree map[string]any
		md, err := toml.Decode(src, &tree)
		if err != nil {
			return
		}
		for _, key := range md.Keys() {
			last := key[len(key)-1]
			if !plainPath(key) || inList(tree, key) {
				continue
			}
			line, ok := index[pathKey(key)]
			if !ok {
				t.Errorf("%q is not found in %q", key, src)
			} else if !strings.Contains(lines[line-1], last) && !strings.Contains(lines[line-1], `\`) {
				t.Errorf("%q is not on line %d of %q", key, line, src)
			}
		}
	})
}

// plainPath tells whether no part of the key can have been written with escapes.
func plainPath(key toml.Key) bool {
	for _, part := range key {
		for _, r := range part {
			if r >= 0x7f || !isBareKey(byte(r)) {
				return false
			}
		}
		if part == "" {
			return false
		}
	}
	return len(key) < maxNesting/2
}

// inList tells whether the key lies in a list, where none is looked for.
func inList(tree map[string]any, key toml.Key) bool {
	var at any = tree
	for _, part := range key {
		table, ok := at.(map[string]any)
		if !ok {
			return true
		}
		at = table[part]
	}
	return false
}
