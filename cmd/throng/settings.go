package main

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"throng/server"
)

// newSettings gives the server's options, holding their defaults, and a pointer to the
// same memory seen as a struct whose fields carry the tags of kong, made from
// server.Settings. Go converts between structs that differ in tags only, so there is
// no second list of options to keep in step.
func newSettings() (o *server.Options, tagged any) {
	rows := map[string]server.Setting{}
	for _, s := range server.Settings() {
		rows[s.Field] = s
	}
	d := server.Defaults()
	defaults := reflect.ValueOf(d)
	var fields []reflect.StructField
	for f := range reflect.TypeFor[server.Options]().Fields() {
		f.Tag = `kong:"-"` // a field without a row keeps its default; the table's test complains
		if s, known := rows[f.Name]; known {
			f.Tag = reflect.StructTag(fmt.Sprintf(`name:%q group:%q help:%q default:%q type:"setting"`,
				s.Name, s.Group, s.Help, settingText(s, defaults.FieldByName(f.Name).Interface())))
		}
		fields = append(fields, reflect.StructField{Name: f.Name, Type: f.Type, Tag: f.Tag})
	}
	p := reflect.New(reflect.StructOf(fields))
	o = p.Convert(reflect.TypeFor[*server.Options]()).Interface().(*server.Options)
	*o = d
	return o, p.Interface()
}

// settingMapper reads one of the server's options from a flag, a variable or a file's
// value. It knows the types of server.Options, and no others.
type settingMapper struct{}

// Decode implements kong.Mapper.
func (settingMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("value")
	if err != nil {
		return err
	}
	list, isList := token.Value.([]string)
	if target.Kind() == reflect.Slice {
		if !isList {
			list = strings.FieldsFunc(fmt.Sprint(token.Value), func(r rune) bool { return r == ',' || r == ' ' })
		}
		target.Set(reflect.AppendSlice(target, reflect.ValueOf(list)))
		return nil
	}
	text := strings.TrimSpace(fmt.Sprint(token.Value))
	if isList || setText(target, text) != nil {
		return fmt.Errorf("%q is refused; accepted: %s", text, accepts(ctx.Value.Name))
	}
	return nil
}

func setText(target reflect.Value, text string) error {
	switch {
	case target.Type() == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(text)
		target.SetInt(int64(d))
		return err
	case target.Kind() == reflect.String:
		target.SetString(text)
		return nil
	default:
		n, err := parseCount(text)
		target.SetInt(n)
		return err
	}
}

// accepts says what an option takes, in words.
func accepts(name string) string {
	for _, s := range server.Settings() {
		if s.Name != name {
			continue
		}
		if s.Bytes() {
			return s.Accepts + ", in bytes, or as 64KiB, 1MiB, 2GiB"
		}
		return s.Accepts
	}
	return ""
}

// units are the suffixes of sizes, largest first.
var units = []struct {
	suffix string
	shift  uint
}{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}

// parseCount reads 65536 and 64KiB.
func parseCount(text string) (int64, error) {
	shift := uint(0)
	for _, u := range units {
		if digits, found := strings.CutSuffix(text, u.suffix); found {
			text, shift = digits, u.shift
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && n<<shift>>shift != n {
		err = strconv.ErrRange
	}
	return n << shift, err
}

// settingText writes a value as parse reads it, and as people do.
func settingText(s server.Setting, v any) string {
	switch v := v.(type) {
	case time.Duration:
		return server.DurationText(v)
	case []string:
		return strings.Join(v, ",")
	case string:
		return v
	}
	n := reflect.ValueOf(v).Int()
	if s.Bytes() {
		for _, u := range units {
			if n != 0 && n%(1<<u.shift) == 0 {
				return strconv.FormatInt(n>>u.shift, 10) + u.suffix
			}
		}
	}
	return strconv.FormatInt(n, 10)
}

// changed names the options in which a and b differ.
func changed(a, b *server.Options) (names []string) {
	va, vb := reflect.ValueOf(*a), reflect.ValueOf(*b)
	for _, s := range server.Settings() {
		if !reflect.DeepEqual(va.FieldByName(s.Field).Interface(), vb.FieldByName(s.Field).Interface()) {
			names = append(names, s.Name)
		}
	}
	return names
}
