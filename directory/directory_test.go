package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"

	"github.com/paulmach/orb"
)

func openStore(t *testing.T, dir string) directory.Store {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func openDirectory(t *testing.T, o directory.Options) *directory.Directory {
	t.Helper()
	if o.Store == nil {
		o.Store = openStore(t, t.TempDir())
	}
	if o.Poll == 0 {
		o.Poll = 10 * time.Millisecond
	}
	d, err := directory.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// run drives followers until the test ends or stops it.
func run(t *testing.T, d *directory.Directory) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { d.Run(ctx); close(done) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func place(name string) directory.Entry {
	return directory.Entry{Kind: directory.Place, Name: name, Sites: []orb.Point{{4.39, 45.44}}}
}

func put(t *testing.T, d *directory.Directory, e directory.Entry) directory.Entry {
	t.Helper()
	e, err := d.Put(t.Context(), "test", e)
	if err != nil {
		t.Fatalf("put %s: %v", e.Name, err)
	}
	return e
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// seen is a View that keeps names by ID.
type seen struct {
	mu    sync.Mutex
	names map[directory.ID]string
}

func (s *seen) Apply(entries []directory.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil {
		s.names = map[directory.ID]string{}
	}
	for _, e := range entries {
		delete(s.names, e.ID)
		if e.Public() {
			s.names[e.ID] = e.Name
		}
	}
}

func (s *seen) name(id directory.ID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[id]
}

func TestPutGivesIDSlugVersionAndTimes(t *testing.T) {
	now := time.Date(2027, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	view := &seen{}
	d := openDirectory(t, directory.Options{Now: func() time.Time { return now }, Views: []directory.View{view}})
	e := put(t, d, place("  L'Atelier   du 9 "))
	if !e.ID.Valid() || e.Slug != "l-atelier-du-9" || e.Name != "L'Atelier du 9" || e.Version != 1 || e.Status != directory.Published || !e.Created.Equal(now) || !e.Updated.Equal(now) {
		t.Errorf("got %+v", e)
	}
	if got := view.name(e.ID); got != e.Name {
		t.Errorf("the view has %q before Put returns, want %q", got, e.Name)
	}
	stored, err := d.Entry(t.Context(), e.ID)
	if err != nil || stored.Name != e.Name || stored.Version != e.Version {
		t.Errorf("stored: %+v, %v", stored, err)
	}
	same := put(t, d, stored)
	if same.Version != 1 || d.Head() != 1 {
		t.Errorf("writing what stands already made version %d, head %d", same.Version, d.Head())
	}
}

func TestSecondEditorGetsAConflictWithBothVersions(t *testing.T) {
	d := openDirectory(t, directory.Options{})
	read := put(t, d, place("La Fourmilière"))
	first, second := read, read
	first.Summary = "un"
	put(t, d, first)
	second.Summary = "deux"
	_, err := d.Put(t.Context(), "test", second)
	var conflict *directory.ConflictError
	if !errors.As(err, &conflict) || conflict.Mine.Summary != "deux" || conflict.Theirs.Summary != "un" {
		t.Fatalf("got %v", err)
	}
	if now, _ := d.Entry(t.Context(), read.ID); now.Summary != "un" {
		t.Errorf("overwritten: %q", now.Summary)
	}
}

func TestSlugs(t *testing.T) {
	d := openDirectory(t, directory.Options{})
	a := put(t, d, place("Le Café"))
	b := place("Le Café")
	b.Address = &directory.Address{Locality: "Saint-Étienne"}
	b = put(t, d, b)
	c := put(t, d, place("Le Café"))
	if a.Slug != "le-cafe" || b.Slug != "le-cafe-saint-etienne" || c.Slug != "le-cafe-2" {
		t.Errorf("got %s, %s, %s", a.Slug, b.Slug, c.Slug)
	}
	c.Slug = "le-cafe"
	var invalid directory.Invalid
	if _, err := d.Put(t.Context(), "test", c); !errors.As(err, &invalid) || invalid[0].Field != "slug" || invalid[0].Code != directory.CodeTaken {
		t.Errorf("a taken slug: %v", err)
	}
	a.Slug = "cafe-des-sports"
	a = put(t, d, a)
	if id, ok := d.BySlug("le-cafe"); !ok || id != a.ID {
		t.Errorf("the former address leads to %q, %v", id, ok)
	}
	if e := put(t, d, place("東京")); e.Slug != "東京" {
		t.Errorf("slug %q", e.Slug)
	}
	if e := put(t, d, place("!!!")); e.Slug != "place" {
		t.Errorf("slug %q", e.Slug)
	}
	for range 30 {
		put(t, d, place("Le Café"))
	}
}

func TestBatchTellsWhichWereRefused(t *testing.T) {
	d := openDirectory(t, directory.Options{})
	bad := place("swapped")
	bad.Sites = []orb.Point{{45.44, 104.39}}
	early := place("early") // of the year -1 in UTC, which no store can write
	early.Created = time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
	outcomes, err := d.Write(t.Context(), directory.Write{Author: "test", Entries: []directory.Entry{place("a"), bad, {Kind: directory.Place}, early, place("b")}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range outcomes {
		line := string(o.Result)
		var invalid directory.Invalid
		if errors.As(o.Err, &invalid) {
			line += " " + invalid[0].Field + " " + invalid[0].Code
		}
		got = append(got, line)
	}
	want := "created|failed geometry swapped|failed name required|failed created out_of_range|created"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", strings.Join(got, "|"), want)
	}
}

func TestOneRecordOfASourceIsOneEntry(t *testing.T) {
	store := openStore(t, t.TempDir())
	d1, d2 := openDirectory(t, directory.Options{Store: store}), openDirectory(t, directory.Options{Store: store})
	e := place("a")
	e.Source = &directory.Source{Name: "CGET", ExternalID: "7"}
	first := put(t, d1, e)
	var invalid directory.Invalid
	if _, err := d2.Put(t.Context(), "test", e); !errors.As(err, &invalid) || invalid[0].Field != "source.externalId" {
		t.Errorf("a second import created it again: %v", err)
	}
	if id, ok := d2.BySource(e.Source.Key()); !ok || id != first.ID {
		t.Errorf("by source: %q %v", id, ok)
	}
}

func TestEightDirectoriesOnOneStore(t *testing.T) {
	store := openStore(t, t.TempDir())
	const writers, each = 8, 25
	views := make([]*seen, writers)
	ds := make([]*directory.Directory, writers)
	for i := range ds {
		views[i] = &seen{}
		ds[i] = openDirectory(t, directory.Options{Store: store, Views: []directory.View{views[i]}})
	}
	shared := put(t, ds[0], place("counter"))
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i, d := range ds {
		wg.Go(func() {
			for n := range each {
				if _, err := d.Put(context.Background(), "test", place(fmt.Sprintf("w%d n%d", i, n))); err != nil {
					t.Error(err)
				}
				e, err := d.Entry(context.Background(), shared.ID)
				if err != nil {
					t.Error(err)
					continue
				}
				e.Summary = fmt.Sprintf("w%d n%d", i, n)
				_, err = d.Put(context.Background(), "test", e)
				var conflict *directory.ConflictError
				if err == nil {
					mu.Lock()
					won++
					mu.Unlock()
				} else if !errors.As(err, &conflict) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	changes, err := store.Changes(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 + writers*each + won; len(changes) != want {
		t.Errorf("%d changes, want %d", len(changes), want)
	}
	for i, c := range changes {
		if c.Seq != directory.Seq(i+1) {
			t.Fatalf("change %d has seq %d", i, c.Seq)
		}
	}
	for i, d := range ds {
		if err := d.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(views[i].names); n != 1+writers*each {
			t.Errorf("view %d has %d entries, want %d", i, n, 1+writers*each)
		}
	}
}

// collector is a Follower that fails the first time it sees each batch. What comes again counts once.
type collector struct {
	mu    sync.Mutex
	seqs  []directory.Seq
	tried map[directory.Seq]bool
}

func (*collector) Name() string { return "collector" }

func (c *collector) Consume(_ context.Context, changes []directory.Change) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tried == nil {
		c.tried = map[directory.Seq]bool{}
	}
	if first := changes[0].Seq; !c.tried[first] {
		c.tried[first] = true
		return errors.New("not now")
	}
	for _, ch := range changes {
		if !slices.Contains(c.seqs, ch.Seq) {
			c.seqs = append(c.seqs, ch.Seq)
		}
	}
	return nil
}

func (c *collector) consumed() []directory.Seq {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seqs)
}

func TestFollowerRetriesAndGoesOnFromItsCursor(t *testing.T) {
	store := openStore(t, t.TempDir())
	first := &collector{}
	d := openDirectory(t, directory.Options{Store: store, Followers: []directory.Follower{first}})
	stop := run(t, d)
	for i := range 5 {
		put(t, d, place(fmt.Sprint("a", i)))
	}
	eventually(t, "five changes consumed", func() bool { return len(first.consumed()) == 5 })
	// Until its cursor is saved, which may take a second try, the last ones may come again.
	eventually(t, "its cursor saved", func() bool {
		at, err := store.Cursor(t.Context(), "collector")
		return err == nil && at == 5
	})
	stop()
	second := &collector{}
	d = openDirectory(t, directory.Options{Store: store, Followers: []directory.Follower{second}})
	put(t, d, place("b"))
	run(t, d)
	eventually(t, "the sixth change consumed", func() bool { return slices.Contains(second.consumed(), 6) })
	if seqs := second.consumed(); len(seqs) != 1 {
		t.Errorf("consumed %d, want only 6", seqs)
	}
}

func TestAnotherProcessIsSeen(t *testing.T) {
	dir := t.TempDir()
	view := &seen{}
	server := openDirectory(t, directory.Options{Store: openStore(t, dir), Views: []directory.View{view}})
	run(t, server)
	importer := openDirectory(t, directory.Options{Store: openStore(t, dir)})
	e := put(t, importer, place("imported"))
	eventually(t, "the server's view has it", func() bool { return view.name(e.ID) == "imported" })
	e.Status = directory.Hidden
	put(t, importer, e)
	eventually(t, "the server's view dropped it", func() bool { return view.name(e.ID) == "" })
}

func TestHistoryDiffAndRevert(t *testing.T) {
	d := openDirectory(t, directory.Options{})
	e := put(t, d, place("La Fourmilière"))
	e.Contact = &directory.Contact{Phone: "04 65 71 00 01"}
	e.Tags = []string{"vélo", "atelier"}
	changed := put(t, d, e)
	history, err := d.History(t.Context(), e.ID, 0, 10)
	if err != nil || len(history) != 2 || history[0].Op != directory.OpUpdate || history[1].Op != directory.OpCreate {
		t.Fatalf("history: %v %+v", err, history)
	}
	diff := directory.Diff(&history[1].Entry, &history[0].Entry)
	want := []directory.FieldChange{{Field: "contact.phone", After: "04 65 71 00 01"}, {Field: "tags", After: "vélo\natelier"}}
	if fmt.Sprint(diff) != fmt.Sprint(want) {
		t.Errorf("diff: got %v, want %v", diff, want)
	}
	back, err := d.Revert(t.Context(), "test", e.ID, history[1].Seq, changed.Version, "typo")
	if err != nil || back.Contact != nil || back.Version != 3 {
		t.Errorf("revert: %+v %v", back, err)
	}
	if _, err := d.Revert(t.Context(), "test", e.ID, history[1].Seq, changed.Version, ""); err == nil {
		t.Error("a revert on an old version was taken")
	}
}

func TestRedactErasesForGood(t *testing.T) {
	dir := t.TempDir()
	d := openDirectory(t, directory.Options{Store: openStore(t, dir)})
	e := place("Jeanne Martin")
	e.Private = &directory.Private{Email: "jeanne@example.org"}
	e = put(t, d, e)
	e.Summary = "chez Jeanne"
	put(t, d, e)
	if err := d.Redact(t.Context(), "admin", e.ID); err != nil {
		t.Fatal(err)
	}
	d = openDirectory(t, directory.Options{Store: openStore(t, dir)})
	changes, err := d.Changes(t.Context(), 0, 100)
	if err != nil || len(changes) != 3 {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	now, err := d.Entry(t.Context(), e.ID)
	if err != nil || now.Status != directory.Removed {
		t.Errorf("after: %+v %v", now, err)
	}
	for _, c := range append(changes, directory.Change{Entry: now}) {
		b, err := directory.EncodeStored(&c.Entry)
		if err != nil || strings.Contains(strings.ToLower(string(b)), "jeanne") {
			t.Errorf("change %d still says %s", c.Seq, b)
		}
	}
	if _, ok := d.BySlug("jeanne-martin"); ok {
		t.Error("the address still names her")
	}
}

func TestRedactionIsFinishedAfterACrash(t *testing.T) {
	store := openStore(t, t.TempDir())
	d := openDirectory(t, directory.Options{Store: store})
	e := put(t, d, place("Jeanne"))
	// What a process that died right after the change leaves behind.
	blank := directory.Entry{ID: e.ID, Kind: e.Kind, Status: directory.Removed, Version: e.Version, Private: &directory.Private{Mirror: &directory.Mirrored{Epoch: 3, Version: 7}}}
	if _, err := d.Write(t.Context(), directory.Write{Op: directory.OpRedact, Entries: []directory.Entry{blank}}); err != nil {
		t.Fatal(err)
	}
	run(t, d)
	eventually(t, "the first change is blank", func() bool {
		changes, err := store.Changes(context.Background(), 0, 1)
		return err == nil && changes[0].Redacted && changes[0].Entry.Name == ""
	})
	eventually(t, "the redaction is done with", func() bool {
		at, err := store.Cursor(context.Background(), "redact")
		return err == nil && at == 2
	})
	// The log alone, as a backup has it, says still what keeps the entry from coming back.
	changes, err := store.Changes(t.Context(), 1, 10)
	if err != nil || len(changes) != 1 || changes[0].Entry.Private == nil || changes[0].Entry.Private.Mirror == nil || changes[0].Entry.Private.Mirror.Version != 7 {
		t.Errorf("the redaction left %+v, %v", changes, err)
	}
}

func TestOriginCannotBeTaken(t *testing.T) {
	d := openDirectory(t, directory.Options{})
	e := place("elsewhere")
	e.Origin = "annuaire.example.net"
	e = put(t, d, e)
	e.Origin = ""
	var invalid directory.Invalid
	if _, err := d.Put(t.Context(), "test", e); !errors.As(err, &invalid) || invalid[0].Code != directory.CodeImmutable {
		t.Errorf("got %v", err)
	}
}

// TestOriginSaysWhenItChanged: an entry of another instance keeps the time at which that changed it, so that what is old does
// not look new because it was brought anew. What is ours, or says what cannot be, is of the time of the write.
func TestOriginSaysWhenItChanged(t *testing.T) {
	now := time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC)
	d := openDirectory(t, directory.Options{Now: func() time.Time { return now }})
	old := now.AddDate(-2, 0, 0)
	for name, c := range map[string]struct {
		origin  string
		updated time.Time
		kept    bool
	}{
		"of another instance": {"annuaire.example.net", old, true},
		"ours":                {"", old, false},
		"of the future":       {"annuaire.example.net", now.AddDate(1, 0, 0), false},
		"without a time":      {"annuaire.example.net", time.Time{}, false},
	} {
		e := place(name)
		e.Origin, e.Updated = c.origin, c.updated
		for range 2 { // made, and changed
			e = put(t, d, e)
			if kept := e.Updated.Equal(c.updated); kept != c.kept || !kept && !e.Updated.Equal(now) {
				t.Errorf("%s: updated %s, it said %s", name, e.Updated, c.updated)
			}
			e.Name, e.Updated = name+", encore", c.updated
		}
	}
}
