package federation

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/signature"
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
	if !known && s.fingerOrganisation(w, r, resource) {
		return
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

// nodeInfo is NodeInfo 2.1 (FEP-f1d5, FEP-0151). Its users are the organisations that can be followed.
func (s *Service) nodeInfo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	site := s.Site()
	metadata := map[string]any{"nodeName": site.Name, "nodeDescription": site.Summary}
	for name := range s.rooms {
		metadata[name] = s.ActorID(name)
	}
	s.answer(w, http.StatusOK, typeJSON+`; profile="http://nodeinfo.diaspora.software/ns/schema/2.1#"`, map[string]any{
		"version":   "2.1",
		"software":  map[string]any{"name": "archipel", "version": s.Version},
		"protocols": []any{"activitypub"}, "services": map[string]any{"inbound": []any{}, "outbound": []any{"atom1.0"}},
		"openRegistrations": false,
		"usage":             map[string]any{"users": map[string]any{"total": s.Published.Actors()}, "localPosts": s.Published.Len()},
		"metadata":          metadata,
	})
}

const (
	relSelf      = "self"
	relSubscribe = "http://ostatus.org/schema/1.0/subscribe"
	relProfile   = "http://webfinger.net/rel/profile-page"
)

// fingerOrganisation answers WebFinger for an organisation, by its handle, the address of its actor or that of its page, and
// reports whether it was asked for one.
func (s *Service) fingerOrganisation(w http.ResponseWriter, r *http.Request, resource string) bool {
	var id directory.ID
	var ok bool
	if account, isAccount := strings.CutPrefix(resource, "acct:"); isAccount {
		user, host, _ := strings.Cut(strings.TrimPrefix(account, "@"), "@")
		if vocab.Host("https://"+host) != s.host {
			return false
		}
		id, ok = s.Published.byHandle(user)
	} else if slug, isPage := strings.CutPrefix(resource, s.base+"/e/"); isPage {
		if slug, err := url.PathUnescape(slug); err == nil {
			id, ok = s.Directory.BySlug(slug)
		}
	} else if id, ok = s.actorEntry(resource); !ok {
		id, ok = s.entryOf(resource)
	}
	if !ok {
		return false
	}
	e, err := s.Directory.Entry(r.Context(), id)
	if err != nil {
		s.fail(w, err)
		return true
	}
	if e.Origin != "" || e.Fediverse == nil || !acts(&e) && s.target(&e) == "" {
		return false
	}
	actor := s.actorID(id)
	links := []any{map[string]any{"rel": relSelf, "type": typeActivity, "href": actor}}
	aliases := []any{actor}
	if e.Public() {
		links = append(links, map[string]any{"rel": relProfile, "type": "text/html", "href": s.pageURL(&e)})
		aliases = append(aliases, s.pageURL(&e))
	}
	s.answer(w, http.StatusOK, typeJRD, map[string]any{"subject": "acct:" + e.Fediverse.Handle + "@" + s.host, "aliases": aliases, "links": links})
	return true
}

// ErrHandle is the error of a handle that is none.
var ErrHandle = errors.New("this is no address of the fediverse")

// parseHandle reads "@somebody@server" and returns both parts, the server as domains are compared.
func parseHandle(typed string) (user, host string, err error) {
	typed = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(typed), "acct:"), "@")
	user, host, ok := strings.Cut(typed, "@")
	if !ok || user == "" || len(user) > 64 || strings.ContainsFunc(user, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}) {
		return "", "", ErrHandle
	}
	if host, err = Domain(host); err != nil || !strings.ContainsAny(host, ".:") {
		return "", "", ErrHandle
	}
	return user, host, nil
}

