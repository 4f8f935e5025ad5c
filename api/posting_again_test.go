package api_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"archipel/directory"
)

const plainForm = "application/x-www-form-urlencoded"

// about goes through the steps of a new entry up to the last one, and returns its address and what its form would send.
func (p *author) about(name string, last ...string) (path string, body func(more ...string) *strings.Reader) {
	p.t.Helper()
	where := p.send("/add", fieldsOf("kind", "place", "name", name, "categories", "coworking")).leads(p.t, "/where$")
	path = p.send(where, fieldsOf("where", "here", "lat", "45.44", "lon", "4.39")).leads(p.t, "/about$")
	v := fieldsOf(append(last, "csrf", p.token(path))...)
	return path, func(more ...string) *strings.Reader {
		sent := url.Values{}
		for key, list := range v {
			sent[key] = list
		}
		for i := 0; i+1 < len(more); i += 2 {
			sent.Set(more[i], more[i+1])
		}
		return strings.NewReader(sent.Encode())
	}
}

func (s *site) drafts() int {
	s.t.Helper()
	list, err := s.store.Records(context.Background(), "draft", "", 100)
	if err != nil {
		s.t.Fatal(err)
	}
	return len(list)
}

// TestSentTwiceLeadsToTheSamePlace: who sends an entry with two clicks, or again because no answer came, is led where the first
// answer led; nobody else is, and what is typed does not come back as a draft.
func TestSentTwiceLeadsToTheSamePlace(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	for name, tt := range map[string]struct {
		who  *author
		want string
	}{
		"Le Jardin":   {anna, "/me/entries?done=waits"},
		"L’Atelier":   {s.member("Tom", trusted), "/e/l-atelier"},
		"Le Nichoir":  {s.visitor(), "/add/thanks?name=Le+Nichoir"},
		"Le <b> Café": {s.visitor(), "/add/thanks?name=Le+%3Cb%3E+Caf%C3%A9"},
	} {
		about, body := tt.who.about(name, "summary", "x", "action", "next")
		first := tt.who.do(http.MethodPost, about, plainForm, body())
		if to := first.leads(t, "^/"); to != tt.want {
			t.Fatalf("%s: led to %s, want %s", name, to, tt.want)
		}
		head := s.d.Head()
		for what, a := range map[string]answer{
			"sent again":    tt.who.do(http.MethodPost, about, plainForm, body()),
			"looked at":     tt.who.open(about),
			"a step before": tt.who.open(strings.Replace(about, "/about", "/what", 1)),
			"discarded":     tt.who.do(http.MethodPost, strings.Replace(about, "/about", "/discard", 1), plainForm, body()),
		} {
			if to := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || to != tt.want {
				t.Errorf("%s, %s: %d to %q, want %s", name, what, a.StatusCode, to, tt.want)
			}
		}
		if a := tt.who.do(http.MethodPost, about, plainForm, body("action", "keep")); a.StatusCode != http.StatusNoContent {
			t.Errorf("%s: what is kept late: %d", name, a.StatusCode)
		}
		if s.drafts() != 0 || s.d.Head() != head {
			t.Errorf("%s: %d drafts, the log went from %d to %d", name, s.drafts(), head, s.d.Head())
		}
		if tt.who.id == "" {
			continue // a visitor's is who has its address
		}
		for other, who := range map[string]*author{"a visitor": s.visitor(), "another member": s.member("Eve " + name)} {
			if a := who.open(about); a.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s learns what became of the draft: %d", name, other, a.StatusCode)
			}
		}
	}
	if a := anna.open("/me/entries"); !strings.Contains(a.body, "Le Jardin") || strings.Contains(a.body, "Brouillons") {
		t.Errorf("own entries: %d", a.StatusCode)
	}
	// Moderators decide in between.
	visitor := s.visitor()
	about, body := visitor.about("La Mare", "action", "next")
	visitor.do(http.MethodPost, about, plainForm, body()).leads(t, "^/add/thanks")
	e := s.bySlug("la-mare")
	e.Status = directory.Published
	e = s.put(e)[0]
	if to := visitor.open(about).leads(t, "^/"); to != "/e/la-mare" {
		t.Errorf("published: led to %s", to)
	}
	e.Status = directory.Hidden
	s.put(e)
	if a := visitor.open(about); a.StatusCode != http.StatusGone || strings.Contains(a.body, "La Mare") {
		t.Errorf("hidden: %d", a.StatusCode)
	}
}

