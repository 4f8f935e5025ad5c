package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"archipel/directory"
)

func TestImportOfAFile(t *testing.T) {
	file, err := os.ReadFile("testdata/tiers-lieux.csv")
	if err != nil {
		t.Fatal(err)
	}
	d := newDirectory(t)
	o := ImportOptions{
		Source: "CGET 2019", Licence: "Licence Ouverte", Lang: "fr", Kind: directory.Place,
		Categories: labels{"tiers lieux a dominante coworking": "coworking"},
	}
	r := mustImport(t, d, string(file), o)
	counts(t, r, 4, 0, 0, 0)
	if got := r.Unused(); len(got) != 1 || got[0].Name != "PRECISION" || got[0].Filled != 3 {
		t.Errorf("columns not used: got %+v, want PRECISION with 3 values", got)
	}
	if got := r.Unmatched["Tiers lieux à dominante fablab"]; got != 2 {
		t.Errorf("unmatched: got %v, want 2 fablabs", r.Unmatched)
	}
	entries := all(t, d)
	e := entries["Le Grand Établi"]
	want := directory.Entry{
		ID: e.ID, Version: e.Version, Created: e.Created, Updated: e.Updated, Slug: "le-grand-etabli",
		Kind: directory.Place, Name: "Le Grand Établi", Lang: "fr", Categories: []string{"coworking"}, Sites: []orb.Point{{4.3872, 45.4397}},
		Address: &directory.Address{Street: "9 Rue du Petit Pont", PostalCode: "42000", Locality: "Saint-Étienne", Region: "Auvergne-Rhône-Alpes", Code: "42218"},
		Contact: &directory.Contact{Website: "https://www.grand-etabli.example"}, Licence: "etalab-2.0",
		Source: &directory.Source{Name: "CGET 2019", ExternalID: "1"}, Status: directory.Published,
	}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("got  %+v\nwant %+v", e, want)
	}
	e = entries["L'Atelier du 9"]
	if want := []directory.Link{{Rel: "twitter", URL: "https://twitter.com/atelier_9"}, {Rel: "facebook", URL: "https://www.facebook.com/groups/atelier.9"}}; !reflect.DeepEqual(e.Links, want) {
		t.Errorf("links: got %v, want %v", e.Links, want)
	}
	if want := []string{"Tiers lieux à dominante fablab"}; !reflect.DeepEqual(e.Tags, want) {
		t.Errorf("tags: got %v, want %v", e.Tags, want)
	}
	e = entries["La Fabrique"]
	if e.Contact != nil || e.Address.Code != "" || !has(r.Warnings, CodeDropped, "website") {
		t.Errorf("a website that is none must be left out and reported: %+v, %v", e.Contact, r.Warnings)
	}
	e = entries[`Chez "Mémé"`]
	if e.Contact == nil || e.Contact.Email != "bonjour@meme.example" || len(e.Links) != 1 || e.Links[0].Rel != "instagram" {
		t.Errorf("got contact %+v and links %v, want the mail address and Instagram", e.Contact, e.Links)
	}

	head := d.Head()
	counts(t, mustImport(t, d, string(file), o), 0, 0, 4, 0)
	if d.Head() != head {
		t.Errorf("importing the same file again wrote %d changes", d.Head()-head)
	}
	changed := strings.Replace(string(file), "9 Rue du Moulin,", "11 Rue du Moulin,", 1)
	counts(t, mustImport(t, d, changed, o), 0, 1, 3, 0)
	if got := all(t, d)["L'Atelier du 9"].Address.Street; got != "11 Rue du Moulin" {
		t.Errorf("street: got %q, want the new one", got)
	}
}

