package config

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// field is one key of the configuration: a struct field with its tags.
type field struct {
	section string // "web"
	name    string // "listen"
	value   reflect.Value
	env     []string // variables that override it, the first that is set wins
	envUnit time.Duration
	// inverted: the variable means the opposite of the key.
	inverted bool
	// schedule: the key is a cron expression, of which the variable has the
	// interval in envUnit.
	schedule bool
	envSep   string
	doc      string
	secret   bool
}

// key is the full name, "web.listen".
func (f field) key() string { return f.section + "." + f.name }

// fieldsOf returns every key of c in the order of the sections and structs. Its
// values are those of c: setting one changes c.
func fieldsOf(c *Config) []field {
	var fields []field
	root := reflect.ValueOf(c).Elem()
	for i := range root.NumField() {
		section := root.Type().Field(i).Tag.Get("toml")
		sec := root.Field(i)
		for j := range sec.NumField() {
			fields = append(fields, newField(section, sec.Type().Field(j).Tag, sec.Field(j)))
		}
	}
	return fields
}

func newField(section string, tag reflect.StructTag, v reflect.Value) field {
	f := field{
		section: section,
		name:    tag.Get("toml"),
		value:   v,
		envUnit: time.Second,
		envSep:  tag.Get("envsep"),
		doc:     tag.Get("doc"),
		secret:  tag.Get("secret") == "true",

		inverted: tag.Get("inverted") == "true",
		schedule: tag.Get("envunit") != "" && v.Kind() == reflect.String,
	}
	if names := tag.Get("env"); names != "" {
		f.env = strings.Split(names, ",")
	}
	if tag.Get("envunit") == "m" {
		f.envUnit = time.Minute
	}
	if f.envSep == "" {
		f.envSep = ","
	}
	return f
}

// sectionNames returns the names of the sections in their order.
func sectionNames() []string {
	var names []string
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("toml"))
	}
	return names
}

// find returns the field of section with that name.
func find(fields []field, section, name string) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return f.section == section && f.name == name })
	if i < 0 {
		return field{}, false
	}
	return fields[i], true
}

var durationType = reflect.TypeFor[time.Duration]()

// isDuration tells a duration from other integers.
func (f field) isDuration() bool { return f.value.Type() == durationType }
