package directory_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"

	"github.com/paulmach/orb"
)

func mergeOf(kept, other directory.Entry) directory.Merge {
	return directory.Merge{Author: "account:mod", Note: "the same", Kept: kept.ID, Other: other.ID, KeptVersion: kept.Version, OtherVersion: other.Version, Team: true}
}

func read(t *testing.T, d *directory.Directory, id directory.ID) directory.Entry {
	t.Helper()
	e, err := d.Entry(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// twins are two entries that say much of the same in different words.
func twins(t *testing.T, d *directory.Directory) (kept, other directory.Entry) {
	a, b := place("La Fourmilière"), place("Fourmilière (la)")
	a.Summary, a.Categories, a.Tags = "Un café", []string{"cafe"}, []string{"Café"}
	a.Contact = &directory.Contact{Phone: "+33 4 77 00 00 00"}
	a.Links = []directory.Link{{Rel: "website", URL: "https://a.example/"}}
	a.Identifiers = map[string]string{"osm": "node/1"}
	a.Private = &directory.Private{Owners: []string{"ana"}, Note: "a"}
	b.Summary, b.Description, b.Categories, b.Tags = "Un café associatif", "Longue.", []string{"cafe", "librairie"}, []string{"café", "livres"}
	b.Contact = &directory.Contact{Phone: "+33 4 77 11 11 11", Email: "b@example.org"}
	b.Links = []directory.Link{{Rel: "related", URL: "https://a.example/"}, {Rel: "website", URL: "https://b.example/"}}
	b.Identifiers = map[string]string{"siret": "73282932000074", "osm": "node/2"}
	b.Translations = map[string]directory.Translation{"en": {Name: "The Anthill"}}
	b.Source, b.Licence = &directory.Source{Name: "Base", ExternalID: "7"}, "ODbL-1.0"
	b.Private = &directory.Private{Owners: []string{"ben"}, Editors: []string{"ana"}, Email: "sent@example.org", Note: "b"}
	return put(t, d, a), put(t, d, b)
}

func TestMergeUnitesAndIsTakenBack(t *testing.T) {
	relations := &directory.Relations{}
	d := openDirectory(t, directory.Options{Views: []directory.View{relations}})
	kept, other := twins(t, d)
	fan := place("Le Voisin")
	fan.Relations = []directory.Relation{{Rel: "memberOf", Target: other.ID}}
	fan = put(t, d, fan)
	m := mergeOf(kept, other)
	m.Choice = map[string]directory.Side{"name": directory.Kept, "summary": directory.Other, "contact.phone": directory.Kept, "identifiers.osm": directory.Other}
	now, err := d.Merge(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case now.Name != "La Fourmilière" || now.Summary != "Un café associatif" || now.Description != "Longue.":
		t.Errorf("texts: %q %q %q", now.Name, now.Summary, now.Description)
	case now.Contact.Phone != "+33477000000" && now.Contact.Phone != "+33 4 77 00 00 00" || now.Contact.Email != "b@example.org":
		t.Errorf("contact: %+v", now.Contact)
	case !slices.Equal(now.Categories, []string{"cafe", "librairie"}) || !slices.Equal(now.Tags, []string{"Café", "livres"}) || len(now.Links) != 2:
		t.Errorf("lists: %v %v %v", now.Categories, now.Tags, now.Links)
	case now.Identifiers["siret"] == "" || now.Identifiers["osm"] != "node/2" || now.Translations["en"].Name == "":
		t.Errorf("by key: %v %v", now.Identifiers, now.Translations)
	case now.Source.Key() != other.Source.Key() || now.Licence != "ODbL-1.0":
		t.Errorf("the source: %+v %s", now.Source, now.Licence)
	case !slices.Equal(now.Private.Owners, []string{"ana", "ben"}) || len(now.Private.Editors) != 0 || now.Private.Email != "sent@example.org":
		t.Errorf("the team: %+v", now.Private)
	}
	gone := read(t, d, other.ID)
	if gone.Status != directory.Removed || gone.MergedInto != kept.ID || gone.Summary != other.Summary {
		t.Errorf("the other: %+v", gone)
	}
	if id, ok := d.BySource(other.Source.Key()); !ok || id != kept.ID {
		t.Errorf("the record of the source is that of %s", id)
	}
	if got := relations.To(&kept); len(got) != 1 || got[0].Target != fan.ID || relations.Resolve(other.ID) != kept.ID {
		t.Errorf("relations to what was merged: %v", got)
	}
	if again, err := d.Merge(t.Context(), m); err != nil || again.Version != now.Version {
		t.Errorf("asked twice: %v", err)
	}

	// Somebody goes on with the result; then it turns out that they were two.
	now.Summary, now.Tags = "Un café, des livres", append(now.Tags, "soupe")
	now = put(t, d, now)
	back, err := d.Unmerge(t.Context(), "account:mod", "two after all", other.ID, gone.Version)
	if err != nil {
		t.Fatal(err)
	}
	if back.Status != directory.Published || back.MergedInto != "" || back.Summary != other.Summary || !slices.Equal(back.Private.Owners, []string{"ben"}) {
		t.Errorf("the other stands: %+v", back)
	}
	now = read(t, d, kept.ID)
	switch {
	case now.Summary != "Un café, des livres" || !slices.Equal(now.Tags, []string{"Café", "soupe"}):
		t.Errorf("what was written since: %q %v", now.Summary, now.Tags)
	case now.Description != "" || !slices.Equal(now.Categories, kept.Categories) || len(now.Links) != 1 || now.Contact.Email != "" || now.Source != nil || now.Licence != "" || len(now.Translations) > 0:
		t.Errorf("what came from the other is still there: %+v", now)
	case now.Identifiers["osm"] != "node/1" || now.Identifiers["siret"] != "" || !slices.Equal(now.Private.Owners, []string{"ana"}):
		t.Errorf("keys and team: %v %+v", now.Identifiers, now.Private)
	}
	if id, _ := d.BySource(other.Source.Key()); id != other.ID {
		t.Errorf("the record of the source is that of %s, want the other's", id)
	}
	if relations.Resolve(other.ID) != other.ID || len(relations.To(&kept)) != 0 {
		t.Error("relations still lead to the kept entry")
	}
	if _, err := d.Unmerge(t.Context(), "account:mod", "", other.ID, back.Version); !errors.As(err, new(directory.Invalid)) {
		t.Errorf("taken back twice: %v", err)
	}
}

func TestMergeRefuses(t *testing.T) {
	d := openDirectory(t, directory.Options{})
	a, b := put(t, d, place("A")), put(t, d, place("B"))
	draft, mirrored, gone := place("Brouillon"), place("Ailleurs"), place("Partie")
	draft.Status, mirrored.Origin, gone.Status = directory.Draft, "island.example", directory.Removed
	draft, mirrored, gone = put(t, d, draft), put(t, d, mirrored), put(t, d, gone)
	event := place("Fête")
	event.Kind, event.Event = directory.Event, &directory.Schedule{Start: time.Date(2030, 1, 1, 10, 0, 0, 0, time.UTC)}
	event = put(t, d, event)
	for _, c := range []struct {
		name        string
		kept, other directory.Entry
	}{{"itself", a, a}, {"a draft", a, draft}, {"what is elsewhere", a, mirrored}, {"into what is elsewhere", mirrored, a}, {"what is gone", a, gone}, {"into what is gone", gone, a}, {"an event", a, event}} {
		if _, err := d.Merge(t.Context(), mergeOf(c.kept, c.other)); !errors.As(err, new(directory.Invalid)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	newer := a
	newer.Summary = "x"
	put(t, d, newer)
	var conflict *directory.ConflictError
	if _, err := d.Merge(t.Context(), mergeOf(a, b)); !errors.As(err, &conflict) || read(t, d, b.ID).Status == directory.Removed {
		t.Errorf("with an old version: %v", err)
	}
	// Nothing else makes an entry live on in one that does not stand, or in itself; and what stands lives on in nothing.
	for _, into := range []directory.ID{b.ID, gone.ID, directory.NewID()} {
		e := read(t, d, b.ID)
		e.Status, e.MergedInto = directory.Removed, into
		if _, err := d.Put(t.Context(), "test", e); !errors.As(err, new(directory.Invalid)) {
			t.Errorf("merged into %s: %v", into, err)
		}
	}
	e := read(t, d, b.ID)
	e.MergedInto = a.ID
	if e, err := d.Put(t.Context(), "test", e); err != nil || e.MergedInto != "" {
		t.Errorf("a public entry lives on elsewhere: %v %v", e.MergedInto, err)
	}
}

func TestMergesMakeChainsAndNoCircle(t *testing.T) {
	relations := &directory.Relations{}
	store := openStore(t, t.TempDir())
	d := openDirectory(t, directory.Options{Store: store, Views: []directory.View{relations}})
	a, b, c := put(t, d, place("A")), put(t, d, place("B")), put(t, d, place("C"))
	merge := func(kept, other directory.ID) error {
		_, err := d.Merge(t.Context(), mergeOf(read(t, d, kept), read(t, d, other)))
		return err
	}
	if err := merge(b.ID, a.ID); err != nil {
		t.Fatal(err)
	}
	if err := merge(a.ID, b.ID); err == nil {
		t.Error("a circle of two")
	}
	if err := merge(c.ID, b.ID); err != nil {
		t.Fatal(err)
	}
	if got := relations.Resolve(a.ID); got != c.ID {
		t.Errorf("A leads to %s, want C", got)
	}
	// A stands again, and takes C in: the way from B ends at A.
	if _, err := d.Unmerge(t.Context(), "m", "", a.ID, read(t, d, a.ID).Version); err != nil {
		t.Fatal(err)
	}
	if err := merge(a.ID, c.ID); err != nil {
		t.Fatal(err)
	}
	again := &directory.Relations{} // as after a start
	openDirectory(t, directory.Options{Store: store, Views: []directory.View{again}})
	for name, r := range map[string]*directory.Relations{"while it runs": relations, "after a start": again} {
		if r.Resolve(b.ID) != a.ID || r.Resolve(a.ID) != a.ID {
			t.Errorf("%s: B leads to %s, A to %s", name, r.Resolve(b.ID), r.Resolve(a.ID))
		}
	}
}

// Two nodes merge A into B and B into A at the same moment: never both, and both entries together keep everything.
func TestTwoNodesMergeCrosswise(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir)
	one := openDirectory(t, directory.Options{Store: store})
	two := openDirectory(t, directory.Options{Store: openStore(t, dir)})
	for i := range 20 {
		a, b := put(t, one, place(fmt.Sprint("A ", i))), put(t, one, place(fmt.Sprint("B ", i)))
		if err := two.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 2)
		go func() { _, err := one.Merge(context.Background(), mergeOf(a, b)); done <- err }()
		go func() { _, err := two.Merge(context.Background(), mergeOf(b, a)); done <- err }()
		<-done
		<-done
		x, y := read(t, one, a.ID), read(t, one, b.ID)
		if x.Status == directory.Removed && y.Status == directory.Removed {
			t.Fatalf("both are gone: %+v %+v", x, y)
		}
	}
}

// TestProofComesWithTheTeam: an entry that is united with one whose people have proved who they are is claimed from then on,
// where its own had not, until it turns out that they were two.
func TestProofComesWithTheTeam(t *testing.T) {
	for _, team := range []bool{true, false} {
		d := openDirectory(t, directory.Options{})
		kept, other := twins(t, d)
		other.Claimed = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
		outcomes, err := d.Write(t.Context(), directory.Write{Author: "account:ben", Op: directory.OpTeam, Entries: []directory.Entry{other}})
		if err != nil || outcomes[0].Err != nil {
			t.Fatal(err, outcomes)
		}
		other = outcomes[0].Entry
		m := mergeOf(kept, other)
		m.Team = team
		now, err := d.Merge(t.Context(), m)
		if err != nil || now.Claimed.Equal(other.Claimed) != team {
			t.Errorf("with the team %v: claimed %v, %v", team, now.Claimed, err)
		}
		now.Claimed = time.Now()
		now.Summary = "Écrit depuis"
		if now = put(t, d, now); now.Claimed.Equal(other.Claimed) != team {
			t.Errorf("a change of the entry changes since when it is claimed: %v", now.Claimed)
		}
		back, err := d.Unmerge(t.Context(), "account:mod", "two", other.ID, read(t, d, other.ID).Version)
		if err != nil || !back.Claimed.Equal(other.Claimed) || !read(t, d, kept.ID).Claimed.IsZero() {
			t.Errorf("apart again: %v and %v, %v", back.Claimed, read(t, d, kept.ID).Claimed, err)
		}
	}
}

// TestOrganisationComesWithTheTeam: the organisation in whose name an entry was posted keeps what it is united with, when
// that has none of its own and is not the organisation; taking the merge back gives both what they had.
func TestOrganisationComesWithTheTeam(t *testing.T) {
	claimed := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		kept, other string // whose name they are in
		noTeam      bool   // whoever merges leaves the people behind
		want        string
	}{
		"none of its own":                  {"", "org", false, "org"},
		"without the people":               {"", "org", true, ""},
		"one of its own":                   {"second", "org", false, "second"},
		"the same":                         {"org", "org", false, "org"},
		"in the name of what it becomes":   {"", "kept", false, ""},
		"in the name of what goes into it": {"other", "org", false, "org"},
	} {
		t.Run(name, func(t *testing.T) {
			d := openDirectory(t, directory.Options{})
			kept, other, org, second := put(t, d, place("La Fourmilière")), put(t, d, place("Fourmilière (la)")), put(t, d, place("Association")), put(t, d, place("Fédération"))
			ids := map[string]directory.ID{"": "", "kept": kept.ID, "other": other.ID, "org": org.ID, "second": second.ID}
			inNameOf := func(e directory.Entry, org string, at time.Time) directory.Entry {
				if e.Claimed = at; org != "" {
					e.Private = &directory.Private{Team: ids[org]}
				}
				outcomes, err := d.Write(t.Context(), directory.Write{Author: "account:ben", Op: directory.OpTeam, Entries: []directory.Entry{e}})
				if err != nil || outcomes[0].Err != nil {
					t.Fatal(err, outcomes)
				}
				return outcomes[0].Entry
			}
			kept, other = inNameOf(kept, c.kept, time.Time{}), inNameOf(other, c.other, claimed)
			team := func(e directory.Entry) directory.ID {
				if e.Private == nil {
					return ""
				}
				return e.Private.Team
			}
			m := mergeOf(kept, other)
			m.Team = !c.noTeam
			now, err := d.Merge(t.Context(), m)
			if err != nil || team(now) != ids[c.want] {
				t.Errorf("in the name of %q, %v; want %q", team(now), err, ids[c.want])
			}
			if comes := c.want == "org"; now.Claimed.Equal(claimed) != comes {
				t.Errorf("claimed %v, want that of the other: %v", now.Claimed, comes)
			}
			now.Summary = "Écrit depuis"
			put(t, d, now)
			back, err := d.Unmerge(t.Context(), "account:mod", "two", other.ID, read(t, d, other.ID).Version)
			if now := read(t, d, kept.ID); err != nil || team(back) != ids[c.other] || team(now) != ids[c.kept] || !now.Claimed.IsZero() || !back.Claimed.Equal(claimed) || now.Summary != "Écrit depuis" {
				t.Errorf("apart again: %v, %+v and %+v", err, now, back)
			}
		})
	}
}

// TestMergePrefersWhatPeopleKeep: people of an organisation know better than an import does.
func TestMergePrefersWhatPeopleKeep(t *testing.T) {
	imported, posted := place("Import"), place("Association")
	imported.Updated, posted.Private = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), &directory.Private{Team: directory.NewID()}
	for _, f := range directory.MergeFields(&imported, &posted) {
		if f.Prefer != directory.Other {
			t.Errorf("%s is taken from the %s entry", f.Field, f.Prefer)
		}
	}
}

