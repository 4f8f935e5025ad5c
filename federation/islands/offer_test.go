package islands_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/fedtest"
	"archipel/federation/islands"
)

// letters are the desk of an island: what was suggested to it, and what it heard of its own suggestions.
type letters struct {
	mu      sync.Mutex
	came    []directory.Correction
	answers []string
	keys    map[string]int // how often a key was told
	fail    error          // of the next call
}

func (l *letters) failing() error {
	err := l.fail
	l.fail = nil
	return err
}

func (l *letters) correct(_ context.Context, c directory.Correction) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.failing(); err != nil {
		return err
	}
	var invalid directory.Invalid
	if err := directory.Validate(&c.Entry, directory.Rules{}); err != nil {
		if _, ok := err.(directory.Invalid); !ok {
			return err
		}
		invalid = err.(directory.Invalid)
		return invalid
	}
	for i := range l.came {
		if l.came[i].ID == c.ID {
			return nil
		}
	}
	l.came = append(l.came, c)
	return nil
}

func (l *letters) unfit(invalid directory.Invalid) string {
	return "Pas valable : " + invalid[0].Field
}

func (l *letters) answered(_ context.Context, id directory.ID, answer, key, reason string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.failing(); err != nil {
		return err
	}
	if l.keys == nil {
		l.keys = map[string]int{}
	}
	if l.keys[key]++; l.keys[key] == 1 {
		l.answers = append(l.answers, strings.TrimSpace(answer+" "+reason))
	}
	return nil
}

func (l *letters) list() []directory.Correction {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]directory.Correction(nil), l.came...)
}

func (l *letters) heard() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.answers, "; ")
}

