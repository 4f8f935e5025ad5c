package main

import (
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"
)

// Two square countries that share a border, one of them across the antimeridian.
const twoCountries = `{"type":"Topology","transform":{"scale":[1,1],"translate":[0,0]},
"arcs":[[[170,0],[0,10]],[[170,10],[-10,0],[0,-10],[10,0]],[[170,10],[10,0],[-355,0],[0,-10],[355,0],[-10,0]]],
"objects":{
"land":{"type":"GeometryCollection","geometries":[{"type":"MultiPolygon","arcs":[[[1,2]]]}]},
"countries":{"type":"GeometryCollection","geometries":[
{"type":"Polygon","id":"250","arcs":[[0,1]]},{"type":"Polygon","id":"276","arcs":[[2,0]]},{"type":null}]}}}`

func TestTopology(t *testing.T) {
	topo, err := parseTopology([]byte(strings.Replace(twoCountries, `{"type":null}`, `{}`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	w, err := topo.world(10)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{0}; !reflect.DeepEqual(w.borders, want) {
		t.Errorf("borders are %v, want %v", w.borders, want)
	}
	for _, arc := range w.arcs {
		for i := 1; i < len(arc); i++ {
			if d := arc[i][0] - arc[i-1][0]; d > 512 || d < -512 {
				t.Errorf("arc %v jumps over the world", arc)
			}
		}
	}
	if b := w.encode(); b[0] != 10 || len(b) < 30 {
		t.Errorf("encoded as %v", b)
	}
	for _, bad := range []string{"", "{}", `{"type":"Topology"}`, `[1]`} {
		if _, err := parseTopology([]byte(bad)); err == nil {
			t.Errorf("%q was taken for a topology", bad)
		}
	}
}

func TestShapefile(t *testing.T) {
	record := binary.LittleEndian.AppendUint32(nil, 3)
	record = append(record, make([]byte, 32)...)
	record = binary.LittleEndian.AppendUint32(record, 1)
	record = binary.LittleEndian.AppendUint32(record, 2)
	record = binary.LittleEndian.AppendUint32(record, 0)
	for _, v := range []float64{4, 45, 5, 46} {
		record = binary.LittleEndian.AppendUint64(record, math.Float64bits(v))
	}
	file := make([]byte, 100)
	binary.BigEndian.PutUint32(file, 9994)
	file = binary.BigEndian.AppendUint32(file, 1)
	file = binary.BigEndian.AppendUint32(file, uint32(len(record)/2))
	file = append(file, record...)
	got, err := parseShapefile(file)
	if want := []shape{{{{4, 45}, {5, 46}}}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for n := 0; n < len(file); n++ {
		if n == 100 {
			continue // no records at all
		}
		if _, err := parseShapefile(file[:n]); err == nil {
			t.Errorf("a file cut after %d bytes was read", n)
		}
	}
}

func TestTowns(t *testing.T) {
	row := func(name, code, country, lat, lon, people string) string {
		return strings.Join([]string{"1", name, "", "", lat, lon, "P", code, country, "", "", "", "", "", people, "", "", "", ""}, "\t")
	}
	towns := []town{}
	for _, line := range []string{
		row("Grande", "PPLA", "FR", "45", "4", "200000"), row("Proche", "PPL", "FR", "45.001", "4.001", "90000"),
		row("Loin", "PPL", "FR", "44", "2", "800"),
	} {
		got, err := parseRows([]byte(line))
		if err != nil || len(got) != 1 {
			t.Fatal(err, got)
		}
		towns = append(towns, got...)
	}
	rankTowns(towns)
	zoom := map[string]int{}
	for _, town := range towns {
		zoom[town.name] = town.minZoom
	}
	if zoom["Grande"] != 5 || zoom["Proche"] != 11 || zoom["Loin"] != 10 {
		t.Errorf("first zooms are %v", zoom)
	}
	for name, line := range map[string]string{
		"a quarter": row("Q", "PPLX", "FR", "45", "4", "5000"), "a hamlet abroad": row("H", "PPL", "DE", "45", "4", "700"),
	} {
		if got, err := parseRows([]byte(line)); err != nil || len(got) != 0 {
			t.Errorf("%s was kept: %v, %v", name, got, err)
		}
	}
	for _, bad := range []string{"x", row("B", "PPL", "FR", "x", "4", "5"), row("B", "PPL", "FR", "4", "4", "many")} {
		if _, err := parseRows([]byte(bad)); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := nameInFrench(towns); err == nil {
		t.Error("exonyms without their towns were accepted")
	}
}

func TestSimplify(t *testing.T) {
	line := [][2]int{{0, 0}, {5, 0}, {10, 1}, {10, 10}, {0, 10}, {0, 0}}
	got := simplify(line, 1.1)
	if want := [][2]int{{0, 0}, {10, 1}, {10, 10}, {0, 10}, {0, 0}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
