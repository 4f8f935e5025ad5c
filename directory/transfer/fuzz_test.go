package transfer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"archipel/directory"
)

// FuzzCSVReader holds our reader to encoding/csv where both accept a file, and to going on after what it refuses.
func FuzzCSVReader(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a;\"b\"\r\n", "\"a\"\"b\",c\rd,\"e\nf\"", "\"open\nx,y\n", "\"a\"b,c\n\n\nd", ",,,\n,", "\"\",\"\"", "'=1,\"\r\n\""} {
		f.Add([]byte(s), byte(','))
	}
	f.Fuzz(func(t *testing.T, file []byte, comma byte) {
		if !bytes.Contains(separators, []byte{comma}) {
			comma = ','
		}
		var got [][]string
		bad := false
		r := newCSVReader(bytes.NewReader(file), comma)
		for n := 0; ; n++ {
			fields, line, err := r.read()
			if err == io.EOF {
				break
			}
			if n > len(file)+1 {
				t.Fatal("does not come to an end")
			}
			if err != nil {
				bad = true
				continue
			}
			if line < 1 || line > bytes.Count(file, []byte("\n"))+bytes.Count(file, []byte("\r"))+1 {
				t.Fatalf("line %d of %q", line, file)
			}
			var row []string
			for _, f := range fields {
				row = append(row, string(f))
			}
			got = append(got, row)
		}
		// The standard reader knows neither lone carriage returns nor spaces behind a quote, and keeps lines of spaces.
		if bad || bytes.ContainsRune(file, '\r') || bytes.Contains(file, []byte("\" ")) || bytes.Contains(file, []byte("\"\t")) {
			return
		}
		std := csv.NewReader(bytes.NewReader(file))
		std.Comma, std.FieldsPerRecord = rune(comma), -1
		std.LazyQuotes = false
		want, err := std.ReadAll()
		if err != nil {
			return // it refuses quotes inside unquoted fields
		}
		var kept [][]string
		for _, row := range want {
			if len(row) > 1 || strings.TrimSpace(row[0]) != "" {
				kept = append(kept, row)
			}
		}
		var ours [][]string
		for _, row := range got {
			if len(row) > 1 || strings.TrimSpace(row[0]) != "" {
				ours = append(ours, row)
			}
		}
		if len(ours) != len(kept) {
			t.Fatalf("%q: got %q, want %q", file, ours, kept)
		}
		for i := range kept {
			if strings.Join(ours[i], "\x00") != strings.Join(kept[i], "\x00") {
				t.Fatalf("%q: got %q, want %q", file, ours[i], kept[i])
			}
		}
	})
}

// FuzzImport makes entries of anything, without writing them: no panic, every row accounted for, every entry valid.
func FuzzImport(f *testing.F) {
	for _, name := range []string{"testdata/tiers-lieux.csv", "testdata/mapped.csv"} {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	var own bytes.Buffer
	write(f, NewCSV(&own, ExportOptions{}), sample())
	f.Add(bytes.Clone(own.Bytes()))
	own.Reset()
	write(f, NewGeoJSON(&own, ExportOptions{}), sample())
	f.Add(bytes.Clone(own.Bytes()))
	f.Add([]byte(oneFeature))
	f.Add([]byte(oneFeature + "\n" + oneFeature + "\n"))
	f.Add([]byte("nom;date début;coordonnées;geom;horaires;tél;facebook\nA;02/06/27 18h30;45,1,4,2;POLYGON((0 0,1 1,1 0,0 0));Mo;1;@x\n"))
	f.Add([]byte("\xff\xfen\x00o\x00m\x00\n\x00A\x00\n\x00"))
	f.Add([]byte("nom,geom\nA,\"" + strings.Repeat("GEOMETRYCOLLECTION(", 2_000) + "POINT(1 2)" + strings.Repeat(")", 2_000) + "\"\n"))
	f.Add([]byte("sep=;\r\nnom;kind;start;startTime;end;rrule;tz;exdates;overrides;horaires;links;area;langue\r\n" +
		"A;event;2027-02-29;;;;;;;;;;\nB;event;2027-03-28 02:30;24h;2027-03-28;FREQ=DAILY;Europe/Paris;2027-03-29;[{}];week 2-24 /7;[{\"url\":\"x\"}];" +
		"{\"\"type\"\":\"\"GeometryCollection\"\",\"\"geometries\"\":[null]};sr-latn\n"))
	f.Add([]byte(`[{"type":"Feature","id":0,"geometry":{"type":"GeometryCollection","geometries":[null,{}]},"properties":null},{"type":"Feature","id":-0e9,"geometry":` +
		`{"type":"LineString","coordinates":[[1e308,1e308],[-1e308,-1e308]]},"properties":{"nom":"\ud800","Nom":"a","extra.\u0000":"\u0000","site":"http://[::1%25a]/"}}]`))
	f.Add([]byte(`{"type":"Feature","id":"019bbef3-b000-7325-8dad-a3770acde605","geometry":null,"properties":{"kind":"place","name":"A","version":1,` +
		`"created":"2026-01-01T00:00:00Z","origin":"a.example","openingHours":"lundi"}}`))
	d := newDirectory(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := Import(context.Background(), d, bytes.NewReader(file), ImportOptions{Source: "s", Lang: "fr", DryRun: true, KeepUnused: true})
		if err != nil {
			return
		}
		if n := r.Created + r.Updated + r.Unchanged + r.Failed; n != r.Rows || len(r.LeftOut) != r.Failed {
			t.Fatalf("%d rows, %d accounted for, %d named", r.Rows, n, len(r.LeftOut))
		}
		for _, p := range r.Preview {
			if err := directory.Validate(&p.Entry, directory.Rules{}); err != nil {
				t.Fatalf("an invalid entry: %v", err)
			}
		}
		var text strings.Builder
		if _, err := r.WriteTo(&text); err != nil || !utf8.ValidString(text.String()) {
			t.Fatalf("a report that is no text: %v", err)
		}
	})
}

// summed reports whether a line of a backup is the last one, with the checksum of those before it.
func summed(plain []byte) bool {
	sum := sha256.New()
	for line := range bytes.Lines(plain) {
		var l struct{ End struct{ SHA256 string } }
		if json.Unmarshal(line, &l) == nil && l.End.SHA256 == hex.EncodeToString(sum.Sum(nil)) {
			return true
		}
		sum.Write(line)
	}
	return false
}

// FuzzRestore reads anything as a backup: an error, never a panic, and nothing that is not checked.
func FuzzRestore(f *testing.F) {
	good := gunzip(f, backup(f, filled(f, 5)))
	f.Add([]byte(good))
	f.Add([]byte(good[:len(good)/2]))
	f.Add(zipped(good))
	f.Add([]byte(strings.Replace(good, `"sha256"`, `"Sha256"`, 1))) // the same to encoding/json
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"header":{"format":"archipel-backup","version":1}}` + "\n" + `{"change":{"seq":1,"entry":null}}` + "\n"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		file := zipped(string(plain))
		err := readBackup(context.Background(), bytes.NewReader(file), func(*backupLine) error { return nil })
		if err != nil && !errors.Is(err, ErrBackup) {
			t.Fatalf("got %v, want ErrBackup", err)
		}
		if err == nil && !summed(plain) {
			t.Fatal("accepted without a checksum")
		}
		if err := readBackup(context.Background(), bytes.NewReader(plain), func(*backupLine) error { return nil }); err != nil && !errors.Is(err, ErrBackup) {
			t.Fatalf("uncompressed: got %v, want ErrBackup", err)
		}
	})
}
