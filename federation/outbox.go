package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"archipel/directory"
	"archipel/federation/vocab"

	"github.com/google/uuid"
)

// outboxPage is how many activities a page of the outbox has.
const outboxPage = 20

// outbox shows what an actor of ours posts, newest first, as Creates: Gancio and Mobilizon walk it. What an organisation posts
// is in the instance's as an Announce. Its pages begin after an entry, so they do not shift while new ones come in.
func (s *Service) outbox(w http.ResponseWriter, r *http.Request) {
	who, ok := s.askedActor(w, r)
	if !ok || !s.allowed(w, r) {
		return
	}
	id := who.id + "/outbox"
	total := s.Published.Len()
	if who.entry != "" {
		total = len(s.Published.postsOf(who.entry))
	}
	doc := map[string]any{
		"@context": vocab.Terms(), "id": id, "type": "OrderedCollection", "attributedTo": who.id,
		"totalItems": total, "first": id + "?page=true",
	}
	if !r.URL.Query().Has("page") {
		s.answer(w, http.StatusOK, typeActivity, doc)
		return
	}
	after, ok := parsePost(r.URL.Query().Get("after"))
	if !ok {
		refuse(w, http.StatusBadRequest, "after: is no place in the outbox")
		return
	}
	page, more := s.Published.page(after, outboxPage)
	if who.entry != "" {
		page, more = pageOf(s.Published.postsOf(who.entry), after, outboxPage)
	}
	items, err := s.outboxItems(r.Context(), who, page)
	if err != nil {
		s.fail(w, err)
		return
	}
	doc["type"], doc["partOf"], doc["orderedItems"] = "OrderedCollectionPage", id, items
	doc["id"] = id + "?page=true"
	if after != (post{}) {
		doc["id"] = id + "?page=true&after=" + after.String()
	}
	delete(doc, "first")
	if more {
		doc["next"] = id + "?page=true&after=" + page[len(page)-1].String()
	}
	s.answer(w, http.StatusOK, typeActivity, doc)
}

// outboxItems are the activities of an actor about posts.
func (s *Service) outboxItems(ctx context.Context, who identity, page []post) ([]any, error) {
	ids := make([]directory.ID, len(page))
	for i, p := range page {
		ids[i] = directory.ID(p.id.String())
	}
	entries, err := s.Directory.Entries(ctx, ids)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for i := range entries {
		e := &entries[i]
		if !publishes(e) {
			continue // taken back since
		}
		by, err := s.author(ctx, e, !s.unsettled(e))
		if err != nil {
			return nil, err
		}
		verb := verbCreate
		switch {
		case by.id == who.id:
		case who.entry == "":
			verb = verbAnnounce
		default:
			continue // another one posted it
		}
		a, err := s.telling(ctx, who, e, verb)
		if err != nil {
			return nil, err
		}
		delete(a, "@context") // that of the page holds
		items = append(items, a)
	}
	return items, nil
}

// String is a place in the outbox: when an entry was created, and its id.
func (p post) String() string { return strconv.FormatInt(p.at, 10) + "_" + p.id.String() }

func parsePost(text string) (post, bool) {
	if text == "" {
		return post{}, true
	}
	at, id, ok := strings.Cut(text, "_")
	n, errN := strconv.ParseInt(at, 10, 64)
	u, errU := uuid.Parse(id)
	return post{u, n}, ok && errN == nil && errU == nil
}

// fail answers for an error of ours.
func (s *Service) fail(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	switch {
	case errors.Is(err, directory.ErrNotFound):
		refuse(w, http.StatusNotFound, "")
		return
	case errors.Is(err, directory.ErrUnavailable), errors.Is(err, directory.ErrFull):
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "60")
	}
	s.Log.Error("federation: request failed", "err", err)
	refuse(w, code, fmt.Sprintf("%s; try again later", strings.ToLower(http.StatusText(code))))
}
