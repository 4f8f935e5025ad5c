package gazdata

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"Saint-Étienne": "saint etienne", "Loos-en-Gohelle": "loos en gohelle", "L'Haÿ-les-Roses": "l hay les roses", "L’Haÿ": "l hay",
		"  A  b ": "a b", "Œuilly": "oeuilly", "Straße": "strasse", "Łódź": "lodz", "København": "kobenhavn", "E\u0301vry": "evry",
		"ＰＡＲＩＳ": "paris", "Αθήνα": "αθηνα", "Москва": "москва", "東京": "東京", "서울": "서울", "İstanbul": "istanbul", "Ağrı": "agri",
		"": "", "--": "", "\xff\xfe": "", "a\xffb": "a b", "🏡": "", "\u202eabc": "abc", "Ĳ": "ij", "ﬁ": "fi", "St. Étienne (42)": "st etienne 42",
	} {
		if got := Fold(in); got != want {
			t.Errorf("Fold(%q): got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"st etienne": "saint etienne", "ste foy": "sainte foy", "stains": "stains", "le st": "le saint", "": ""} {
		if got := ExpandSaint(in); got != want {
			t.Errorf("ExpandSaint(%q): got %q, want %q", in, got, want)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Saint-Étienne", "\xff", "İ", "ﷺ", "Ǆ", "가", "ẛ̣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Fold(s)
		if !utf8.ValidString(got) || strings.Contains(got, "  ") || strings.TrimSpace(got) != got {
			t.Errorf("Fold(%q): got %q", s, got)
		}
		if again := Fold(got); again != got {
			t.Errorf("Fold(%q): got %q, and folded again %q", s, got, again)
		}
		if x := ExpandSaint(got); ExpandSaint(x) != x {
			t.Errorf("ExpandSaint(%q) changes again", got)
		}
	})
}

func sample() ([]Zone, []Place) {
	zones := []Zone{
		{Code: "FR", Number: "FR", Kind: Country, Parent: -1, Pop: 68e6, Names: []Name{{"fr", "France"}, {"de", "Frankreich"}}, Box: [4]float64{-5, 41, 10, 51}},
		{Code: "FR-42", Number: "42", Kind: Departement, Parent: 0, Names: []Name{{"fr", "Loire"}}, Box: [4]float64{3.7, 45.2, 4.8, 46.3}},
	}
	places := []Place{
		{Zone: 0, ID: 7, Lon: 2.35, Lat: 48.85, Pop: 2e6, Kind: Town, Radius: 9000, Parent: -1, Names: []string{"Paname", "Paris"}, NameFR: 1},
		{Zone: 1, ID: 2980291, Insee: "42218", Lon: 4.39, Lat: 45.43389, Pop: 172565, Kind: Commune, Radius: 5300, Parent: -1,
			Names: []string{"Saint-Étienne", "Armes-Ville"}, Post: []uint32{42000, 42100}},
		{Zone: 1, Insee: "42218", Lon: -4.39, Lat: -45.43389, Kind: Village, Approx: true, Radius: 4000, Parent: 1, Names: []string{"Terrenoire"}},
	}
	return zones, places
}

func TestEncodeDecode(t *testing.T) {
	zones, places := sample()
	var a, b bytes.Buffer
	if err := Encode(&a, zones, places); err != nil {
		t.Fatal(err)
	}
	if err := Encode(&b, zones, places); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("the same input must give the same bytes (%v)", err)
	}
	d, err := Decode(&a)
	if err != nil {
		t.Fatal(err)
	}
	if d.Places() != 3 || len(d.Zones) != 2 || d.Zones[1].Parent != 0 || d.Zones[0].Names[1] != zones[0].Names[1] || d.Zones[1].Box != zones[1].Box {
		t.Errorf("zones: got %+v", d.Zones)
	}
	if d.Lat[2] != -4543389 || d.Lon[2] != -439000 || d.ID[1] != 2980291 || InseeText(d.Insee[1]) != "42218" || d.Pop[1] != 172565 || !d.Approx[2] ||
		d.Kind[2] != Village || d.Parent[2] != 2 || d.Radius[1] != 53 || d.NameFR[0] != 1 || d.PostStart[1] != 0 || d.PostStart[2] != 2 || d.PostCode[1] != 42100 {
		t.Errorf("places: got %+v", d)
	}
	var keys []string
	for k := range d.KeyName {
		keys = append(keys, string(d.Key(k)))
	}
	if got := strings.Join(keys, ","); got != "armes ville,etienne,france,frankreich,loire,paname,paris,saint etienne,terrenoire" {
		t.Errorf("keys: got %s", got)
	}
	for prefix, want := range map[string]int{"": 9, "p": 2, "pa": 2, "par": 1, "saint etienne": 1, "saint etiennee": 0, "z": 0, "a": 1} {
		if lo, hi := d.PrefixRange(0, len(keys), []byte(prefix), 0); hi-lo != want {
			t.Errorf("prefix %q: got %d keys, want %d", prefix, hi-lo, want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	zones, places := sample()
	places[1].Insee = "4221"
	if err := Encode(io.Discard, zones, places); err == nil {
		t.Error("a short commune code: want an error")
	}
	zones, places = sample()
	places[0].NameFR = 2
	if err := Encode(io.Discard, zones, places); err == nil {
		t.Error("a French name that is not there: want an error")
	}
}

// TestEmbeddedOrder checks the committed file: its keys must be in the order of the
// present folding, or nothing would be found. Rebuild it with scripts/gazetteer/build.sh otherwise.
func TestEmbeddedOrder(t *testing.T) {
	f, err := os.Open("../data/gazetteer.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	for k := 1; k < len(d.KeyName); k++ {
		if bytes.Compare(d.Key(k-1), d.Key(k)) > 0 {
			t.Fatalf("key %d: %q comes before %q", k, d.Key(k-1), d.Key(k))
		}
	}
	if d.Places() < 200_000 || len(d.KeyName) < 300_000 {
		t.Errorf("%d places, %d keys", d.Places(), len(d.KeyName))
	}
}

func TestDecodeRefuses(t *testing.T) {
	zones, places := sample()
	var good bytes.Buffer
	if err := Encode(&good, zones, places); err != nil {
		t.Fatal(err)
	}
	raw := unpack(t, good.Bytes())
	for n := range len(raw) {
		if _, err := decode(raw[:n]); !errors.Is(err, ErrFormat) {
			t.Fatalf("the first %d bytes: got %v", n, err)
		}
	}
	for name, b := range map[string][]byte{"nothing": nil, "not gzip": []byte("hello"), "cut": good.Bytes()[:good.Len()-20]} {
		if _, err := Decode(bytes.NewReader(b)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func unpack(t interface{ Fatal(...any) }, b []byte) []byte {
	zr, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func FuzzDecode(f *testing.F) {
	zones, places := sample()
	var good bytes.Buffer
	if err := Encode(&good, zones, places); err != nil {
		f.Fatal(err)
	}
	f.Add(unpack(f, good.Bytes()))
	f.Add([]byte(magic))
	zones[0].Names = append(zones[0].Names, Name{"en", "\ufdfa\xff st ste l'a\u0301"})
	places[1].Names[0], places[1].Post = "", []uint32{1<<32 - 1, 0, 7}
	good.Reset()
	if err := Encode(&good, zones, places); err != nil {
		f.Fatal(err)
	}
	f.Add(unpack(f, good.Bytes()))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decode(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		for k := range d.KeyName {
			d.Key(k)
			d.Before(k)
			d.IsWord(k)
		}
		d.PrefixRange(0, len(d.KeyName), []byte("sa"), 0)
	})
}
