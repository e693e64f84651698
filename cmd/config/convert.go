package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// A wrong value is told as what is wrong and, after a semicolon, what would be
// right. Values of secrets are never part of it.

// setTOML sets the field to a value as the TOML decoder hands it out.
func (f field) setTOML(v any) error {
	if f.isDuration() {
		return f.setDuration(v)
	}
	switch f.value.Kind() {
	case reflect.String:
		return f.setString(v)
	case reflect.Bool:
		b, ok := v.(bool)
		if !ok {
			return f.wrong(v, "true or false, without quotes")
		}
		f.value.SetBool(b)
	case reflect.Int:
		n, ok := v.(int64)
		if !ok {
			return f.wrong(v, "a whole number like "+f.example("10"))
		}
		f.value.SetInt(n)
	case reflect.Float64:
		return f.setFloat(v)
	case reflect.Slice:
		return f.setList(v)
	case reflect.Map:
		return f.setMap(v)
	default:
		return fmt.Errorf("no key can have the type %s", f.value.Type())
	}
	return nil
}

func (f field) wrong(v any, right string) error {
	return fmt.Errorf("%s; %s", describe(v, f.secret), right)
}

func (f field) setString(v any) error {
	s, ok := v.(string)
	if !ok {
		return f.wrong(v, "text in quotes"+f.like())
	}
	f.value.SetString(s)
	return nil
}

func (f field) setFloat(v any) error {
	switch n := v.(type) {
	case int64:
		f.value.SetFloat(float64(n))
	case float64:
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return f.wrong(v, "a number like "+f.example("1.5"))
		}
		f.value.SetFloat(n)
	default:
		return f.wrong(v, "a number like "+f.example("1.5"))
	}
	return nil
}

func (f field) setDuration(v any) error {
	right := fmt.Sprintf("a duration like %q", "60"+f.unitLetter())
	switch d := v.(type) {
	case string:
		parsed, err := time.ParseDuration(d)
		if err != nil {
			return fmt.Errorf("%q is no duration; %s", d, right)
		}
		f.value.SetInt(int64(parsed))
		return nil
	case int64:
		return fmt.Errorf("%d has no unit; a duration like %q", d, strconv.FormatInt(d, 10)+f.unitLetter())
	}
	return f.wrong(v, right)
}

func (f field) unitLetter() string {
	if f.envUnit == time.Minute {
		return "m"
	}
	return "s"
}

func (f field) setList(v any) error {
	items, ok := v.([]any)
	if !ok {
		return f.wrong(v, "a list"+f.like())
	}
	list := reflect.MakeSlice(f.value.Type(), len(items), len(items))
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			return fmt.Errorf("item %d %s; texts in quotes%s", i+1, describeIs(item, f.secret), f.like())
		}
		list.Index(i).SetString(s)
	}
	f.value.Set(list)
	return nil
}

// setMap takes numbers and booleans as well: create_defaults.record = true.
func (f field) setMap(v any) error {
	table, ok := v.(map[string]any)
	if !ok {
		return f.wrong(v, fmt.Sprintf("a table [%s] with lines like name = \"value\"", f.key()))
	}
	m := reflect.MakeMap(f.value.Type())
	for name, item := range table {
		var text string
		switch x := item.(type) {
		case string:
			text = x
		case bool, int64:
			text = fmt.Sprint(x)
		default:
			return fmt.Errorf("%s %s; text in quotes, a whole number, true or false", name, describeIs(item, f.secret))
		}
		m.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(text))
	}
	f.value.Set(m)
	return nil
}

// describe names a TOML value and its kind, as the begin of a message.
func describe(v any, secret bool) string {
	kind := ""
	switch x := v.(type) {
	case string:
		if !secret {
			return strconv.Quote(clip(x)) + " is text"
		}
		kind = "text"
	case int64, float64:
		if !secret {
			return fmt.Sprint(x) + " is a number"
		}
		kind = "a number"
	case bool:
		return fmt.Sprint(x) + " is a boolean"
	case []any, []map[string]any:
		kind = "a list"
	case map[string]any:
		kind = "a table"
	default:
		kind = "a date or time"
	}
	return "is " + kind
}

