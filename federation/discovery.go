package federation

import (
	"crypto/ed25519"
	"net/http"
	"strings"

	"archipel/federation/vocab"
)

func edPublic(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// webfinger (RFC 7033) finds the instance actor by acct:relay@HOST, by its address, and by the instance's own (FEP-d556).
func (s *Service) webfinger(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	resource := r.URL.Query().Get("resource")
	if resource == "" {
		refuse(w, http.StatusBadRequest, "resource: is required")
		return
	}
	if s.rooms.finger(s, w, resource) {
		return
	}
	subject := "acct:relay@" + s.host
	known := resource == s.relayID() || strings.TrimSuffix(resource, "/") == s.base
	if account, ok := strings.CutPrefix(resource, "acct:"); ok {
		user, host, _ := strings.Cut(strings.TrimPrefix(account, "@"), "@")
		known = strings.EqualFold(user, "relay") && vocab.Host("https://"+host) == s.host
	}
	if !known {
		refuse(w, http.StatusNotFound, "resource: nobody of that name")
		return
	}
	s.answer(w, http.StatusOK, typeJRD, map[string]any{
		"subject": subject,
		"aliases": []any{s.relayID()},
		"links": []any{
			map[string]any{"rel": "self", "type": typeActivity, "href": s.relayID()},
			map[string]any{"rel": "https://www.w3.org/ns/activitystreams#Application", "type": typeActivity, "href": s.relayID()},
			map[string]any{"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": s.base + "/about"},
		},
	})
}

func (s *Service) hostMeta(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/xrd+xml; charset=utf-8")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_, _ = w.Write([]byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0"><Link rel="lrdd" type="application/jrd+json" template="` + s.base +
		`/.well-known/webfinger?resource={uri}"/></XRD>` + "\n"))
}

// nodeInfoLinks leads to NodeInfo and to the instance actor (FEP-2677).
func (s *Service) nodeInfoLinks(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	s.answer(w, http.StatusOK, typeJSON, map[string]any{"links": []any{
		map[string]any{"rel": "http://nodeinfo.diaspora.software/ns/schema/2.1", "href": s.base + "/nodeinfo/2.1"},
		map[string]any{"rel": "https://www.w3.org/ns/activitystreams#Application", "href": s.relayID()},
	}})
}

// nodeInfo is NodeInfo 2.1 (FEP-f1d5, FEP-0151). It has no accounts that others could follow.
func (s *Service) nodeInfo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	site := s.Site()
	s.answer(w, http.StatusOK, typeJSON+`; profile="http://nodeinfo.diaspora.software/ns/schema/2.1#"`, map[string]any{
		"version":   "2.1",
		"software":  map[string]any{"name": "archipel", "version": s.Version},
		"protocols": []any{"activitypub"}, "services": map[string]any{"inbound": []any{}, "outbound": []any{"atom1.0"}},
		"openRegistrations": false,
		"usage":             map[string]any{"users": map[string]any{"total": 0}, "localPosts": s.Published.Len()},
		"metadata":          map[string]any{"nodeName": site.Name, "nodeDescription": site.Summary},
	})
}