func TestEncodingsAndSeparators(t *testing.T) {
	const comma = "id,nom,ville,lat,lon\n1,Café d'Été,Saint-Étienne,45.4,4.4\n2,\"Œuvre, et plus\",Le Puÿ,45.5,4.5\n"
	semicolon := "id;nom;ville;lat;lon\r\n1;Café d'Été;Saint-Étienne;45,4;4,4\r\n2;Œuvre, et plus;Le Puÿ;45,5;4,5\r\n"
	latin, err := charmap.Windows1252.NewEncoder().String(semicolon)
	if err != nil {
		t.Fatal(err)
	}
	utf16 := func(order unicode.Endianness) string {
		s, err := unicode.UTF16(order, unicode.UseBOM).NewEncoder().String(comma)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tests := map[string]struct{ file, encoding, separator string }{
		"UTF-8":                     {comma, "utf-8", "comma"},
		"UTF-8 with BOM":            {"\ufeff" + comma, "utf-8 with BOM", "comma"},
		"Windows-1252":              {latin, "windows-1252", "semicolon"},
		"UTF-16 little endian":      {utf16(unicode.LittleEndian), "utf-16", "comma"},
		"UTF-16 big endian":         {utf16(unicode.BigEndian), "utf-16", "comma"},
		"semicolon, decimal commas": {semicolon, "utf-8", "semicolon"},
		"tab":                       {"id\tnom\tville\tlat\tlon\n1\tCafé d'Été\tSaint-Étienne\t45.4\t4.4\n2\tŒuvre, et plus\tLe Puÿ\t45.5\t4.5\n", "utf-8", "tab"},
		"bar":                       {strings.NewReplacer(";", "|").Replace(semicolon), "utf-8", "bar"},
		"Excel's sep=":              {"sep=;\r\n" + semicolon, "utf-8", "semicolon"},
		"old Mac line ends":         {strings.ReplaceAll(comma, "\n", "\r"), "utf-8", "comma"},
		"no line end at the end":    {strings.TrimSuffix(comma, "\n"), "utf-8", "comma"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			r := mustImport(t, d, tt.file, ImportOptions{})
			counts(t, r, 2, 0, 0, 0)
			if r.Encoding != tt.encoding || r.Separator != tt.separator {
				t.Errorf("got %s, %s, want %s, %s", r.Encoding, r.Separator, tt.encoding, tt.separator)
			}
			got := all(t, d)
			if e := got["Café d'Été"]; e.Town() != "Saint-Étienne" || len(e.Sites) != 1 || e.Sites[0] != (orb.Point{4.4, 45.4}) {
				t.Errorf("got %+v", e)
			}
			if _, ok := got["Œuvre, et plus"]; !ok {
				t.Errorf("got %v, want Œuvre, et plus", got)
			}
		})
	}
}

// A file may be ASCII for longer than anybody looks, and Windows-1252 after that.
func TestEncodingFoundLate(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,nom\n")
	for b.Len() < 2*sampleSize {
		b.WriteString("x,\n") // no name: left out, cheap
	}
	b.WriteString("1,Caf\xe9\n")
	d := newDirectory(t)
	r := mustImport(t, d, b.String(), ImportOptions{})
	if _, ok := all(t, d)["Café"]; !ok || r.Encoding != "windows-1252" {
		t.Errorf("got %v in %s, want Café in windows-1252", all(t, d), r.Encoding)
	}
}

