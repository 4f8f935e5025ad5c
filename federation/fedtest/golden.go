package fedtest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Volatile are members that differ from run to run.
var Volatile = []string{"updated", "published", "deleted", "created", "proofValue", "publicKeyPem", "publicKeyMultibase"}

// Golden compares a document that was sent with a file of testdata, numbers as they were on the wire and [Volatile] members
// hidden. Names that differ are given in pairs: what it is, and how it stands in the file. With update the file is written.
func Golden(t testing.TB, update bool, file string, sent []byte, names ...string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(sent))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		t.Fatalf("%s: %v: %.200s", file, err, sent)
	}
	for _, private := range []string{"secret", "à ne pas dire", "Private", "alert("} {
		if bytes.Contains(sent, []byte(private)) {
			t.Errorf("%s shows %q", file, private)
		}
	}
	hide(doc)
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	GoldenText(t, update, file, string(b)+"\n", names...)
}

func hide(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			hide(member)
			if slices.Contains(Volatile, k) {
				v[k] = "*"
			}
		}
	case []any:
		for _, item := range v {
			hide(item)
		}
	}
}

// GoldenText is Golden for what is no JSON.
func GoldenText(t testing.TB, update bool, file, got string, names ...string) {
	t.Helper()
	got = strings.NewReplacer(names...).Replace(got)
	file = filepath.Join("testdata", file)
	if update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s changed; other servers have the old form. Look at it, then run the test with -update:\n%s", file, got)
	}
}