// between does something after a record was read, and before who asked for it has it.
type between struct {
	directory.Store
	kind string
	then func()
}

func (b *between) Record(ctx context.Context, kind, key string) (directory.Record, error) {
	r, err := b.Store.Record(ctx, kind, key)
	if then := b.then; kind == b.kind && then != nil {
		b.then = nil
		then()
	}
	return r, err
}

// TestNothingRevivesADraft: a draft that is sent, or discarded, while another request still holds it stays away.
func TestNothingRevivesADraft(t *testing.T) {
	var store *between
	s := openPosting(t, func(plain directory.Store) directory.Store {
		store = &between{Store: plain, kind: "draft"}
		return store
	})
	anna := s.member("Anna")
	for name, tt := range map[string]struct {
		entry           string
		meanwhile, late string // what is asked for while the late one is under way
		code            int
		to              string
	}{
		"kept while sent":      {"La Mare", "/about", "keep", http.StatusNoContent, ""},
		"sent while sent":      {"L’Atelier vélo", "/about", "next", http.StatusSeeOther, "/me/entries?done=waits"},
		"kept while discarded": {"Verger commun", "/discard", "keep", http.StatusNotFound, ""},
	} {
		about, body := anna.about(tt.entry, "summary", "x", "action", "next")
		head := s.d.Head()
		store.then = func() {
			anna.do(http.MethodPost, strings.Replace(about, "/about", tt.meanwhile, 1), plainForm, body()).leads(t, "^/me/entries")
		}
		a := anna.do(http.MethodPost, about, plainForm, body("action", tt.late))
		if to := a.Header.Get("Location"); a.StatusCode != tt.code || to != tt.to {
			t.Errorf("%s: %d to %q, want %d to %q", name, a.StatusCode, to, tt.code, tt.to)
		}
		if n, more := s.drafts(), s.d.Head()-head; n != 0 || more > 1 {
			t.Errorf("%s: %d drafts, %d changes", name, n, more)
		}
	}
	if body := anna.open("/me/entries").body; strings.Contains(body, "Brouillons") {
		t.Error("there are drafts")
	}
}

// TestDyingWhileSending: a program that dies after writing an entry, before or after it said so, leaves a draft that is not
// listed and makes no second entry.
func TestDyingWhileSending(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	for name, said := range map[string]bool{"La Mare": false, "Le Pré": true} {
		about, body := anna.about(name, "summary", "x", "action", "next")
		key := anna.id + "/" + strings.Split(about, "/")[2]
		draft, err := s.store.Record(t.Context(), "draft", key)
		if err != nil || draft.Rev == 0 {
			t.Fatalf("no draft: %v", err)
		}
		anna.do(http.MethodPost, about, plainForm, body()).leads(t, "^/me/entries")
		head := s.d.Head()
		if !said {
			if err := s.store.DeleteRecord(t.Context(), "draft-sent", key, 0); err != nil {
				t.Fatal(err)
			}
		}
		draft.Rev = 0
		if err := s.store.PutRecord(t.Context(), "draft", draft); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(anna.open("/me/entries").body, "Brouillons") {
			t.Errorf("%s is listed as a draft", name)
		}
		for range 2 {
			if to := anna.do(http.MethodPost, about, plainForm, body()).leads(t, "^/"); to != "/me/entries?done=waits" {
				t.Errorf("%s: led to %s", name, to)
			}
		}
		if s.drafts() != 0 || s.d.Head() != head {
			t.Errorf("%s: %d drafts, the log went from %d to %d", name, s.drafts(), head, s.d.Head())
		}
	}
}