// finger asks the server of a handle for one of its links: the address, or the template.
func (s *Service) finger(ctx context.Context, typed, rel string) (string, error) {
	user, host, err := parseHandle(typed)
	if err != nil {
		return "", err
	}
	if p := s.policy.get(); p.Blocked(host) {
		return "", errStranger
	}
	scheme, _, _ := strings.Cut(s.base, "://") // https, but among instances on one machine
	a, err := s.client.Get(ctx, scheme+"://"+host+"/.well-known/webfinger?resource="+url.QueryEscape("acct:"+user+"@"+host), fetch.JRD, s.unblocked(nil))
	if err != nil {
		return "", err
	}
	doc, err := fetch.Object(a.Body)
	if err != nil {
		return "", err
	}
	links, _ := doc["links"].([]any)
	for _, item := range links {
		link, _ := item.(map[string]any)
		if vocab.Text(link, "rel") != rel {
			continue
		}
		if rel == relSubscribe {
			return vocab.Text(link, "template"), nil
		}
		if fetch.IsActivity(vocab.Text(link, "type")) {
			return vocab.Text(link, "href"), nil
		}
	}
	return "", errStranger
}

// ErrNoSubscribe is the error of a server that does not say where its people follow somebody.
var ErrNoSubscribe = errors.New("this server does not say where to follow somebody from it")

// Subscribe returns the page on somebody's own server where they follow one of our actors. typed is their handle there. The
// page is on that very server, whatever it says.
func (s *Service) Subscribe(ctx context.Context, typed, ours string) (string, error) {
	_, host, err := parseHandle(typed)
	if err != nil {
		return "", err
	}
	template, err := s.finger(ctx, typed, relSubscribe)
	if err != nil && !errors.Is(err, errStranger) {
		return "", err
	}
	if !strings.Contains(template, "{uri}") {
		return "", ErrNoSubscribe
	}
	to, err := url.Parse(strings.ReplaceAll(template, "{uri}", url.QueryEscape(ours)))
	scheme, _, _ := strings.Cut(s.base, "://")
	if err != nil || to.Scheme != scheme && to.Scheme != "https" || to.User != nil || to.Opaque != "" || !sameSite(vocab.Host(to.String()), host) {
		return "", ErrNoSubscribe
	}
	return to.String(), nil
}

// sameSite reports whether a page is on the server that was typed, or on a name of the same domain below it: people of
// "example.org" may have their server at "social.example.org".
func sameSite(page, typed string) bool {
	return page != "" && (page == typed || strings.HasSuffix(page, "."+typed))
}

// allowed lets a request for what organisations and people post pass: always, or, where the operator has asked for that, when
// a server signed it that is not blocked. If not, the request has its answer.
func (s *Service) allowed(w http.ResponseWriter, r *http.Request) bool {
	if !s.Site().SignedFetch {
		return true
	}
	w.Header().Set("Cache-Control", "private, no-store")
	_, ok := s.signedBy(w, r)
	return ok
}

// signedBy is the host whose key signed a request without a body; when there is none, the request has its answer.
func (s *Service) signedBy(w http.ResponseWriter, r *http.Request) (host string, ok bool) {
	if !s.limits.client(clientOf(r)) {
		refuseFor(w, http.StatusTooManyRequests, "")
		return "", false
	}
	sig, err := signature.Parse(s.message(r, nil), s.Now())
	if err != nil {
		refuse(w, http.StatusUnauthorized, err.Error())
		return "", false
	}
	host = vocab.Host(sig.KeyID)
	if p := s.policy.get(); host == "" || p.Blocked(host) {
		refuse(w, http.StatusForbidden, "")
		return "", false
	}
	if s.limits.exhausted(host) {
		refuseFor(w, http.StatusTooManyRequests, "")
		return "", false
	}
	key, err := s.actors.keyAlone(withClient(r.Context(), r), sig.KeyID)
	if err == nil {
		err = sig.Verify(key)
	}
	if err != nil {
		code, why := s.unverified(err)
		refuseFor(w, code, why)
		return "", false
	}
	if !s.limits.request(host) {
		refuseFor(w, http.StatusTooManyRequests, "")
		return "", false
	}
	return host, true
}

// refuseFor is [refuse] of a server that may ask again: where that helps, it is told when.
func refuseFor(w http.ResponseWriter, code int, why string) {
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "60")
	}
	refuse(w, code, why)
}
