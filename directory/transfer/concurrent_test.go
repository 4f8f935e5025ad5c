package transfer

import (
	"context"
	"strings"
	"sync"
	"testing"

	"archipel/directory"
)

// meddling lets somebody else write just before an import's own write reaches the store.
type meddling struct {
	directory.Store
	before func()
}

func (m *meddling) Append(ctx context.Context, after directory.Seq, c []directory.Change) (int, error) {
	if f := m.before; f != nil {
		m.before = nil
		f()
	}
	return m.Store.Append(ctx, after, c)
}

// Somebody saves the entry between the moment an import reads it and the moment it writes: both changes stand.
func TestSomebodyEditsDuringAnImport(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	other, err := directory.Open(ctx, directory.Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	m := &meddling{Store: s}
	d, err := directory.Open(ctx, directory.Options{Store: m})
	if err != nil {
		t.Fatal(err)
	}
	mustImport(t, d, "id,nom,résumé\n1,A,un\n2,B,un\n", ImportOptions{})
	m.before = func() {
		if err := other.Refresh(ctx); err != nil {
			t.Error(err)
		}
		edit(t, other, "A", func(e *directory.Entry) { e.Description = "ici" })
		edit(t, other, "B", func(e *directory.Entry) { e.Summary = "ici" })
	}
	r := mustImport(t, d, "id,nom,résumé\n1,A,deux\n2,B,deux\n3,C,trois\n", ImportOptions{})
	counts(t, r, 1, 2, 0, 0)
	e := all(t, d)
	if e["A"].Summary != "deux" || e["A"].Description != "ici" || e["B"].Summary != "deux" {
		t.Errorf("got %+v and %+v", e["A"], e["B"])
	}
	if !has(r.Warnings, CodeOverwritten, "summary") {
		t.Errorf("what was replaced must be named: %v", r.Warnings)
	}
}

// The same file twice at once, from two processes' view, makes every entry once.
func TestTwoImportsAtOnce(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	file := bigFile(3000, "un")
	reports := make([]*Report, 2)
	var wg sync.WaitGroup
	for i := range reports {
		d, err := directory.Open(ctx, directory.Options{Store: s})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			r, err := Import(ctx, d, strings.NewReader(file), ImportOptions{Source: "s"})
			if err != nil {
				t.Errorf("import %d: %v", i, err)
			}
			reports[i] = r
		})
	}
	wg.Wait()
	d, err := directory.Open(ctx, directory.Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := d.Scan(ctx, func(e []directory.Entry) error { n += len(e); return nil }); err != nil {
		t.Fatal(err)
	}
	a, b := reports[0], reports[1]
	if n != 3000 || a.Created+b.Created != 3000 || a.Failed+b.Failed != 0 || a.Unchanged+b.Unchanged != 3000 {
		t.Errorf("%d entries; got %d and %d created, %d and %d left out", n, a.Created, b.Created, a.Failed, b.Failed)
	}
}
