package islands_test

import (
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/islands"
)

// TestWhoseItIs: visitors are told by name whose an entry is, where its page is, and since when nobody was heard there.
func TestWhoseItIs(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	first := b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme")
	e := a.entry(first.ID)
	if got, want := a.s.Island(b.host), (islands.Known{Name: "Île " + b.host, URL: b.base + "/"}); got != want {
		t.Errorf("the island is %+v, want %+v", got, want)
	}
	if got, want := a.s.Page(&e), b.base+"/e/"+b.entry(first.ID).Slug; got != want {
		t.Errorf("its page is %s, want %s", got, want)
	}
	if at := a.s.SilentSince(ctx, &e); !at.IsZero() {
		t.Errorf("silent since %v", at)
	}
	mine := a.put(farm("À moi"))
	if u, at := a.s.Page(&mine), a.s.SilentSince(ctx, &mine); u != "" || !at.IsZero() {
		t.Errorf("ours has a page elsewhere: %q, %v", u, at)
	}
	old := e.Clone()
	old.Private.Mirror.URL = ""
	if got, want := a.s.Page(&old), b.base+"/id/"+string(first.ID); got != want {
		t.Errorf("without its page: %s, want %s", got, want)
	}
	plain := directory.Entry{Origin: "agenda.example", Source: &directory.Source{URL: "https://agenda.example/event/1"}, Private: &directory.Private{Mirror: &directory.Mirrored{Via: []string{"relay@agenda.example"}}}}
	if got := a.s.Page(&plain); got != "https://agenda.example/event/1" {
		t.Errorf("of a plain actor: %s", got)
	}
	if got := a.s.Island("agenda.example"); got.Name != "agenda.example" {
		t.Errorf("of nobody that is known: %+v", got)
	}
	b.stop()
	a.hush() // what it was asking is over, and does not end 20 days later
	a.clock.forward(20 * 24 * time.Hour)
	if at := a.s.SilentSince(ctx, &e); !at.IsZero() {
		t.Errorf("after 20 days it is silent since %v", at)
	}
	a.clock.forward(20 * 24 * time.Hour)
	if at := a.s.SilentSince(ctx, &e); at.IsZero() || a.clock.now().Sub(at) < islands.StaleAfter {
		t.Errorf("after 40 days it is silent since %v", at)
	}
	if e := a.entry(first.ID); !e.Public() {
		t.Error("it went with its origin's silence")
	}
}

// TestPagesElsewhere: an island cannot send visitors anywhere but to itself.
func TestPagesElsewhere(t *testing.T) {
	for address, want := range map[string]string{
		"https://b.example/e/ferme": "https://b.example/e/ferme", "https://evil.example/e/ferme": "", "javascript:alert(1)": "", "//b.example/x": "",
		"https://b.example@evil.example/": "", "https://u:p@b.example/": "", "ftp://b.example/": "", "": "", "https://b.example/\"onload=x": "https://b.example/%22onload=x",
	} {
		if got := islands.PageOf(address, "b.example"); got != want {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
}
