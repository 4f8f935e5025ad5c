package islands

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/vocab"
)

// FuzzState reads what other directories say of entries: nothing panics, what is taken belongs to where it comes from and brings
// nothing private, and is kept as it came, since its proof is checked again by whoever gets it from us.
func FuzzState(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(strings.NewReplacer("HOST", "https://ailleurs.example", `"created": "*"`, `"created": "2027-01-01T00:00:00Z"`, `"updated": "*"`, `"updated": "2027-01-01T00:00:00Z"`).Replace(string(b))))
	}
	s := &Service{scheme: "https", host: "annuaire.example", base: "https://annuaire.example"}
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := fetch.Object(b)
		if err != nil {
			return
		}
		context, there := doc["@context"]
		if !there || context != nil {
			packed, err := pack(doc)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := unpack(packed); err != nil || !reflect.DeepEqual(again, doc) {
				t.Errorf("kept as %v, %v; it came as %v", again, err, doc)
			}
		}
		st, actor, err := s.parse(doc)
		if err != nil {
			if !errors.Is(err, vocab.ErrForm) {
				t.Errorf("%v", err)
			}
			return
		}
		if there && context == nil {
			t.Errorf("taken, and cannot be kept as it came: %v", doc)
		}
		if st.origin == s.host || !st.id.Valid() || st.version < 1 || st.epoch < 0 || vocab.Host(actor) != st.origin || vocab.Host(st.object) != st.origin {
			t.Errorf("taken: %+v by %q", st, actor)
		}
		if e := &st.entry; !st.gone && (e.ID != st.id || e.Origin != st.origin || e.Private != nil || e.Status != directory.Published || len(st.words) > directory.MaxList) {
			t.Errorf("taken: %+v", e)
		}
	})
}