// describeIs is describe for a value that has a name before it.
func describeIs(v any, secret bool) string {
	d := describe(v, secret)
	if strings.HasPrefix(d, "is ") {
		return d
	}
	return "= " + d
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "..."
	}
	return s
}

// like is " like EXAMPLE" with the default as the example.
func (f field) like() string {
	ex := f.example("")
	if ex == "" {
		return ""
	}
	return " like " + ex
}

// example is the field's present value, the default, in TOML; or other if it
// is a secret or says nothing.
func (f field) example(other string) string {
	if f.secret || f.value.IsZero() || f.value.Kind() == reflect.Slice && f.value.Len() == 0 {
		if f.value.Kind() == reflect.Slice && other == "" {
			return `["one", "two"]`
		}
		return other
	}
	return tomlValue(f.value.Interface())
}

// setText sets the field to the value of an environment variable.
func (f field) setText(s string) error {
	if f.isDuration() {
		return f.setDurationText(strings.TrimSpace(s))
	}
	switch f.value.Kind() {
	case reflect.String:
		if !f.secret {
			s = strings.TrimSpace(s)
		}
		if f.schedule {
			s = f.scheduleText(s)
		}
		f.value.SetString(s)
	case reflect.Bool:
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "true", "1":
			f.value.SetBool(!f.inverted)
		case "false", "0":
			f.value.SetBool(f.inverted)
		default:
			return fmt.Errorf("%q is no boolean; true or false", clip(s))
		}
	case reflect.Int:
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil {
			return fmt.Errorf("%q is no whole number; one like %s", clip(s), f.example("10"))
		}
		f.value.SetInt(int64(n))
	case reflect.Float64:
		n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Errorf("%q is no number; one like %s", clip(s), f.example("1.5"))
		}
		f.value.SetFloat(n)
	case reflect.Slice:
		f.setListText(s)
	case reflect.Map:
		return f.setMapText(s)
	}
	return nil
}

// scheduleText makes a cron expression of a bare number; anything else is one
// already.
func (f field) scheduleText(s string) string {
	if n, err := strconv.ParseFloat(s, 64); err == nil && n > 0 && n*float64(f.envUnit) < math.MaxInt64 {
		return "@every " + time.Duration(n*float64(f.envUnit)).String()
	}
	return s
}

// setDurationText takes a bare number in the variable's unit, or a duration.
func (f field) setDurationText(s string) error {
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		d := n * float64(f.envUnit)
		if math.IsNaN(d) || math.Abs(d) >= math.MaxInt64 {
			return fmt.Errorf("%q is out of range; a number like 60 or a duration like \"90s\"", clip(s))
		}
		f.value.SetInt(int64(d))
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		unit := "seconds"
		if f.envUnit == time.Minute {
			unit = "minutes"
		}
		return fmt.Errorf("%q is no duration; a number of %s like 60, or a duration like \"90s\"", clip(s), unit)
	}
	f.value.SetInt(int64(d))
	return nil
}

func (f field) setListText(s string) {
	list := reflect.MakeSlice(f.value.Type(), 0, 4)
	for item := range strings.SplitSeq(s, f.envSep) {
		if !f.secret {
			item = strings.TrimSpace(item)
		}
		if strings.TrimSpace(item) != "" {
			list = reflect.Append(list, reflect.ValueOf(item).Convert(f.value.Type().Elem()))
		}
	}
	f.value.Set(list)
}

func (f field) setMapText(s string) error {
	m := reflect.MakeMap(f.value.Type())
	for item := range strings.SplitSeq(s, f.envSep) {
		if strings.TrimSpace(item) == "" {
			continue
		}
		name, value, ok := strings.Cut(item, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return fmt.Errorf("%q has no name and value; write name=value%sname=value", clip(item), f.envSep)
		}
		m.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(strings.TrimSpace(value)))
	}
	f.value.Set(m)
	return nil
}
