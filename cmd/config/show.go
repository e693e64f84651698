package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// Entry is one key with its effective value.
type Entry struct {
	Key string `json:"key"`
	// Value is a string, bool, int, float64, []string or map[string]string;
	// durations are text like "15m".
	Value  any    `json:"value"`
	Source string `json:"source"` // as Loaded.Source
	Doc    string `json:"-"`
}

// Entries returns every key in the order of the sections. Secrets are masked
// unless secrets is set.
func (l *Loaded) Entries(secrets bool) []Entry {
	c := l.Config
	var entries []Entry
	for _, f := range fieldsOf(&c) {
		entries = append(entries, Entry{
			Key:    f.key(),
			Value:  f.plain(secrets),
			Source: l.Source(f.key()),
			Doc:    f.doc,
		})
	}
	return entries
}

// Text is the value as config.toml would have it, on one line.
func (e Entry) Text() string { return tomlValue(e.Value) }

// plain is the field's value in the types of Entry.Value.
func (f field) plain(secrets bool) any {
	switch v := f.value.Interface().(type) {
	case time.Duration:
		return durationText(v)
	case map[string]string:
		if v == nil {
			return map[string]string{}
		}
		return v
	}
	switch f.value.Kind() {
	case reflect.Slice:
		list := make([]string, f.value.Len())
		for i := range list {
			list[i] = f.shown(f.value.Index(i).String(), secrets)
		}
		return list
	case reflect.String:
		return f.shown(f.value.String(), secrets)
	}
	return f.value.Interface()
}

func (f field) shown(s string, secrets bool) string {
	if f.secret && !secrets && s != "" {
		return mask
	}
	return s
}

// secrets are the values of a field that holds secrets.
func (f field) secrets() []string {
	if f.value.Kind() != reflect.Slice {
		return []string{f.value.String()}
	}
	list := make([]string, f.value.Len())
	for i := range list {
		list[i] = f.value.Index(i).String()
	}
	return list
}

// durationText is d without the zero units that time.Duration prints.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// TOML returns a file that gives the same configuration: a key that nobody set
// is commented out, unless its default is another one where there is a file.
// With secrets masked it cannot be loaded.
func (l *Loaded) TOML(secrets bool) string {
	var b strings.Builder
	c, withFile := l.Config, Default()
	fields, defaults := fieldsOf(&c), fieldsOf(&withFile)
	for _, section := range sectionNames() {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "[%s]\n", section)
		var tables strings.Builder
		for i, f := range fields {
			if f.section != section {
				continue
			}
			if !l.IsSet(f.key()) && reflect.DeepEqual(f.plain(true), defaults[i].plain(true)) {
				fmt.Fprintf(&b, "#%s = %s\n", f.name, tomlValue(f.plain(secrets)))
				continue
			}
			if m, ok := f.plain(secrets).(map[string]string); ok {
				fmt.Fprintf(&tables, "\n[%s]\n", f.key())
				for _, name := range slices.Sorted(maps.Keys(m)) {
					tables.WriteString(tomlLine(name, m[name]))
				}
				continue
			}
			b.WriteString(tomlLine(f.name, f.plain(secrets)))
		}
		b.WriteString(tables.String())
	}
	return b.String()
}

// tomlLine is "name = value" with what must be quoted quoted.
func tomlLine(name string, v any) string {
	line, err := toml.Marshal(map[string]any{name: v})
	if err != nil {
		return fmt.Sprintf("# %s cannot be written: %v\n", name, err)
	}
	return string(line)
}

// tomlValue is a value as TOML has it, on one line.
func tomlValue(v any) string {
	switch x := v.(type) {
	case time.Duration:
		v = durationText(x)
	case map[string]string:
		parts := make([]string, 0, len(x))
		for _, name := range slices.Sorted(maps.Keys(x)) {
			parts = append(parts, strings.TrimSuffix(tomlLine(name, x[name]), "\n"))
		}
		if len(parts) == 0 {
			return "{}"
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	}
	_, value, _ := strings.Cut(tomlLine("v", v), "= ")
	return strings.TrimSuffix(value, "\n")
}
