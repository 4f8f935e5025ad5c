package federation

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"archipel/directory"
	"archipel/federation/vocab"
)

const (
	typeActivity = "application/activity+json"
	typeJRD      = "application/jrd+json"
	typeJSON     = "application/json"
)

// encode writes JSON as it is meant for other servers: without escaping what is safe.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// answer writes a document.
func (s *Service) answer(w http.ResponseWriter, code int, contentType string, doc any) {
	b, err := encode(doc)
	if err != nil {
		s.Log.Error("federation: cannot write a document", "err", err)
		refuse(w, http.StatusInternalServerError, "")
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Vary", "Accept")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "public, max-age=180")
	}
	w.WriteHeader(code)
	_, _ = w.Write(b) // a reader that left has nothing to be told
}

// refuse answers with a status and a word for whoever looks into it.
func refuse(w http.ResponseWriter, code int, why string) {
	if why == "" {
		why = strings.ToLower(http.StatusText(code))
	}
	b, _ := encode(map[string]any{"type": "about:blank", "title": http.StatusText(code), "status": code, "detail": why})
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(b)
}

// emptyCollections are those that Mobilizon walks when it refreshes an actor: it stops at the first that is missing.
var emptyCollections = []string{"following", "members", "resources", "posts", "todos", "discussions", "events"}

// actor is the instance actor.
func (s *Service) actor(w http.ResponseWriter, r *http.Request) {
	if wantsPage(r) {
		http.Redirect(w, r, s.base+"/about", http.StatusSeeOther)
		return
	}
	s.answer(w, http.StatusOK, typeActivity, s.relayDocument(s.self()))
}

// relayDocument is the document of the instance actor, with the keys that it is given.
func (s *Service) relayDocument(who identity) map[string]any {
	site := s.Site()
	doc := s.identityTerms(who)
	for k, v := range map[string]any{
		"type": "Application", "preferredUsername": "relay", "name": site.Name, "summary": paragraph(site.Summary), "url": s.base + "/about",
		"manuallyApprovesFollowers": s.policy.get().Mode != ModeOpen, "discoverable": true, "indexable": true,
		"attachment": []any{s.website(s.base)},
	} {
		doc[k] = v
	}
	if site.Icon != "" {
		doc["icon"] = map[string]any{"type": "Image", "mediaType": "image/png", "url": site.Icon}
	}
	return doc
}

// askedActor is the actor of ours that a request is about; when there is none, the request has its answer.
func (s *Service) askedActor(w http.ResponseWriter, r *http.Request) (identity, bool) {
	id := directory.ID(r.PathValue("actor"))
	if id == "" {
		return s.self(), true
	}
	who, ok, err := s.ourActor(r.Context(), s.actorID(id))
	switch {
	case err != nil:
		s.fail(w, err)
	case !ok:
		refuse(w, http.StatusNotFound, "")
	}
	return who, ok && err == nil
}

func (s *Service) emptyCollection(w http.ResponseWriter, r *http.Request) {
	who, ok := s.askedActor(w, r)
	if !ok {
		return
	}
	s.answer(w, http.StatusOK, typeActivity, map[string]any{
		"@context": vocab.Context, "id": s.base + r.URL.Path, "type": "OrderedCollection", "attributedTo": who.id,
		"totalItems": 0, "orderedItems": []any{},
	})
}

// wantsPage tells people's browsers from servers: those name HTML, and no ActivityStreams before it.
func wantsPage(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	html := strings.Index(accept, "text/html")
	if html < 0 {
		return false
	}
	for _, t := range []string{"activity+json", "ld+json"} {
		if i := strings.Index(accept, t); i >= 0 && i < html {
			return false
		}
	}
	return true
}
