package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"throng/bench"
)

// benchSettings are the texts of bench.Settings as flags and environment have them, in a
// struct whose fields carry the tags of kong: there is no second list of them.
type benchSettings struct {
	texts reflect.Value
}

// newBenchSettings makes the struct and gives a pointer to it to kong.
func newBenchSettings() (s benchSettings, tagged any) {
	var fields []reflect.StructField
	for i, row := range bench.Settings() {
		t := reflect.TypeFor[string]()
		if row.Repeats {
			t = reflect.TypeFor[[]string]()
		}
		env := "THRONG_BENCH_" + strings.ToUpper(strings.ReplaceAll(row.Name, "-", "_"))
		fields = append(fields, reflect.StructField{Name: fmt.Sprint("S", i), Type: t, Tag: reflect.StructTag(fmt.Sprintf(
			`name:%q group:%q help:%q env:%q placeholder:"…" sep:"none"`, row.Name, row.Group, row.Help+" Accepted: "+row.Accepts+".", env))})
	}
	p := reflect.New(reflect.StructOf(fields))
	return benchSettings{p.Elem()}, p.Interface()
}

// read sets what was given.
func (s benchSettings) read(o *bench.Options) error {
	var all []error
	for i, row := range bench.Settings() {
		var given []string
		switch v := s.texts.Field(i).Interface().(type) {
		case []string:
			given = v
		case string:
			if v != "" {
				given = []string{v}
			}
		}
		for _, text := range given {
			all = append(all, row.Set(o, text))
		}
	}
	return errors.Join(all...)
}