// dying is a store that dies at the nth write.
type dying struct {
	directory.Store
	left int
}

var errDied = errors.New("the power went")

func (s *dying) Append(ctx context.Context, after directory.Seq, changes []directory.Change) (int, error) {
	if s.left--; s.left < 0 {
		return 0, errDied
	}
	return s.Store.Append(ctx, after, changes)
}

func TestMergesAreFinished(t *testing.T) {
	store := openStore(t, t.TempDir())
	d := openDirectory(t, directory.Options{Store: store})
	kept, other := twins(t, d)
	half := openDirectory(t, directory.Options{Store: &dying{store, 1}})
	if _, err := half.Merge(t.Context(), mergeOf(kept, other)); !errors.Is(err, errDied) {
		t.Fatalf("it did not die: %v", err)
	}
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, b := read(t, d, kept.ID), read(t, d, other.ID); !a.Public() || !b.Public() || a.Description != "Longue." {
		t.Fatalf("half a merge: %+v %+v", a, b)
	}
	d.Follow(directory.Merges{Directory: d})
	stop := run(t, d)
	eventually(t, "the merge is finished", func() bool { return read(t, d, other.ID).MergedInto == kept.ID })

	stop() // a follower that runs meanwhile may be faster than the one that dies, which then has nothing left to do
	half = openDirectory(t, directory.Options{Store: &dying{store, 1}})
	if _, err := half.Unmerge(t.Context(), "m", "", other.ID, read(t, d, other.ID).Version); !errors.Is(err, errDied) {
		t.Fatalf("it did not die: %v", err)
	}
	if read(t, d, other.ID).Status != directory.Removed {
		t.Fatal("it did not die half way")
	}
	d = openDirectory(t, directory.Options{Store: store})
	d.Follow(directory.Merges{Directory: d})
	run(t, d)
	eventually(t, "the taking back is finished", func() bool { return read(t, d, other.ID).Status == directory.Published })
	// A follower that reads the log once more does nothing again.
	before := d.Head()
	changes, err := d.Changes(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := (directory.Merges{Directory: d}).Consume(t.Context(), changes); err != nil || d.Head() != before {
		t.Errorf("read again: %v, and %d changes", err, d.Head()-before)
	}
}

// TestMain lets the test binary be a process that merges until it is killed.
func TestMain(m *testing.M) {
	dir := os.Getenv("ARCHIPEL_MERGE_CHILD")
	if dir == "" {
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, mergeForEver(context.Background(), dir))
	os.Exit(3)
}

// mergeForEver makes pairs of entries, merges them and takes every third merge back.
func mergeForEver(ctx context.Context, dir string) error {
	store, err := sqlitestore.Open(ctx, dir)
	if err != nil {
		return err
	}
	d, err := directory.Open(ctx, directory.Options{Store: store})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		var pair [2]directory.Entry
		for k, word := range []string{"kept", "other"} {
			e := directory.Entry{Kind: directory.Place, Name: word, Sites: []orb.Point{{4.39, 45.44}}, Tags: []string{fmt.Sprintf("%s %d", word, i)}}
			if pair[k], err = d.Put(ctx, "child", e); err != nil {
				return err
			}
		}
		fmt.Println(pair[0].ID, pair[1].ID)
		if _, err := d.Merge(ctx, mergeOf(pair[0], pair[1])); err != nil {
			return err
		}
		if i%3 == 0 {
			e, err := d.Entry(ctx, pair[1].ID)
			if err != nil {
				return err
			}
			if _, err := d.Unmerge(ctx, "child", "", e.ID, e.Version); err != nil {
				return err
			}
		}
	}
}

