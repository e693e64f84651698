package config

import "reflect"

// Reload reads the configuration again, from where Load would look now, and
// names the keys whose values differ, in the order of the sections. On an error
// l stays as it is.
func (l *Loaded) Reload() (next *Loaded, changed []string, err error) {
	o := l.options
	o.FileSystems = false // directories do not change while the program runs
	next, err = Load(o)
	if err != nil {
		return nil, nil, err
	}
	was, is := l.Config, next.Config
	before, after := fieldsOf(&was), fieldsOf(&is)
	for i, f := range before {
		if !reflect.DeepEqual(f.plain(true), after[i].plain(true)) {
			changed = append(changed, f.key())
		}
	}
	return next, changed, nil
}