func TestMapping(t *testing.T) {
	f, err := os.Open("testdata/mapping.toml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := ReadMapping(f)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("testdata/mapped.csv")
	if err != nil {
		t.Fatal(err)
	}
	d := newDirectory(t)
	r := mustImport(t, d, string(file), ImportOptions{Mapping: m, KeepUnused: true})
	counts(t, r, 2, 0, 0, 0)
	e := all(t, d)["Le Café"]
	if e.Town() != "Roanne" || e.Address.Country != "FR" || !reflect.DeepEqual(e.Categories, []string{"fablab"}) || !reflect.DeepEqual(e.Tags, []string{"tiers-lieu"}) {
		t.Errorf("got %+v, address %+v", e, e.Address)
	}
	if e.Source.Key() != "Recensement 2019\x00A1" || e.Source.URL != "https://data.example/tiers-lieux" || e.Licence != "etalab-2.0" || len(e.Extra) != 0 {
		t.Errorf("source %+v, licence %s, extra %v", e.Source, e.Licence, e.Extra)
	}
	if e := all(t, d)["La Ruche"]; len(e.Categories) != 0 || len(e.Tags) != 1 {
		t.Errorf("a value mapped to nothing: got categories %v, tags %v", e.Categories, e.Tags)
	}
	for name, bad := range map[string]string{
		"unknown setting": "colums = 1", "unknown field": "[columns]\na = \"nam\"", "unknown kind": "kind = \"thing\"", "unknown default": "[defaults]\nx = \"1\"",
		"separator": "separator = \"ab\"", "no TOML": "= = =",
	} {
		if _, err := ReadMapping(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestOptionsAreCheckedOnce(t *testing.T) {
	d := newDirectory(t)
	for name, o := range map[string]ImportOptions{
		"licence": {Source: "s", Licence: "nonsense"}, "language": {Source: "s", Lang: "not a language"}, "time zone": {Source: "s", Timezone: "Mars/Olympus"},
		"source url": {Source: "s", SourceURL: "javascript:alert(1)"}, "kind": {Source: "s", Kind: "thing"},
	} {
		if _, err := Import(context.Background(), d, strings.NewReader("id,nom\n1,A\n"), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	r := mustImport(t, d, "id,nom\n1,A\n", ImportOptions{Mapping: &Mapping{}})
	if counts(t, r, 0, 0, 0, 1); !has(r.LeftOut, directory.CodeRequired, "source") {
		t.Errorf("without a source: got %v", r.LeftOut)
	}
}

func TestIdentityWithoutIDs(t *testing.T) {
	d := newDirectory(t)
	const file = "nom,adresse,cp,ville,site\nL'Étoile,1 rue A,42000,Saint-Étienne,\nL'Étoile,2 rue B,42000,Saint-Étienne,\nLa Lune,,,Roanne,lune.example\n"
	counts(t, mustImport(t, d, file, ImportOptions{}), 3, 0, 0, 0)
	counts(t, mustImport(t, d, file, ImportOptions{}), 0, 0, 3, 0)
	other := strings.ReplaceAll(strings.ToUpper(file[len("nom,adresse,cp,ville,site\n"):]), "É", "e") + "la lune,,,ROANNE,\n"
	r := mustImport(t, d, "nom,adresse,cp,ville,site\n"+other, ImportOptions{})
	if r.Created != 0 || !has(r.LeftOut, CodeDuplicate, "") {
		t.Errorf("case and accents make no new entry, a repeated record is left out: got %+v", r)
	}
	counts(t, mustImport(t, d, file, ImportOptions{Source: "another"}), 3, 0, 0, 0)
}

func TestDryRun(t *testing.T) {
	d := newDirectory(t)
	file := "id,nom,lat,lon\n1,A,45,4\n2,B,95,4\n3,,45,4\n"
	r := mustImport(t, d, file, ImportOptions{DryRun: true})
	counts(t, r, 1, 0, 0, 2)
	if d.Head() != 0 {
		t.Errorf("a dry run wrote %d changes", d.Head())
	}
	if len(r.Preview) != 1 || r.Preview[0].Entry.Name != "A" || r.Preview[0].Result != directory.Created {
		t.Errorf("preview: got %+v", r.Preview)
	}
	var text bytes.Buffer
	if _, err := r.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Would import 3 rows", `place "A", longitude 4 latitude 45`, "row 2, line 3 (B): geometry", "row 3, line 4: name: there is no name"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &text)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestProgressAndCancel(t *testing.T) {
	d := newDirectory(t)
	var b strings.Builder
	b.WriteString("id,nom\n")
	for i := range 1200 {
		b.WriteString(strings.Repeat("1", i%7+1) + string(rune('a'+i%26)) + "x" + strings.Repeat("z", i/26) + ",N\n")
	}
	var seen []Progress
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Import(ctx, d, strings.NewReader(b.String()), ImportOptions{Source: "s", Size: int64(b.Len()), Progress: func(p Progress) {
		seen = append(seen, p)
		cancel()
	}})
	if err == nil || len(all(t, d)) == 0 && d.Head() == 0 {
		t.Errorf("got %v and head %d, want an error and a first batch", err, d.Head())
	}
	if len(seen) == 0 || seen[0].Rows != 500 || seen[0].Total != int64(b.Len()) {
		t.Errorf("progress: got %v", seen)
	}
	if r := mustImport(t, d, b.String(), ImportOptions{Source: "s"}); r.Unchanged != 500 || r.Failed != 0 || r.Rows != 1200 {
		t.Errorf("run again: got %+v", r)
	}
}