// TestCorrectionsTravel is the whole way: suggested on one island, asked about, accepted on the other, and seen on both.
func TestCorrectionsTravel(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	theirs := farm("Ferme des Bruyères")
	theirs.Tags = []string{"bio"}
	first := b.put(theirs)
	a.follow(b, islands.Scope{}, islands.Show)
	eventually(t, "it arrives", func() bool { return len(a.visible(b.host)) == 1 })
	if _, err := a.s.Curate(ctx, "test", first.ID, islands.Overlay{Tags: []string{"à nous"}, Remark: "de chez nous", Categories: []string{"marche"}}, 0); err != nil {
		t.Fatal(err)
	}
	was := a.entry(first.ID)
	if !a.s.Correctable(&was) {
		t.Fatal("it cannot be corrected")
	}
	mine := was.Clone()
	mine.OpeningHours, mine.Tags = "Sa 09:00-12:00", []string{"bio", "à nous", "AMAP"}
	mine.Sites[0][0] = 4.31
	mine.Private.Email = "voisine@example.org"
	id := directory.NewID()
	if err := a.s.Suggest(ctx, id, &was, &mine, "J’habite <b>en face</b>\u202e."); err != nil {
		t.Fatal(err)
	}
	// Meanwhile its owner changes something else.
	first.Summary = "Légumes et miel."
	first = b.put(first)
	eventually(t, "the correction arrives", func() bool { return len(b.letters.list()) == 1 })
	c := b.letters.list()[0]
	if c.Of != first.ID || c.Island != a.host || c.Note != "J’habite <b>en face</b>." || c.Entry.OpeningHours != "Sa 09:00-12:00" || c.Entry.Sites[0][0] != 4.31 ||
		fmt.Sprint(c.Entry.Tags) != "[bio AMAP]" || fmt.Sprint(c.Entry.Categories) != "[ferme]" || c.Entry.Private != nil || len(c.Entry.Extra) != 0 || c.Entry.Origin != "" || c.Entry.Source != nil {
		t.Errorf("it arrived as %+v", c)
	}
	if c.Base == first.Version || c.Entry.Summary != "Légumes de saison." {
		t.Errorf("it is about version %d, which said %q", c.Base, c.Entry.Summary)
	}

	if err := b.s.AnswerOffer(ctx, c.ID, islands.Questioned, "Toute l’année ?"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the question arrives", func() bool { return a.letters.heard() == "ask Toute l’année ?" })
	for range 2 { // the same answer twice is one
		if err := b.s.AnswerOffer(ctx, c.ID, islands.Approved, "Merci."); err != nil {
			t.Fatal(err)
		}
	}
	first.OpeningHours = c.Entry.OpeningHours
	b.put(first)
	eventually(t, "the answer arrives", func() bool { return a.letters.heard() == "ask Toute l’année ?; approve Merci." })
	eventually(t, "the changed entry arrives", func() bool {
		e := a.entry(first.ID)
		return e.OpeningHours == "Sa 09:00-12:00" && e.Summary == "Légumes et miel." && e.Extra[islands.ExtraRemark] == "de chez nous"
	})
	if err := b.s.AnswerOffer(ctx, c.ID, islands.Declined, "Non, en fait."); err != nil {
		t.Fatal(err)
	}
	if agreement := b.with(a).Out; agreement.State != islands.Accepted {
		t.Errorf("the agreement is %+v now", agreement)
	}
	if agreement := a.with(b).In; agreement.State != islands.Accepted {
		t.Errorf("the agreement is %+v now", agreement)
	}
	// A category of ours that they have is said in their words; one that nobody added here is not touched.
	was = a.entry(first.ID)
	mine = was.Clone()
	mine.Categories = append(mine.Categories, "epicerie-vrac")
	if err := a.s.Suggest(ctx, directory.NewID(), &was, &mine, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second arrives", func() bool { return len(b.letters.list()) == 2 })
	if got := fmt.Sprint(b.letters.list()[1].Entry.Categories); got != "[ferme epicerie-vrac]" {
		t.Errorf("categories %s", got)
	}
	// What only we say of it is nothing to suggest.
	mine = was.Clone()
	mine.Extra, mine.Images = nil, []directory.Image{{URL: "https://example.org/a.jpg", Alt: "x"}}
	if err := a.s.Suggest(ctx, directory.NewID(), &was, &mine, " "); err == nil {
		t.Error("nothing was suggested")
	}
}

// TestCorrectionsAreKept: neither a crash nor a repetition makes two of one, or none.
func TestCorrectionsAreKept(t *testing.T) {
	clock := &clock{}
	a, b := newIsle(t, clock), newIsle(t, clock)
	ctx := t.Context()
	first := b.put(farm("Ferme du Haut"))
	a.follow(b, islands.Scope{}, islands.Show)
	eventually(t, "it arrives", func() bool { return len(a.visible(b.host)) == 1 })
	b.stop() // it is away when somebody suggests something
	suggest := func(summary string) directory.ID {
		t.Helper()
		was, id := a.entry(first.ID), directory.NewID()
		mine := was.Clone()
		mine.Summary = summary
		if err := a.s.Suggest(ctx, id, &was, &mine, ""); err != nil {
			t.Fatal(err)
		}
		return id
	}
	suggest("Du miel.")
	a.stop()
	b.letters.fail = directory.ErrUnavailable // its desk falls over once
	b.open()
	clock.forward(2 * time.Hour) // whoever was away is asked again
	a.open()
	eventually(t, "it arrives after all", func() bool { clock.forward(time.Minute); return len(b.letters.list()) == 1 })
	c := b.letters.list()[0]

	// The answer is written, and the program dies before it is brought.
	a.stop()
	if err := b.s.AnswerOffer(ctx, c.ID, islands.Declined, "Pas de miel ici."); err != nil {
		t.Fatal(err)
	}
	b.stop()
	b.open()
	a.letters.fail = directory.ErrUnavailable
	a.open()
	clock.forward(2 * time.Hour)
	eventually(t, "the answer arrives", func() bool {
		clock.forward(time.Minute)
		return a.letters.heard() == "refuse Pas de miel ici."
	})

	// The same offer under the same id, and the same answer, change nothing.
	doc := offerOf(a, b, first, map[string]any{"summary": "Du miel."})
	for range 3 {
		if err := a.say(b, doc); err != nil {
			t.Fatal(err)
		}
		doc["published"] = time.Now().Format(time.RFC3339Nano)
	}
	eventually(t, "the second is there", func() bool { return len(b.letters.list()) == 2 })
	suggest("Du lait.")
	eventually(t, "the third is there", func() bool { return len(b.letters.list()) >= 3 })
	if n := len(b.letters.list()); n != 3 {
		t.Errorf("%d corrections wait", n)
	}

	// Nobody answers for half a year.
	clock.forward(islands.OfferLife + time.Hour)
	eventually(t, "it is given up", func() bool { return a.letters.heard() == "refuse Pas de miel ici.; lost" })
}

// TestLostCorrections: who cannot be reached for a week will not hear it.
func TestLostCorrections(t *testing.T) {
	clock := &clock{}
	a, b := newIsle(t, clock), newIsle(t, clock)
	first := b.put(farm("Ferme du Bas"))
	a.follow(b, islands.Scope{}, islands.Show)
	eventually(t, "it arrives", func() bool { return len(a.visible(b.host)) == 1 })
	b.stop()
	was := a.entry(first.ID)
	mine := was.Clone()
	mine.Summary = "Du miel."
	if err := a.s.Suggest(t.Context(), directory.NewID(), &was, &mine, ""); err != nil {
		t.Fatal(err)
	}
	clock.forward(8 * 24 * time.Hour)
	eventually(t, "it is given up", func() bool { return a.letters.heard() == "lost" })
	if _, err := islands.End(t.Context(), a.store, b.host, islands.In); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing can be said any more", func() bool {
		return !a.s.Correctable(&was) && a.s.Suggest(t.Context(), directory.NewID(), &was, &mine, "") != nil
	})
}

