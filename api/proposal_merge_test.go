package api_test

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"

	"github.com/paulmach/orb"
)

// TestApprovingKeepsNewerContact: a visitor proposes a phone, the owner then changes the e-mail of the same contact: both
// stand after the approval, and the queue shows the phone alone.
func TestApprovingKeepsNewerContact(t *testing.T) {
	tn := openTown(t)
	anna, mod := tn.somebody("anna", account.Member, "fr"), tn.somebody("mod", account.Moderator, "fr")
	first := place("La Fourmilière", "Lyon", 4.84, 45.76)
	first.Contact = &directory.Contact{Email: "ancien@example.org", Phone: "+33 4 77 00 00 00"}
	e := tn.kept(first, anna)
	page := "/e/" + e.Slug + "/suggest"
	if got := tn.visitor().post(page, page, url.Values{"version": {seq(e.Version)}, "contact.phone": {"+33 4 77 99 99 99"}, "sender": {"voisin@example.org"}}); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("suggesting: %d %s", got.StatusCode, got.body)
	}
	if got := anna.change(e.ID, url.Values{"contact.email": {"nouveau@example.org"}}); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("changing: %d %s", got.StatusCode, got.body)
	}
	list, err := api.Proposals(t.Context(), tn.store, "", 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d wait, %v", len(list), err)
	}
	if queue := mod.get("/moderate?show=correction").body; !strings.Contains(queue, "99 99 99") || strings.Contains(queue, "ancien@example.org") {
		t.Error("the queue shows more, or less, than what an approval changes")
	}
	if got := mod.post("/moderate", "/moderate/proposals/"+string(list[0].ID), decision(tn.entry(e.ID), "approve", "")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("approving: %d %s", got.StatusCode, got.body)
	}
	if got := *tn.entry(e.ID).Contact; got != (directory.Contact{Email: "nouveau@example.org", Phone: "+33 4 77 99 99 99"}) {
		t.Errorf("the contact is %+v", got)
	}
}

