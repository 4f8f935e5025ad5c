package account_test

import (
	"strings"
	"testing"

	"archipel/api/account"
	"archipel/directory"

	"github.com/paulmach/orb"
)

// TestForgotten: after a deletion the person's address is nowhere in the log, what the public knew stays, drafts are gone.
func TestForgotten(t *testing.T) {
	w := newWorld(t)
	b, a := w.person("jeanne@example.org", account.Member)
	_, friend := w.person("amie@example.org", account.Member)
	entry := func(name string, status directory.Status, private directory.Private) directory.Entry {
		t.Helper()
		outcomes, err := w.d.Write(t.Context(), directory.Write{Author: a.Actor().Author(), Note: "par moi", Entries: []directory.Entry{
			{Kind: directory.Place, Name: name, Status: status, Sites: []orb.Point{{4.39, 45.43}}, Categories: []string{"amap"}, Private: &private}}})
		if err != nil || outcomes[0].Err != nil {
			t.Fatal(err, outcomes)
		}
		return outcomes[0].Entry
	}
	owners := func(ids ...string) directory.Private {
		return directory.Private{Owners: ids, Email: "Jeanne@example.org", Phone: "0477000000"}
	}
	public := entry("Public", directory.Published, owners(a.ID, friend.ID))
	draft := entry("Brouillon", directory.Draft, owners(a.ID))
	shared := entry("Partagé", directory.Draft, directory.Private{Owners: []string{friend.ID}, Editors: []string{a.ID}})
	foreign := entry("Autre", directory.Published, directory.Private{Owners: []string{friend.ID}, Email: "amie@example.org"})
	// An address that was beside an entry once and is not any more.
	was := entry("Avant", directory.Published, owners(friend.ID))
	was.Private.Email = "amie@example.org"
	if _, err := w.d.Put(t.Context(), "system", was); err != nil {
		t.Fatal(err)
	}
	if err := w.store.PutRecord(t.Context(), "draft", directory.Record{Key: a.ID + "/X", Value: []byte(`{"values": {"name": ["En cours"]}}`)}); err != nil {
		t.Fatal(err)
	}
	data := b.get("/account/export").body
	for _, want := range []string{"Public", "Brouillon", "Partagé", "par moi", "En cours", `"role": "editor"`} {
		if !strings.Contains(data, want) {
			t.Errorf("the export lacks %q: %s", want, data)
		}
	}
	if p := b.post("/account/delete", "now", password, "sure", "yes"); p.status != 200 {
		t.Fatalf("deletion: %d %s", p.status, p.body)
	}
	for after := directory.Seq(0); ; {
		changes, err := w.store.Changes(t.Context(), after, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(changes) == 0 {
			break
		}
		for _, c := range changes {
			after = c.Seq
			raw, err := directory.EncodeStored(&c.Entry)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(strings.ToLower(string(raw)), "jeanne@") || c.Entry.Name == "Brouillon" {
				t.Errorf("change %d still holds %s", c.Seq, raw)
			}
		}
	}
	for _, c := range []struct {
		id     directory.ID
		status directory.Status
		owners string
	}{{public.ID, directory.Published, friend.ID}, {draft.ID, directory.Removed, ""}, {shared.ID, directory.Draft, friend.ID}, {foreign.ID, directory.Published, friend.ID}, {was.ID, directory.Published, friend.ID}} {
		e, err := w.d.Entry(t.Context(), c.id)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if e.Private != nil {
			got = strings.Join(append(e.Private.Owners, e.Private.Editors...), " ")
		}
		if e.Status != c.status || got != c.owners {
			t.Errorf("%s is %s with the team %q, want %s and %q", e.Name, e.Status, got, c.status, c.owners)
		}
	}
	if r, err := w.store.Record(t.Context(), "draft", a.ID+"/X"); err != nil || r.Rev != 0 {
		t.Errorf("a draft stays: %+v, %v", r, err)
	}
}