// TestKilledWhileMerging: whenever the process dies, every tag of every pair is public somewhere, and what was begun is
// finished at the next start.
func TestKilledWhileMerging(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes; not with -short")
	}
	dir := t.TempDir()
	var pairs [][2]directory.ID
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "ARCHIPEL_MERGE_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := bufio.NewReader(out)
		for n := 0; ; n++ {
			if n == 1+round { // it has begun; how far it is with the next ones is left to chance
				time.Sleep(time.Duration(7*round) * time.Millisecond)
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			line, err := said.ReadString('\n')
			if err != nil { // a line that was cut short says nothing
				if n < 1+round {
					t.Fatalf("round %d: it ended by itself after %d pairs: %v", round, n, err)
				}
				break
			}
			if f := strings.Fields(line); len(f) == 2 {
				pairs = append(pairs, [2]directory.ID{directory.ID(f[0]), directory.ID(f[1])})
			}
		}
		_ = cmd.Wait() // it was killed
	}
	d := openDirectory(t, directory.Options{Store: openStore(t, dir)})
	d.Follow(directory.Merges{Directory: d})
	run(t, d)
	eventually(t, "the follower has read everything", func() bool {
		return slices.ContainsFunc(d.Followers(), func(f directory.FollowerState) bool { return f.Name == "merges" && f.At == d.Head() })
	})
	for i, pair := range pairs {
		kept, other := read(t, d, pair[0]), read(t, d, pair[1])
		merged := other.Status == directory.Removed
		if !kept.Public() || merged != (other.MergedInto == kept.ID) || merged != (len(kept.Tags) == 2) {
			t.Fatalf("pair %d of %d: %s %v, %s %v into %s", i, len(pairs), kept.Status, kept.Tags, other.Status, other.Tags, other.MergedInto)
		}
	}
	t.Logf("%d pairs", len(pairs))
}
