package api

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"archipel/directory"
)

// TestEveryFieldIsDecided fails when a field of an entry is new and nobody has said who decides it.
func TestEveryFieldIsDecided(t *testing.T) {
	byServer := map[string]bool{"ID": true, "Slug": true, "Aliases": true, "Source": true, "Origin": true, "Status": true, "MergedInto": true, "Version": true, "Created": true, "Updated": true, "Checked": true, "Claimed": true, "Fediverse": true, "Private": true}
	for f := range reflect.TypeFor[directory.Entry]().Fields() {
		if (given[f.Name] != nil) == byServer[f.Name] {
			t.Errorf("%s: by the writer %v, by the server %v: want one of them", f.Name, given[f.Name] != nil, byServer[f.Name])
		}
	}
	for name := range given {
		if _, ok := reflect.TypeFor[directory.Entry]().FieldByName(name); !ok {
			t.Errorf("%s is no field", name)
		}
	}
	// Each copies its field and no other.
	for name, f := range given {
		src := directory.Entry{}
		v := reflect.ValueOf(&src).Elem()
		for i := range v.NumField() {
			fillValue(v.Field(i))
		}
		dst := directory.Entry{}
		f(&dst, &src)
		d := reflect.ValueOf(dst)
		for i := range d.NumField() {
			if changed := !d.Field(i).IsZero(); changed != (d.Type().Field(i).Name == name) {
				t.Errorf("%s copies %s: %v", name, d.Type().Field(i).Name, changed)
			}
		}
	}
}

// TestServerProperties holds the names of the API to the table.
func TestServerProperties(t *testing.T) {
	for f := range reflect.TypeFor[directory.Entry]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if got := slices.Contains(decidedByServer, name); got == (given[f.Name] != nil) {
			t.Errorf("%s: decided by the server %v", name, got)
		}
	}
}

func fillValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	}
}
