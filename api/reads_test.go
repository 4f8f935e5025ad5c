package api_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/transfer"
)

// readsStore counts what a page costs: the changes and the entries that are read for it.
type readsStore struct {
	directory.Store
	changes, entries atomic.Int64
}

func (s *readsStore) Changes(ctx context.Context, after directory.Seq, limit int) ([]directory.Change, error) {
	changes, err := s.Store.Changes(ctx, after, limit)
	s.changes.Add(int64(len(changes)))
	return changes, err
}

func (s *readsStore) Entries(ctx context.Context, ids []directory.ID) ([]directory.Entry, error) {
	entries, err := s.Store.Entries(ctx, ids)
	s.entries.Add(int64(len(entries)))
	return entries, err
}

// of counts what is read while fn runs.
func (s *readsStore) of(fn func()) (changes, entries int64) {
	s.changes.Store(0)
	s.entries.Store(0)
	fn()
	return s.changes.Load(), s.entries.Load()
}

func TestImportsPageReadsWhatIsNew(t *testing.T) {
	tn := openTown(t)
	boss := tn.somebody("boss", account.Admin, "fr")
	for i := range 103 {
		e := place(fmt.Sprintf("Lieu %d", i), "Lyon", 4.84, 45.76)
		e.Source = &directory.Source{Name: "Essai", ExternalID: fmt.Sprint(i)}
		if _, err := tn.d.Write(t.Context(), directory.Write{Author: transfer.Author, Batch: fmt.Sprintf("lot-%03d", i), Entries: []directory.Entry{e}}); err != nil {
			t.Fatal(err)
		}
	}
	const page = "/admin/imports"
	first := boss.get(page).body
	if strings.Count(first, ">lot-") != 100 || !strings.Contains(first, "lot-102") || strings.Contains(first, "lot-002") {
		t.Fatalf("the first page has %d imports", strings.Count(first, ">lot-"))
	}
	next := boss.get(nextPage(t, first)).body
	if strings.Count(next, ">lot-") != 3 || !strings.Contains(next, "lot-002") || strings.Contains(next, `rel="next"`) {
		t.Errorf("the next page: %s", next)
	}
	if changes, _ := tn.reads.of(func() { boss.get(page) }); changes > 1 {
		t.Errorf("the page reads %d changes again", changes)
	}
	if changes, _ := tn.reads.of(func() { boss.brings(page, page, "x.csv", "", map[string]string{"source": "Essai"}) }); changes > 2 {
		t.Errorf("an upload that is refused reads %d changes", changes)
	}
}

// nextPage is where the link to the next page leads.
func nextPage(t *testing.T, body string) string {
	t.Helper()
	_, rest, there := strings.Cut(body, `rel="next" href="`)
	if !there {
		t.Fatalf("no next page: %s", body)
	}
	next, _, _ := strings.Cut(rest, `"`)
	next, _, _ = strings.Cut(next, "#")
	return strings.ReplaceAll(next, "&amp;", "&")
}
