package freshness_test

import (
	"testing"

	"archipel/directory"
)

// TestOrganisationIsAsked: what was posted in the name of an organisation is asked of its owners, not of whoever reads the
// published address; their answers count while they are its owners, also after it became part of another one.
func TestOrganisationIsAsked(t *testing.T) {
	n, smtp := begin(t)
	olga, rosa, ed := n.person("olga@example.org"), n.person("rosa@example.org"), n.person("ed@example.org")
	first := place("L’Association", "", olga.ID)
	first.Kind, first.Private.Editors = directory.Organisation, []string{ed.ID}
	org := n.put(first)
	posted := place("L’Atelier", "public@example.org", rosa.ID)
	posted.Private.Team = org.ID
	e := n.put(posted)
	alone := place("Le Marché", "public@example.org")
	alone.Private = &directory.Private{Team: org.ID}
	market := n.put(alone)
	n.clock.later(400 * day)
	if got := n.pass(); got != 2 {
		t.Fatalf("%d letters, want one to each owner", got)
	}
	of := map[string][]string{}
	for _, m := range smtp.Mails() {
		of[m.To] = links(t, m)
	}
	// In the order of their names: L’Association, L’Atelier, Le Marché.
	olgas := of["olga@example.org"]
	if len(olgas) != 9 || len(of["rosa@example.org"]) != 3 {
		t.Fatalf("%d and %d links", len(olgas), len(of["rosa@example.org"]))
	}
	confirmed := func(what string, link string, id directory.ID, code int) {
		t.Helper()
		n.clock.later(day)
		before := n.entry(id)
		if a := n.do("POST", link, ""); a.code != code || n.entry(id).Checked.Equal(n.clock.Now()) != (code == 200) || code != 200 && n.entry(id).Version != before.Version {
			t.Errorf("%s: %d, want %d", what, a.code, code)
		}
	}
	confirmed("an owner of the organisation", olgas[3], e.ID, 200)

	other := place("La Fédération", "", rosa.ID)
	other.Kind = directory.Organisation
	into := n.put(other)
	_, err := n.d.Merge(t.Context(), directory.Merge{Author: "account:mod", Kept: into.ID, Other: org.ID, KeptVersion: into.Version, OtherVersion: n.entry(org.ID).Version, Team: true})
	if err != nil {
		t.Fatal(err)
	}
	confirmed("an owner of the one that it is part of", olgas[6], market.ID, 200)
	now := n.entry(into.ID)
	now.Private.Owners = []string{rosa.ID}
	n.put(now)
	confirmed("who keeps it no more", olgas[7], market.ID, 410)
}