// offerOf is an offer by an island as anybody could write it.
func offerOf(from, to *isle, e directory.Entry, properties map[string]any) map[string]any {
	said++
	id := fmt.Sprintf("%s/ap/mirror/offers/said-%d", from.base, said)
	var changed []any
	for name := range properties {
		changed = append(changed, name)
	}
	whole := map[string]any{"kind": string(e.Kind), "name": e.Name, "status": "published"}
	for name, v := range properties {
		whole[name] = v
	}
	return map[string]any{
		"@context": "https://www.w3.org/ns/activitystreams", "id": id, "type": "Offer", "actor": from.base + "/ap/mirror", "summary": "x",
		"object": map[string]any{
			"id": id + "#update", "type": "Update", "actor": from.base + "/ap/mirror",
			"object": map[string]any{
				"id": to.base + "/id/" + string(e.ID), "type": "Place", "version": float64(e.Version), "epoch": 0.0, "changed": changed,
				"feature": map[string]any{"type": "Feature", "id": e.ID, "geometry": nil, "properties": whole},
			},
		},
	}
}

// TestHostileCorrections: what is forged, about what is not ours, or too much, does nothing.
func TestHostileCorrections(t *testing.T) {
	a, b, c := newIsle(t, nil), newIsle(t, nil), newIsle(t, nil)
	mine := b.put(farm("Ferme de b"))
	other := c.put(farm("Ferme de c"))
	draft := farm("Brouillon")
	draft.Status = directory.Draft
	draft = b.put(draft)
	a.follow(b, islands.Scope{}, islands.Show)
	b.follow(c, islands.Scope{}, islands.Show)
	eventually(t, "they arrive", func() bool { return len(a.visible(b.host)) == 1 && len(b.visible(c.host)) == 1 })
	inner := func(doc map[string]any) map[string]any {
		return doc["object"].(map[string]any)["object"].(map[string]any)
	}
	for name, doc := range map[string]map[string]any{
		"of a third island":  offerOf(a, b, other, map[string]any{"summary": "pris"}),
		"of a draft":         offerOf(a, b, draft, map[string]any{"summary": "pris"}),
		"of nothing":         offerOf(a, b, directory.Entry{ID: directory.NewID(), Kind: directory.Place, Name: "x"}, map[string]any{"summary": "pris"}),
		"too large":          offerOf(a, b, mine, map[string]any{"description": strings.Repeat("long ", 60_000)}),
		"no properties":      offerOf(a, b, mine, nil),
		"somebody else's":    offerOf(a, b, mine, map[string]any{"summary": "pris"}),
		"of another address": offerOf(a, b, mine, map[string]any{"summary": "pris"}),
	} {
		switch name {
		case "of a third island":
			inner(doc)["id"] = c.base + "/id/" + string(other.ID)
		case "no properties":
			doc["summary"], inner(doc)["changed"] = "", []any{"status", "claimed", 7, nil, "origin"}
		case "somebody else's":
			doc["object"].(map[string]any)["actor"] = c.base + "/ap/mirror"
		case "of another address":
			inner(doc)["id"] = b.base + "/id/../" + string(mine.ID)
		}
		if err := a.say(b, doc); err != nil && name != "too large" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// c has no agreement by which it sees what is b's.
	if err := c.say(b, offerOf(c, b, mine, map[string]any{"summary": "pris"})); err != nil {
		t.Fatal(err)
	}
	// What is well-formed and not valid is refused at once; what is not theirs to say is not taken.
	bad := offerOf(a, b, mine, map[string]any{"name": ""})
	if err := a.say(b, bad); err != nil {
		t.Fatal(err)
	}
	sly := offerOf(a, b, mine, map[string]any{
		"name": "Nouveau nom", "status": "removed", "claimed": "2020-01-01T00:00:00Z", "origin": a.host, "slug": "pris", "licence": "MIT", "images": []any{map[string]any{"url": "https://spy.example/x.png"}},
		"categories": []any{"ferme", "<script>"}, "source": map[string]any{"name": "moi"}, "relations": []any{map[string]any{"rel": "partOf", "target": other.ID}}, "extra": map[string]any{"remark": "x"},
		"private": map[string]any{"owners": []any{"x"}}, "fediverse": map[string]any{"handle": "moi"},
	})
	if err := a.say(b, sly); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sly one arrives", func() bool { return len(b.letters.list()) == 1 })
	got := b.letters.list()[0].Entry
	got.Name = mine.Name
	want := mine.Clone()
	want.Private = nil
	if d := directory.Diff(&want, &got); len(d) > 0 {
		t.Errorf("it changes %+v", d)
	}
	if got.Claimed != want.Claimed || got.Status != want.Status || got.Origin != "" || got.Private != nil || got.Fediverse != nil {
		t.Errorf("it makes %+v", got)
	}
	// Nobody answers for others: an answer counts from whom it was asked of.
	was := a.entry(mine.ID)
	change := was.Clone()
	change.Summary = "autre"
	id := directory.NewID()
	a.follow(c, islands.Scope{}, islands.Show)
	if err := a.s.Suggest(t.Context(), id, &was, &change, ""); err != nil {
		t.Fatal(err)
	}
	said++
	if err := c.say(a, map[string]any{
		"@context": "https://www.w3.org/ns/activitystreams", "id": fmt.Sprintf("%s/ap/mirror#said/%d", c.base, said), "type": "Accept", "actor": c.base + "/ap/mirror",
		"object": map[string]any{"id": a.base + "/ap/mirror/offers/" + string(id), "type": "Offer"},
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the honest one arrives", func() bool { return len(b.letters.list()) == 2 })
	if err := b.s.AnswerOffer(t.Context(), b.letters.list()[1].ID, islands.Approved, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its answer arrives", func() bool { return a.letters.heard() == "approve" })

	// A flood does not reach people.
	for i := range 120 {
		if err := a.say(b, offerOf(a, b, mine, map[string]any{"summary": fmt.Sprint("encore ", i)})); err != nil {
			t.Log(err)
			break
		}
	}
	a.say(b, offerOf(a, b, mine, map[string]any{"summary": "la dernière"}))
	eventually(t, "the flood is noted", func() bool {
		s, err := b.s.State(t.Context(), a.host)
		if err != nil {
			t.Fatal(err)
		}
		return s.Refused["too many corrections"] > 0
	})
	if n := len(b.letters.list()); n > 80 {
		t.Errorf("%d corrections wait", n)
	}
}

// TestUnfitCorrections: what is refused at once is refused in the words of the directory that refuses.
func TestUnfitCorrections(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	mine := b.put(farm("Ferme de b"))
	a.follow(b, islands.Scope{}, islands.Show)
	eventually(t, "it arrives", func() bool { return len(a.visible(b.host)) == 1 })
	was := a.entry(mine.ID)
	change := was.Clone()
	change.Summary = strings.Repeat("long ", 1000)
	if err := a.s.Suggest(t.Context(), directory.NewID(), &was, &change, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the refusal arrives", func() bool { return a.letters.heard() == "refuse Pas valable : summary" })
}

// TestGoldenOffer holds to a file what a correction is said in.
func TestGoldenOffer(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	place := farm("Ferme du Haut")
	place.ID = "0190a3a0-7b1c-7e2f-8d3c-000000000007"
	b.put(place)
	a.follow(b, islands.Scope{}, islands.Show)
	eventually(t, "it arrives", func() bool { return len(a.visible(b.host)) == 1 })
	was := a.entry(place.ID)
	mine := was.Clone()
	mine.OpeningHours = "Sa 09:00-12:00"
	doc := a.s.OfferOf(t, "0190a3a0-7b1c-7e2f-8d3c-000000000008", &was, &mine, "Vu sur place.")
	doc["published"] = "2027-07-01T10:00:00Z"
	feature := doc["object"].(map[string]any)["object"].(map[string]any)["feature"].(map[string]any)["properties"].(map[string]any)
	feature["created"], feature["updated"] = "2027-06-01T10:00:00Z", "2027-06-01T10:00:00Z"
	body, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	fedtest.Golden(t, *update, "offer.json", body, a.base, "HOST", b.base, "OTHER", a.host, "NAME", b.host, "OTHERNAME")
}
