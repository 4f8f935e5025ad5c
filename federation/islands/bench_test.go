package islands_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/transfer"
	"archipel/federation/islands"

	"github.com/paulmach/orb"
)

// region is n entries like those of a real directory.
func region(n int) []directory.Entry {
	entries := make([]directory.Entry, n)
	for i := range entries {
		entries[i] = directory.Entry{
			Kind: directory.Organisation, Name: fmt.Sprint("Association des jardins partagés ", i), Lang: "fr", Categories: []string{"jardin-partage"},
			Summary:     "Un jardin ouvert à toutes et tous, au cœur du quartier.",
			Description: strings.Repeat("Nous cultivons ensemble légumes, fruits et fleurs, sans pesticide, et partageons la récolte. ", 3),
			Sites:       []orb.Point{{4 + float64(i%1000)/1000, 45 + float64(i/1000)/1000}}, Tags: []string{"jardin", "partage"},
			Address:      &directory.Address{Street: fmt.Sprint(i, " rue des Tilleuls"), PostalCode: "42000", Locality: "Saint-Étienne", Country: "FR"},
			Contact:      &directory.Contact{Email: fmt.Sprintf("jardin%d@example.org", i), Phone: "+33 4 65 71 00 00", Website: fmt.Sprintf("https://jardin%d.example.org", i)},
			OpeningHours: "Sa 09:00-12:00", Licence: "ODbL-1.0", Source: &directory.Source{Name: "CGET", ExternalID: strconv.Itoa(i)},
		}
	}
	return entries
}

// write makes a file that can be imported.
func write(path string, entries []directory.Entry) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	fmt.Fprint(f, `{"type":"FeatureCollection","features":[`)
	for i := range entries {
		b, err := json.Marshal(entries[i])
		if err != nil {
			return err
		}
		if i > 0 {
			b = append([]byte(",\n"), b...)
		}
		if _, err := f.Write(b); err != nil {
			return err
		}
	}
	fmt.Fprint(f, `]}`)
	return f.Close()
}

// TestLarge measures what the archipelago promises, with ARCHIPEL_TEST_LARGE entries (100,000 for 1): the first mirroring
// against importing the same file here, comparing what is equal and what differs in one entry, and how long a change takes.
func TestLarge(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("ARCHIPEL_TEST_LARGE"))
	switch n {
	case 0:
		t.Skip("ARCHIPEL_TEST_LARGE=1 measures with 100,000 entries")
	case 1:
		n = 100_000
	}
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "region.geojson")
	if err := write(file, region(n)); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	began := time.Now()
	if _, err := transfer.Import(ctx, b.d, f, transfer.ImportOptions{Source: "CGET", Licence: "ODbL-1.0", Lang: "fr", Timezone: "Europe/Paris", Categories: b.words}); err != nil {
		t.Fatal(err)
	}
	local := time.Since(began)
	if counts := b.visible(""); len(counts) != n {
		t.Fatalf("%d entries were imported", len(counts))
	}
	runtime.GC()
	var before, peak runtime.MemStats
	runtime.ReadMemStats(&before)
	began = time.Now()
	a.follow(b, islands.Scope{}, islands.Show)
	most := uint64(0)
	for deadline := time.Now().Add(10 * time.Minute); a.mirrors.Counts()[b.host].Public < n; time.Sleep(200 * time.Millisecond) {
		runtime.ReadMemStats(&peak)
		most = max(most, peak.HeapAlloc)
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d came", a.mirrors.Counts()[b.host].Public, n)
		}
	}
	mirrored := time.Since(began)
	bytes := b.bytes.Load()
	eventually(t, "compared", func() bool { st, err := a.s.State(ctx, b.host); return err == nil && !st.Compared.IsZero() })
	t.Logf("%d entries: imported in %v, mirrored in %v (%.1f times), %d bytes an entry; heap %d MB before, %d MB at most",
		n, local.Round(time.Millisecond), mirrored.Round(time.Millisecond), mirrored.Seconds()/local.Seconds(), bytes/int64(n), before.HeapAlloc>>20, most>>20)

	moved := func(what string, limit int64) {
		t.Helper()
		from, began := b.bytes.Load(), time.Now()
		if err := a.s.Sync(ctx, b.host, true); err != nil {
			t.Fatal(err)
		}
		st, err := a.s.State(ctx, b.host)
		if err != nil {
			t.Fatal(err)
		}
		got := b.bytes.Load() - from
		t.Logf("%s: %d bytes, %d set right, in %v", what, got, st.Differed, time.Since(began).Round(time.Millisecond))
		if got > limit {
			t.Errorf("%s: %d bytes, want %d at most", what, got, limit)
		}
	}
	moved("equal", 64<<10)
	var one directory.Entry
	for _, e := range a.visible(b.host) {
		one = e
		break
	}
	one.Private.Mirror.Version--
	one.Name = "Vieille"
	a.put(one)
	moved("one differs", 200<<10)
	if e := a.entry(one.ID); e.Name == "Vieille" {
		t.Error("the difference was not found")
	}

	var took []time.Duration
	for i := range 21 {
		e := b.entry(one.ID)
		e.Name = fmt.Sprint("Changée ", i)
		began := time.Now()
		b.put(e)
		eventually(t, "the change arrives", func() bool { return a.entry(one.ID).Name == e.Name })
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("a change takes %v at the median, %v at most", took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
}
