package islands

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

// The kinds of records of corrections. The people who suggest are not in them: who asks for an offer keeps their names.
const (
	kindOffer   = "island-offer"   // what we suggested, by ID
	kindOffered = "island-offered" // what was suggested to us, by ID
)

// Answers to a correction that was suggested.
const (
	Approved   = "approve"
	Declined   = "refuse"
	Questioned = "ask"  // nothing is decided yet
	Lost       = "lost" // it could not be brought there, or nobody answered for [OfferLife]
)

// OfferLife is how long a correction waits for an answer, and its answer is remembered.
const OfferLife = 180 * 24 * time.Hour

const (
	maxOpen   = 100     // corrections of ours that wait at one directory
	maxOpened = 4 * 100 // and of one directory that wait here
	maxNote   = 2000    // characters
)

// sentOffer is a correction that this directory suggested.
type sentOffer struct {
	Host   string       `json:"host"`
	Of     directory.ID `json:"of"`
	Answer string       `json:"answer,omitempty"`
	Sent   time.Time    `json:"sent"`
}

// takenOffer is a correction that another directory suggested.
type takenOffer struct {
	Host   string       `json:"host"`
	Offer  string       `json:"offer"` // id of the activity
	Of     directory.ID `json:"of"`
	Kept   bool         `json:"kept,omitempty"` // who decides has it
	Answer string       `json:"answer,omitempty"`
	Came   time.Time    `json:"came"`
}

func final(answer string) bool { return answer == Approved || answer == Declined || answer == Lost }

// offered are the properties of an entry that another directory may have an opinion about.
var offered = []string{
	"name", "summary", "description", "lang", "translations", "categories", "tags", geometryField, "approximate", "area", "address", "contact",
	"links", "openingHours", "accessibility", "identifiers", "event",
}

const geometryField = "geometry"

