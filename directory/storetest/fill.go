package storetest

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"archipel/directory"

	"github.com/paulmach/orb"
)

func pointsOf(lonlat ...float64) []orb.Point {
	var out []orb.Point
	for i := 0; i < len(lonlat); i += 2 {
		out = append(out, orb.Point{lonlat[i], lonlat[i+1]})
	}
	return out
}

// Full returns an entry in which every field, however deep, has a value of its own. It finds the fields by reflection,
// so a field that somebody adds to [directory.Entry] is covered the day it is added.
func Full(t testing.TB) directory.Entry {
	t.Helper()
	var e directory.Entry
	f := filler{t: t}
	f.fill(reflect.ValueOf(&e).Elem(), "Entry")
	e.Version = 0
	return e
}

type filler struct {
	t testing.TB
	n int
}

func (f *filler) fill(v reflect.Value, path string) {
	f.n++
	switch v.Interface().(type) {
	case directory.ID:
		v.SetString(string(directory.NewID()))
		return
	case time.Time:
		v.Set(reflect.ValueOf(epoch.Add(time.Duration(f.n) * 3_601_007 * time.Millisecond)))
		return
	case orb.Point:
		v.Set(reflect.ValueOf(orb.Point{float64(f.n%340) - 170 + 0.1234567, float64(f.n%160) - 80 + 1.0/3}))
		return
	case directory.Shape:
		v.Set(reflect.ValueOf(directory.Shape{Geometry: orb.MultiPolygon{
			{{{4, 45}, {5, 45}, {5, 46}, {4, 46}, {4, 45}}, {{4.25, 45.25}, {4.25, 45.5}, {4.5, 45.5}, {4.25, 45.25}}},
			{{{-1, -1}, {0, -1}, {0, 0.5}, {-1, -1}}}}}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("Été %d à l’île, \"日本\" 🌻", f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(1_000_000 + f.n))
	case reflect.Uint, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(1_000_000 + f.n))
	case reflect.Float64:
		v.SetFloat(float64(f.n) + 1.0/3)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), path)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			f.fill(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, key := range []string{"plain", "with.dot", "$dollar", "100%", "%2E", "é ", ""} {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			k.SetString(key)
			f.fill(e, path+"["+key+"]")
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				f.t.Fatalf("%s.%s is not exported: no store can keep it", path, v.Type().Field(i).Name)
			}
			f.fill(v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	default:
		f.t.Fatalf("%s: teach storetest to fill a %s", path, v.Type())
	}
}

// Diff names the first difference between two values, or is empty. Times are equal when they are the same instant to
// the millisecond; everything else must be exactly the same, nil and empty apart.
func Diff(got, want any) string { return diff(reflect.ValueOf(got), reflect.ValueOf(want), "") }

func diff(got, want reflect.Value, path string) string {
	if !got.IsValid() || !want.IsValid() || got.Type() != want.Type() {
		if got.IsValid() == want.IsValid() && !got.IsValid() {
			return ""
		}
		return fmt.Sprintf("%s: got %v, want %v", path, got, want)
	}
	if t, ok := got.Interface().(time.Time); ok {
		if w := want.Interface().(time.Time); !t.Truncate(time.Millisecond).Equal(w.Truncate(time.Millisecond)) {
			return fmt.Sprintf("%s: got %v, want %v", path, t, w)
		}
		return ""
	}
	switch got.Kind() {
	case reflect.Struct:
		for i := range got.NumField() {
			if d := diff(got.Field(i), want.Field(i), path+"."+got.Type().Field(i).Name); d != "" {
				return d
			}
		}
		return ""
	case reflect.Pointer, reflect.Interface:
		if got.IsNil() || want.IsNil() {
			if got.IsNil() != want.IsNil() {
				return fmt.Sprintf("%s: got %v, want %v", path, got, want)
			}
			return ""
		}
		return diff(got.Elem(), want.Elem(), path)
	case reflect.Slice, reflect.Array:
		if got.Len() != want.Len() || got.Kind() == reflect.Slice && got.IsNil() != want.IsNil() {
			return fmt.Sprintf("%s: got %#v, want %#v", path, got, want)
		}
		for i := range got.Len() {
			if d := diff(got.Index(i), want.Index(i), fmt.Sprintf("%s[%d]", path, i)); d != "" {
				return d
			}
		}
		return ""
	case reflect.Map:
		if got.Len() != want.Len() || got.IsNil() != want.IsNil() {
			return fmt.Sprintf("%s: got %v, want %v", path, got, want)
		}
		for _, k := range want.MapKeys() {
			if d := diff(got.MapIndex(k), want.MapIndex(k), fmt.Sprintf("%s[%v]", path, k)); d != "" {
				return d
			}
		}
		return ""
	}
	if got.Interface() != want.Interface() {
		return fmt.Sprintf("%s: got %#v, want %#v", path, got, want)
	}
	return ""
}

var nan = math.NaN()

// longText is 1 MB, and does not compress into nothing.
func longText() string {
	var b strings.Builder
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "ligne %d: à %x\n", i, i*i*2654435761)
	}
	return b.String()
}
