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

// TestWardenGoesThroughImports: who decides about few of many gets pages of bounded work, and none is left out.
func TestWardenGoesThroughImports(t *testing.T) {
	tn := openTown(t)
	warden := tn.somebody("wim", account.Member, "fr")
	if _, err := tn.accounts.SetStanding(t.Context(), warden.id, account.Standing{Role: account.Member, Wards: []account.Ward{{Category: "fablab"}}}); err != nil {
		t.Fatal(err)
	}
	var many []directory.Entry
	for i := range 2300 {
		e := place(fmt.Sprintf("Importé %04d", i), "Lyon", 4.84, 45.76, "amap")
		if e.Source = (&directory.Source{Name: "Base", ExternalID: fmt.Sprint(i)}); i == 700 || i == 2250 {
			e.Categories = []string{"fablab"}
		}
		many = append(many, e)
	}
	tn.put(many...)
	found, page := "", "/moderate?show=imported"
	for n := 0; ; n++ {
		var body string
		if _, entries := tn.reads.of(func() { body = warden.get(page).body }); entries > 1100 {
			t.Fatalf("page %d reads %d entries", n, entries)
		}
		if strings.Contains(body, `<span class="count">2`) {
			t.Error("a warden sees how many imports there are elsewhere")
		}
		found += body
		if !strings.Contains(body, `rel="next"`) {
			break
		}
		if page = nextPage(t, body); n > 10 {
			t.Fatal("it never ends")
		}
	}
	if strings.Count(found, `class="queue-item"`) != 2 || !strings.Contains(found, "Importé 0700") || !strings.Contains(found, "Importé 2250") || !strings.Contains(found, "Rien pour vous") {
		t.Errorf("the warden found %d items, want 2 and a page without any", strings.Count(found, `class="queue-item"`))
	}
	if body := tn.somebody("mod", account.Moderator, "fr").get("/moderate").body; !strings.Contains(body, "2\u00a0300</span>") {
		t.Error("a moderator does not see how many there are")
	}
}

// TestQueueInSpans: when thousands wait, a look reads a part of them, and the next page goes on.
func TestQueueInSpans(t *testing.T) {
	tn := openTown(t)
	mod, warden := tn.somebody("mod", account.Moderator, "fr"), tn.somebody("wim", account.Member, "fr")
	if _, err := tn.accounts.SetStanding(t.Context(), warden.id, account.Standing{Role: account.Member, Wards: []account.Ward{{Category: "fablab"}}}); err != nil {
		t.Fatal(err)
	}
	var many []directory.Entry
	for i := range 1100 {
		e := place(fmt.Sprintf("Attend %04d", i), "Lyon", 4.84, 45.76, "amap")
		if e.Status = directory.Pending; i == 1050 {
			e.Categories = []string{"fablab"}
		}
		many = append(many, e)
	}
	tn.put(many...)
	var body string
	if _, entries := tn.reads.of(func() { body = mod.get("/moderate").body }); entries > 1100 {
		t.Errorf("a look at the queue reads %d entries", entries)
	}
	if !strings.Contains(body, "1\u00a0100</span>") || !strings.Contains(body, "1\u00a0000+</span>") {
		t.Error("the counts are not those of what waits, or do not say that there are more")
	}
	body = mod.get("/moderate?from=980").body
	if body = mod.get(nextPage(t, body)).body; !strings.Contains(body, "Attend 1000") || strings.Contains(body, "Attend 0999") {
		t.Error("the page after the first thousand is another")
	}
	if body = mod.get(nextPage(t, body)).body; !strings.Contains(body, "Attend 1020") {
		t.Error("the pages of the second part do not go on")
	}
	if body = warden.get("/moderate").body; strings.Contains(body, "Attend") || !strings.Contains(body, "Rien pour vous") {
		t.Error("the first part has something for the warden")
	}
	if body = warden.get(nextPage(t, body)).body; !strings.Contains(body, "Attend 1050") || strings.Count(body, `class="queue-item"`) != 1 {
		t.Error("the warden does not find the one entry")
	}
}

// TestWhatIsOverIsNotRead: the calendar and the feed of an organisation read what they show of thousands of events.
func TestWhatIsOverIsNotRead(t *testing.T) {
	s := open(t)
	asso := s.put(directory.Entry{Kind: directory.Organisation, Name: "Asso"})[0]
	var events []directory.Entry
	for i := range 600 {
		e := event(fmt.Sprintf("Passé %03d", i), now.AddDate(-1, 0, -i), "")
		if i >= 590 {
			e = event(fmt.Sprintf("À venir %d", i), now.AddDate(0, 0, i-580), "")
		}
		e.Relations = []directory.Relation{{Rel: "organisedBy", Target: asso.ID}}
		events = append(events, e)
	}
	events = append(events, event("Chaque semaine", now.AddDate(-2, 0, 0), "FREQ=WEEKLY"))
	events[600].Relations = events[0].Relations
	s.put(events...)
	var body string
	if _, entries := s.reads.of(func() { body = s.get("/e/asso.ics").body }); entries > 20 {
		t.Errorf("the calendar reads %d entries", entries)
	}
	if strings.Count(body, "BEGIN:VEVENT") != 11 || !strings.Contains(body, "Chaque semaine") || strings.Contains(body, "Passé") {
		t.Errorf("the calendar has %d events, want 11", strings.Count(body, "BEGIN:VEVENT"))
	}
	for _, format := range []string{"atom", "rss"} {
		if _, entries := s.reads.of(func() { body = s.get("/e/asso." + format).body }); entries > 110 {
			t.Errorf("the feed as %s reads %d entries", format, entries)
		}
		if n := strings.Count(body, "<entry>") + strings.Count(body, "<item>"); n != 100 {
			t.Errorf("the feed as %s has %d entries, want 100", format, n)
		}
	}
}
