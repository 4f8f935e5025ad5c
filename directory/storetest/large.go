package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"archipel/directory"
)

// Typical returns the i-th of the entries that measurements use: as large and as varied as those of real lists.
func Typical(i int) directory.Entry {
	rnd := rand.New(rand.NewPCG(7, uint64(i)))
	return directory.Entry{
		ID: directory.NewID(), Kind: directory.Kinds[i%4], Slug: fmt.Sprintf("atelier-partage-%d", i),
		Name:    fmt.Sprintf("Atelier partagé n° %d", i),
		Summary: "Un lieu pour réparer, apprendre et se rencontrer, ouvert à tous les habitants du quartier.",
		Lang:    "fr", Categories: []string{"repair", "shared-workshop"}, Tags: []string{"vélo", "réparation", "entraide"},
		Sites:   pointsOf(rnd.Float64()*10-4, rnd.Float64()*8+43),
		Address: &directory.Address{Street: fmt.Sprint(rnd.IntN(200), " rue de la République"), PostalCode: "42000", Locality: "Saint-Étienne", Country: "FR", Code: "42218"},
		Contact: &directory.Contact{Email: fmt.Sprintf("contact%d@example.org", i), Phone: "+33477000000", Website: fmt.Sprintf("https://atelier-%d.example.org/", i)},
		Links:   []directory.Link{{Rel: "mastodon", URL: "https://social.example/@atelier", Title: "Mastodon"}}, OpeningHours: "Tu-Sa 10:00-12:00,14:00-18:30",
		Extra:   map[string]string{"surface": fmt.Sprint(rnd.IntN(900))},
		Licence: "etalab-2.0", Source: &directory.Source{Name: "Liste des ateliers", ExternalID: fmt.Sprint(i)},
		Status: directory.Published, Created: epoch, Updated: epoch.Add(time.Duration(i) * time.Second), Checked: epoch,
	}
}

func typicals(n int) []directory.Entry {
	out := make([]directory.Entry, n)
	for i := range out {
		out[i] = Typical(i)
	}
	return out
}

// testLarge fills a store with 100,000 entries (5,000 unless ARCHIPEL_TEST_LARGE is set) and reads them all back.
func testLarge(t *testing.T, b Backend) {
	n := large()
	place := b.New(t)
	s := b.open(t, place)
	es := typicals(n)
	start := time.Now()
	putMany(t, s, es)
	t.Logf("%d entries written in %v", n, time.Since(start).Round(time.Millisecond))
	put(t, s, directory.OpUpdate, es[n/2])

	start = time.Now()
	s = b.open(t, place)
	t.Logf("opened in %v", time.Since(start).Round(time.Millisecond))
	start = time.Now()
	got := scan(t, s, "")
	t.Logf("scanned in %v", time.Since(start).Round(time.Millisecond))
	if len(got) != n {
		t.Fatalf("Scan gave %d entries, want %d", len(got), n)
	}
	byID := make(map[directory.ID]int, n)
	for i := range es {
		byID[es[i].ID] = i
	}
	for i := range got {
		want := es[byID[got[i].ID]]
		want.Version = got[i].Version
		if d := Diff(got[i], want); d != "" {
			t.Fatalf("entry %d%s", byID[got[i].ID], d)
		}
	}
	start = time.Now()
	log := all(t, s)
	t.Logf("log read in %v", time.Since(start).Round(time.Millisecond))
	if len(log) != n+1 {
		t.Errorf("the log has %d changes, want %d", len(log), n+1)
	}
	if h, err := s.History(background, es[n/2].ID, 0, 10); err != nil || len(h) != 2 {
		t.Errorf("History = %d changes, %v: want 2", len(h), err)
	}
}