// fields are the properties of the public form of an entry, and its geometry.
func fields(e *directory.Entry) (map[string]json.RawMessage, error) {
	b, err := encode(e)
	if err != nil {
		return nil, err
	}
	var f struct {
		Geometry   json.RawMessage            `json:"geometry"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, err
	}
	f.Properties[geometryField] = f.Geometry
	return f.Properties, nil
}

// withFields is an entry with other properties.
func withFields(e *directory.Entry, f map[string]json.RawMessage) (out directory.Entry, err error) {
	geometry := f[geometryField]
	delete(f, geometryField)
	b, err := json.Marshal(map[string]any{"type": "Feature", "id": e.ID, "geometry": geometry, "properties": f})
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(b, &out)
}

// Correctable reports whether a correction of an entry of another directory can be brought to it: there is an agreement by
// which we follow it. A directory that is only known by way of a third one is not talked to.
func (s *Service) Correctable(e *directory.Entry) bool {
	if e.Origin == "" || !e.Public() || e.Private == nil || e.Private.Mirror == nil || e.Private.Mirror.Raw == "" {
		return false
	}
	a := s.cache.get(e.Origin)
	return a != nil && a.In.Active() && a.About.Version > 0 && a.Inbox != "" && !s.Network.Blocks(e.Origin)
}

// Suggest offers a correction of an entry to the directory that it belongs to: was is the entry as it stands here, mine as
// it should be, note what to say with it. What is private in mine, and who suggests it, stays here. The answer comes to
// [Options.Answered] under the id. The error is [ErrNoAgreement], or a [directory.Invalid] about "note" when nothing that
// the other directory keeps would change, or says that too many wait there already.
func (s *Service) Suggest(ctx context.Context, id directory.ID, was, mine *directory.Entry, note string) error {
	if !s.Correctable(was) {
		return ErrNoAgreement
	}
	a := s.cache.get(was.Origin)
	doc, err := Received(was)
	if err != nil {
		return err
	}
	st, _, err := s.parse(doc)
	if err != nil {
		return err
	}
	wanted, changed, err := s.inTheirWords(ctx, a, st, was, mine)
	if err != nil {
		return err
	}
	note = plain(note)
	if len(changed) == 0 && note == "" {
		return directory.Invalid{{Field: "note", Code: directory.CodeRequired}}
	}
	open := 0
	err = each(ctx, s.store, kindOffer, func(_ string, _ int64, v sentOffer) error {
		if v.Host == was.Origin && !final(v.Answer) {
			open++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if open >= maxOpen {
		return fmt.Errorf("%d corrections wait at %s already: %w", open, was.Origin, directory.ErrUnavailable)
	}
	body, err := encode(s.offer(a, id, st, &wanted, changed, note))
	if err != nil {
		return err
	}
	if len(body) > maxObject {
		return directory.Invalid{{Field: "description", Code: directory.CodeTooLong, Params: map[string]any{"max": maxObject, "got": len(body)}}}
	}
	now := s.Now().UTC().Truncate(time.Millisecond)
	if err := put(ctx, s.store, kindOffer, string(id), sentOffer{Host: was.Origin, Of: was.ID, Sent: now}, 0); err != nil {
		return err
	}
	return s.post(ctx, "offer "+string(id), post{Host: was.Origin, Body: body, Offer: id, Since: now})
}

// inTheirWords is the entry as its origin has it, with what mine changes of the entry that people see here, and which
// properties these are. Categories and tags that were added or translated here are no business of the origin's.
func (s *Service) inTheirWords(ctx context.Context, a *Agreement, st *state, was, mine *directory.Entry) (out directory.Entry, changed []string, err error) {
	here, err := fields(was)
	if err != nil {
		return out, nil, err
	}
	want, err := fields(mine)
	if err != nil {
		return out, nil, err
	}
	there, err := fields(&st.entry)
	if err != nil {
		return out, nil, err
	}
	words, err := Map(ctx, s.store, a.Host)
	if err != nil {
		return out, nil, err
	}
	for _, name := range offered {
		if bytes.Equal(here[name], want[name]) {
			continue
		}
		value := want[name]
		switch name {
		case "categories":
			value, err = encode(s.theirCategories(a, st, words, was.Categories, mine.Categories))
		case "tags":
			value, err = encode(tied(st.entry.Tags, was.Tags, mine.Tags))
		}
		if err != nil {
			return out, nil, err
		}
		if bytes.Equal(value, there[name]) || len(there[name]) == 0 && (len(value) == 0 || string(value) == "null" || string(value) == "[]") {
			continue
		}
		if there[name] = value; len(value) == 0 {
			delete(there, name)
		}
		changed = append(changed, name)
	}
	out, err = withFields(&st.entry, there)
	return out, changed, err
}

// tied is a list with what another one gained and without what it lost.
func tied(list, before, after []string) []string {
	out := []string{}
	for _, one := range list {
		if !slices.Contains(before, one) || slices.Contains(after, one) {
			out = append(out, one)
		}
	}
	for _, one := range after {
		if !slices.Contains(before, one) && !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}

// theirCategories says in the words of the origin what was changed in ours. What it has no word for cannot be said.
func (s *Service) theirCategories(a *Agreement, st *state, m map[string]string, before, after []string) []string {
	ours := func(w word) string { o, _ := s.meaning(w, m); return o }
	gone := func(id string) bool { return id != "" && slices.Contains(before, id) && !slices.Contains(after, id) }
	out := []string{}
	for _, id := range st.entry.Categories {
		w := word{ID: id}
		if i := slices.IndexFunc(st.words, func(w word) bool { return w.ID == id }); i >= 0 {
			w = st.words[i]
		}
		if !gone(ours(w)) {
			out = append(out, id)
		}
	}
	for _, id := range after {
		if slices.Contains(before, id) {
			continue
		}
		i := slices.IndexFunc(a.About.Categories, func(w word) bool { return w.ID == id })
		if i < 0 {
			i = slices.IndexFunc(a.About.Categories, func(w word) bool { return ours(w) == id })
		}
		if i >= 0 && !slices.Contains(out, a.About.Categories[i].ID) {
			out = append(out, a.About.Categories[i].ID)
		}
	}
	return out
}

func (s *Service) offerID(id directory.ID) string { return s.mirrorID() + "/offers/" + string(id) }

// offer is the activity that suggests a correction.
func (s *Service) offer(a *Agreement, id directory.ID, st *state, wanted *directory.Entry, changed []string, note string) map[string]any {
	if changed == nil {
		changed = []string{}
	}
	doc := map[string]any{
		"@context": []any{vocab.Context, map[string]any{
			"archipel": terms, "feature": map[string]any{"@id": "archipel:feature", "@type": "@json"}, "epoch": "archipel:epoch", "version": "archipel:version",
			"changed": map[string]any{"@id": "archipel:changed", "@container": "@set"},
		}},
		"id": s.offerID(id), "type": "Offer", "actor": s.mirrorID(), "to": []any{a.Actor}, "published": stamp(s.Now()),
		"object": map[string]any{
			"id": s.offerID(id) + "#update", "type": "Update", "actor": s.mirrorID(),
			"object": map[string]any{
				"id": st.object, "type": objectTypes[wanted.Kind], "name": wanted.Name, "epoch": st.epoch, "version": st.version,
				"changed": changed, "feature": wanted,
			},
		},
	}
	if note != "" {
		doc["summary"] = note
	}
	return doc
}

// plain is a remark as it is kept and sent: valid text without control characters, not too long.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 { // nor what turns the direction of writing
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if runes := []rune(text); len(runes) > maxNote {
		text = string(runes[:maxNote])
	}
	return strings.TrimSpace(text)
}

// offerAnswered takes what another directory says of a correction that we suggested.
func (s *Service) offerAnswered(ctx context.Context, host string, doc map[string]any, a *vocab.Activity) error {
	id := directory.ID(strings.TrimPrefix(a.Object().ID, s.offerID("")))
	answer := map[string]string{"Accept": Approved, "Reject": Declined, "TentativeReject": Questioned}[a.Type]
	if !id.Valid() || answer == "" {
		return nil
	}
	var o sentOffer
	rev, err := get(ctx, s.store, kindOffer, string(id), &o)
	if err != nil || rev == 0 || o.Host != host || final(o.Answer) {
		return err // it was never asked, or has answered
	}
	return s.settleOffer(ctx, id, answer, a.ID, plain(vocab.Text(doc, "summary")))
}

// settleOffer tells who suggested a correction what became of it, and notes that. The note comes last: after a crash the
// same is told again, under the same key.
func (s *Service) settleOffer(ctx context.Context, id directory.ID, answer, key, reason string) error {
	if s.Answered != nil {
		if err := s.Answered(ctx, id, answer, key, reason); err != nil {
			return err
		}
	}
	_, err := change(ctx, s.store, kindOffer, string(id), func(v *sentOffer, rev int64) (bool, error) {
		if rev == 0 || final(v.Answer) {
			return false, nil
		}
		v.Answer = answer
		return true, nil
	})
	return err
}

// tendOffers forgets what was answered long ago, and gives up what nobody answered.
func (s *Service) tendOffers(ctx context.Context) error {
	before := s.Now().Add(-OfferLife)
	err := each(ctx, s.store, kindOffer, func(key string, rev int64, v sentOffer) error {
		if !v.Sent.Before(before) {
			return nil
		}
		if !final(v.Answer) {
			if err := s.settleOffer(ctx, directory.ID(key), Lost, key+" "+Lost, ""); err != nil {
				return err
			}
		}
		return s.store.DeleteRecord(ctx, kindOffer, key, 0)
	})
	if err != nil {
		return err
	}
	return each(ctx, s.store, kindOffered, func(key string, rev int64, v takenOffer) error {
		// An activity is not taken twice within this time, nor one of another day: see the inbox.
		if !v.Came.Before(before) || !final(v.Answer) && !v.Came.Before(before.Add(-OfferLife)) {
			return nil
		}
		return s.store.DeleteRecord(ctx, kindOffered, key, 0)
	})
}
