package federation

import (
	"context"
	"errors"
	"html"
	"net/http"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

// profile is the actor of an organisation: who it is, and what its team lets others do with it.
func (s *Service) profile(who identity, e *directory.Entry) map[string]any {
	doc := s.identityTerms(who)
	f := e.Fediverse
	if f == nil {
		f = &directory.Fediverse{}
	}
	about := paragraph(e.Summary)
	if about == "" {
		about = markdown(e.Description)
	}
	for k, v := range map[string]any{
		"type": f.ActorType(), "preferredUsername": f.Handle, "name": e.Name, "summary": about, "url": s.pageURL(e),
		"published": e.Created.UTC().Format(time.RFC3339), "updated": e.Updated.UTC().Format(time.RFC3339),
		"manuallyApprovesFollowers": s.policy.get().Mode != ModeOpen, "discoverable": f.Discoverable, "indexable": f.Indexable,
		"attachment": s.facts(e), "upcomingEvents": who.id + "/upcoming",
	} {
		doc[k] = v
	}
	known := slices.Clone(f.AlsoKnownAs)
	for _, id := range s.Published.mergedInto(e.ID) {
		known = append(known, s.actorID(id))
	}
	if len(known) > 0 {
		doc["alsoKnownAs"] = known
	}
	if to := s.target(e); to != "" {
		doc["movedTo"] = to
	}
	if len(e.Images) > 0 {
		if address := s.absolute(e.Images[0].URL); address != "" {
			doc["icon"] = map[string]any{"type": "Image", "mediaType": mediaType(address), "url": address, "name": e.Images[0].Alt}
		}
	}
	if e.Address != nil && e.Address.Locality != "" {
		if p := s.place(e); p != nil {
			place := map[string]any{"type": "Place", "id": p.ID, "name": p.Name, "address": p.Address}
			if p.HasPoint && !e.Approximate {
				place["longitude"], place["latitude"] = vocab.Decimal(p.Longitude), vocab.Decimal(p.Latitude)
			}
			doc["location"] = place
		}
	}
	return doc
}

// target is where an organisation's account has moved: elsewhere, or into the one that it was merged into.
func (s *Service) target(e *directory.Entry) string {
	switch {
	case e.MergedInto != "" && s.Published.active(e.MergedInto):
		return s.actorID(e.MergedInto)
	case e.Fediverse != nil && (acts(e) || e.Home() != ""):
		return e.Fediverse.MovedTo
	}
	return ""
}

// facts are the lines of a profile. Mastodon shows four.
func (s *Service) facts(e *directory.Entry) []any {
	list := []any{}
	if e.Contact != nil && e.Contact.Website != "" {
		list = append(list, s.website(e.Contact.Website))
	}
	if where := placeText(e); where != "" {
		list = append(list, fact(factNames(s.Site().Lang).address, html.EscapeString(where)))
	}
	return append(list, fact(s.Site().Name, anchor(s.pageURL(e))))
}

func fact(name, value string) map[string]any {
	return map[string]any{"type": "PropertyValue", "name": name, "value": value}
}

func (s *Service) website(address string) map[string]any {
	return fact(factNames(s.Site().Lang).website, anchor(address))
}

func anchor(address string) string {
	a := html.EscapeString(address)
	return `<a href="` + a + `" rel="me">` + a + `</a>`
}

// absolute is the address of a picture that other servers can ask for, or "".
func (s *Service) absolute(address string) string {
	switch {
	case strings.HasPrefix(address, "/media/"):
		return s.base + address
	case strings.HasPrefix(address, "https://"):
		return address
	}
	return ""
}

// organisation answers for the address of an organisation's actor.
func (s *Service) organisation(w http.ResponseWriter, r *http.Request) {
	id := directory.ID(r.PathValue("actor"))
	e, err := s.Directory.Entry(r.Context(), id)
	if err != nil {
		s.fail(w, err)
		return
	}
	if wantsPage(r) && (e.Public() || e.Home() != "") {
		http.Redirect(w, r, s.pageURL(&e), http.StatusSeeOther)
		return
	}
	if !s.allowed(w, r) {
		return
	}
	if acts(&e) || e.Origin == "" && e.Fediverse != nil && s.target(&e) != "" {
		who, err := s.identity(r.Context(), id)
		if err != nil {
			s.fail(w, err)
			return
		}
		s.answer(w, http.StatusOK, typeActivity, s.profile(who, &e))
		return
	}
	gone, err := s.acted(r.Context(), &e)
	switch {
	case err != nil:
		s.fail(w, err)
	case gone:
		who, err := s.identity(r.Context(), id)
		if err != nil {
			s.fail(w, err)
			return
		}
		// Its last word, that it is gone, is signed by it: the keys are shown on.
		doc := s.identityTerms(who)
		s.answer(w, http.StatusGone, typeActivity, map[string]any{
			"@context": doc["@context"], "id": who.id, "type": "Tombstone", "formerType": e.Fediverse.ActorType(), "deleted": e.Updated.UTC().Format(time.RFC3339),
			"publicKey": doc["publicKey"], "assertionMethod": doc["assertionMethod"],
		})
	default:
		refuse(w, http.StatusNotFound, "")
	}
}

// acted reports whether an organisation had an actor. One that has keys was known to somebody.
func (s *Service) acted(ctx context.Context, e *directory.Entry) (bool, error) {
	if e.Origin != "" {
		return false, nil
	}
	r, err := s.store.Record(ctx, kindKey, actorKey(e.ID))
	return r.Rev > 0, err
}

// upcoming lists what an organisation organises from now on, soonest first (FEP-8a8e).
func (s *Service) upcoming(w http.ResponseWriter, r *http.Request) {
	who, ok := s.askedActor(w, r)
	if !ok || !s.allowed(w, r) {
		return
	}
	var ids []directory.ID
	for _, p := range s.Published.postsOf(who.entry) {
		ids = append(ids, directory.ID(p.id.String()))
	}
	entries, err := s.Directory.Entries(r.Context(), ids)
	if err != nil {
		s.fail(w, err)
		return
	}
	type date struct {
		at time.Time
		id string
	}
	var dates []date
	for i := range entries {
		e := &entries[i]
		if !publishes(e) || e.Kind != directory.Event {
			continue
		}
		by, err := s.author(r.Context(), e, false)
		if err != nil {
			s.fail(w, err)
			return
		}
		if next, ok := e.Event.Next(s.Now(), nil); ok && by.id == who.id && next.State != directory.Cancelled {
			dates = append(dates, date{next.Start, s.objectID(e.ID)})
		}
	}
	slices.SortStableFunc(dates, func(a, b date) int { return a.at.Compare(b.at) })
	items := []any{}
	for _, d := range dates[:min(len(dates), 100)] {
		items = append(items, d.id)
	}
	s.answer(w, http.StatusOK, typeActivity, map[string]any{
		"@context": vocab.Context, "id": who.id + "/upcoming", "type": "OrderedCollection", "attributedTo": who.id, "totalItems": len(dates), "orderedItems": items,
	})
}

// errOurs is the error of an account on this very instance.
var errOurs = errors.New("this account is ours")

// Elsewhere returns the address of an account on another server, for moving: what was typed is its handle or its address.
// back reports whether that account says that it is also known as the given one of ours.
func (s *Service) Elsewhere(ctx context.Context, typed string, ours *directory.Entry) (address string, back bool, err error) {
	typed = strings.TrimSpace(typed)
	if !strings.HasPrefix(typed, "https://") && !strings.HasPrefix(typed, "http://") {
		if address, err = s.finger(ctx, typed, relSelf); err != nil {
			return "", false, err
		}
	} else {
		address = typed
	}
	if s.ours(address) {
		return "", false, errOurs
	}
	a, err := s.actors.fetch(ctx, address, true)
	if err != nil {
		return "", false, err
	}
	return a.ID, slices.Contains(vocab.Texts(a.Doc, "alsoKnownAs"), s.actorID(ours.ID)), nil
}