// TestApprovingMergesInside: what others changed since a proposal was sent stays, in every value that has parts; of a list
// or a shape one of the two stands.
func TestApprovingMergesInside(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2027, 3, d, 18, 0, 0, 0, time.UTC) }
	shape := func(g orb.Geometry) *directory.Area { return &directory.Area{Shape: &directory.Shape{Geometry: g}} }
	square := orb.Polygon{{{4, 45}, {5, 45}, {5, 46}, {4, 45}}}
	larger := orb.MultiPolygon{square, {{{6, 45}, {7, 45}, {7, 46}, {6, 45}}}}
	moved := orb.Polygon{{{4, 45}, {5, 45}, {5, 47}, {4, 45}}}
	for name, c := range map[string]struct {
		base, theirs, mine, want func(*directory.Entry)
		shown, hidden            string // in the queue
	}{
		"a price and a date cancelled meanwhile": {
			base: func(e *directory.Entry) {
				e.Event = &directory.Schedule{Start: day(1), End: day(1).Add(time.Hour), Timezone: "Europe/Paris", RRule: "FREQ=WEEKLY", Price: "5 €"}
			},
			theirs: func(e *directory.Entry) { e.Event.Price = "prix libre" },
			mine: func(e *directory.Entry) {
				e.Event.ExDates, e.Event.Overrides = []time.Time{day(8)}, []directory.Occurrence{{Original: day(15), State: directory.Cancelled}}
			},
			want: func(e *directory.Entry) {
				e.Event.Price = "prix libre"
				e.Event.ExDates, e.Event.Overrides = []time.Time{day(8)}, []directory.Occurrence{{Original: day(15), State: directory.Cancelled}}
			},
			shown: "prix libre",
		},
		"an event cancelled meanwhile": {
			base:   func(e *directory.Entry) { e.Event = &directory.Schedule{Start: day(1), Timezone: "Europe/Paris"} },
			theirs: func(e *directory.Entry) { e.Event.RegisterURL = "https://example.org/venir" },
			mine:   func(e *directory.Entry) { e.Event.State = directory.Cancelled },
			want: func(e *directory.Entry) {
				e.Event.RegisterURL, e.Event.State = "https://example.org/venir", directory.Cancelled
			},
		},
		"texts of translations": {
			base: func(e *directory.Entry) {
				e.Translations = map[string]directory.Translation{"en": {Name: "The Anthill", Summary: "A café"}, "de": {Name: "Ameisen"}}
			},
			theirs: func(e *directory.Entry) {
				e.Translations = map[string]directory.Translation{"en": {Name: "The Ant Hill", Summary: "A café"}, "it": {Name: "Formicaio"}}
			},
			mine: func(e *directory.Entry) {
				e.Translations = map[string]directory.Translation{"en": {Name: "The Anthill", Summary: "A library café"}, "de": {Name: "Ameisen"}, "es": {Name: "Hormiguero"}}
			},
			want: func(e *directory.Entry) {
				e.Translations = map[string]directory.Translation{"en": {Name: "The Ant Hill", Summary: "A library café"}, "it": {Name: "Formicaio"}, "es": {Name: "Hormiguero"}}
			},
			shown: "Ant Hill", hidden: "Hormiguero",
		},
		"a contact that was not there": {
			base:   func(e *directory.Entry) {},
			theirs: func(e *directory.Entry) { e.Contact = &directory.Contact{Phone: "+33 4 77 99 99 99"} },
			mine:   func(e *directory.Entry) { e.Contact = &directory.Contact{Email: "nouveau@example.org"} },
			want: func(e *directory.Entry) {
				e.Contact = &directory.Contact{Phone: "+33 4 77 99 99 99", Email: "nouveau@example.org"}
			},
			hidden: "nouveau@example.org",
		},
		"a contact that goes": {
			base:   func(e *directory.Entry) { e.Contact = &directory.Contact{Phone: "+33 4 77 99 99 99"} },
			theirs: func(e *directory.Entry) { e.Contact = nil },
			mine: func(e *directory.Entry) {
				e.Contact = &directory.Contact{Phone: "+33 4 77 99 99 99", Email: "nouveau@example.org"}
			},
			want:  func(e *directory.Entry) { e.Contact = &directory.Contact{Email: "nouveau@example.org"} },
			shown: "77 99 99 99", hidden: "nouveau@example.org",
		},
		"values by key, and an address": {
			base: func(e *directory.Entry) {
				e.Extra, e.Accessibility = map[string]string{"a": "1", "b": "1", "c": "1"}, map[string]string{"toilets": "no", "wheelchair": "no"}
				e.Identifiers = map[string]string{"osm": "node/1"}
				e.Address = &directory.Address{Street: "3 rue du Lavoir", Locality: "Lyon"}
			},
			theirs: func(e *directory.Entry) {
				e.Extra, e.Accessibility["wheelchair"], e.Identifiers["wikidata"] = map[string]string{"a": "2", "c": "1"}, "yes", "Q42"
				e.Address.Street = "4 rue du Lavoir"
			},
			mine: func(e *directory.Entry) {
				e.Extra, e.Accessibility["toilets"], e.Identifiers["osm"] = map[string]string{"a": "1", "b": "1", "d": "1"}, "yes", "node/2"
				e.Address.PostalCode = "69001"
			},
			want: func(e *directory.Entry) {
				e.Extra, e.Accessibility = map[string]string{"a": "2", "d": "1"}, map[string]string{"toilets": "yes", "wheelchair": "yes"}
				e.Identifiers = map[string]string{"osm": "node/2", "wikidata": "Q42"}
				e.Address = &directory.Address{Street: "4 rue du Lavoir", Locality: "Lyon", PostalCode: "69001"}
			},
		},
		"lists and shapes are one value": {
			base: func(e *directory.Entry) { e.Tags, e.Area = []string{"un"}, shape(square) },
			theirs: func(e *directory.Entry) {
				e.Tags, e.Area, e.Sites = []string{"un", "deux"}, shape(moved), []orb.Point{{4.85, 45.77}}
			},
			mine: func(e *directory.Entry) {
				e.Tags, e.Area, e.Sites = []string{"un", "trois"}, shape(larger), []orb.Point{{4.84, 45.76}, {4.86, 45.78}}
			},
			want: func(e *directory.Entry) {
				e.Tags, e.Area, e.Sites = []string{"un", "deux"}, shape(moved), []orb.Point{{4.85, 45.77}}
			},
		},
		"what only others changed": {
			base: func(e *directory.Entry) { e.Summary, e.Tags, e.Area = "avant", []string{"un"}, shape(square) },
			theirs: func(e *directory.Entry) {
				e.Summary = "proposé"
			},
			mine: func(e *directory.Entry) {
				e.Tags, e.Area, e.Sites = nil, shape(larger), []orb.Point{{4.84, 45.76}, {4.86, 45.78}}
			},
			want: func(e *directory.Entry) {
				e.Summary, e.Tags, e.Area, e.Sites = "proposé", nil, shape(larger), []orb.Point{{4.84, 45.76}, {4.86, 45.78}}
			},
			shown: "propos",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tn := openTown(t)
			tn.server.Corrections = &harbour{open: true}
			mod := tn.somebody("mod", account.Moderator, "fr")
			first := place("La Fourmilière", "Lyon", 4.84, 45.76)
			if c.base(&first); first.Event != nil {
				first.Kind = directory.Event
			}
			e := tn.put(first)[0]
			theirs, mine := e.Clone(), e.Clone()
			c.theirs(&theirs)
			c.mine(&mine)
			sent := directory.Correction{ID: directory.NewID(), Of: e.ID, Base: e.Version, Entry: theirs, Island: "autre.example", Created: now}
			if err := api.TakeCorrection(tn.d, func() directory.Rules { return directory.Rules{} })(t.Context(), sent); err != nil {
				t.Fatal(err)
			}
			want := tn.put(mine)[0].Clone()
			c.want(&want)
			directory.Normalize(&want)
			queue := mod.get("/moderate?show=correction").body
			if !strings.Contains(queue, c.shown) || c.hidden != "" && strings.Contains(queue, c.hidden) {
				t.Errorf("the queue should show %q, not %q", c.shown, c.hidden)
			}
			if got := mod.post("/moderate", "/moderate/proposals/"+string(sent.ID), decision(tn.entry(e.ID), "approve", "")); got.StatusCode != http.StatusSeeOther {
				t.Fatalf("approving: %d %s", got.StatusCode, got.body)
			}
			got := tn.entry(e.ID)
			if diff := directory.Diff(&want, &got); len(diff) > 0 || !reflect.DeepEqual(got.Event, want.Event) {
				t.Errorf("before is wanted, after is got: %+v", diff)
			}
		})
	}
}
