package transfer

import (
	"context"
	"slices"
	"strings"
	"testing"

	"archipel/directory"
	"archipel/directory/sqlitestore"
)

func newDirectory(t testing.TB) *directory.Directory {
	t.Helper()
	return openDirectory(t, t.TempDir())
}

func openDirectory(t testing.TB, dir string) *directory.Directory {
	t.Helper()
	s, err := sqlitestore.Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	d, err := directory.Open(context.Background(), directory.Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustImport(t testing.TB, d *directory.Directory, file string, o ImportOptions) *Report {
	t.Helper()
	if o.Source == "" && o.Mapping == nil {
		o.Source = "test"
	}
	r, err := Import(context.Background(), d, strings.NewReader(file), o)
	if err != nil {
		t.Fatalf("import: %v\n%+v", err, r)
	}
	return r
}

// all returns every entry that is not removed, by name.
func all(t testing.TB, d *directory.Directory) map[string]directory.Entry {
	t.Helper()
	m := map[string]directory.Entry{}
	err := d.Scan(context.Background(), func(entries []directory.Entry) error {
		for _, e := range entries {
			if e.Status != directory.Removed {
				m[e.Name] = e
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func counts(t testing.TB, r *Report, created, updated, unchanged, failed int) {
	t.Helper()
	got, want := [4]int{r.Created, r.Updated, r.Unchanged, r.Failed}, [4]int{created, updated, unchanged, failed}
	if got != want {
		t.Errorf("created, updated, unchanged, left out: got %v, want %v\nleft out: %v\nwarnings: %v", got, want, r.LeftOut, r.Warnings)
	}
	if sum := r.Created + r.Updated + r.Unchanged + r.Failed; sum != r.Rows {
		t.Errorf("%d rows are accounted for, %d were read", sum, r.Rows)
	}
}

func has(issues []Issue, code, field string) bool {
	return slices.ContainsFunc(issues, func(i Issue) bool { return i.Code == code && (field == "" || i.Field == field) })
}

type labels map[string]string

func (l labels) Match(s string) (string, bool) {
	id, ok := l[directory.Fold(s)]
	return id, ok
}

func edit(t testing.TB, d *directory.Directory, name string, change func(*directory.Entry)) directory.Entry {
	t.Helper()
	e, ok := all(t, d)[name]
	if !ok {
		t.Fatalf("no entry %q", name)
	}
	change(&e)
	e, err := d.Put(context.Background(), "account:alice", e)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
