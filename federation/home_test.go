package federation_test

import (
	"net/http"
	"testing"

	"archipel/directory"
	"archipel/federation/fedtest"
)

// TestMovesToAnotherDirectory: an organisation claims its account here back from another directory of ours, and moves there
// with its entry. Its followers are told where, and not that it is gone.
func TestMovesToAnotherDirectory(t *testing.T) {
	old, next := open(t, nil), open(t, nil)
	org := old.organisation("la-fourmiliere", nil)
	p := fedtest.NewPeer(t)
	old.follows(p, old.actor(org))
	there := next.organisation("fourmiliere", nil)
	if page := old.s.PageElsewhere(t.Context(), p.ID()); page != "" {
		t.Errorf("an account of no directory has the page %q", page)
	}
	if _, back, err := old.s.Elsewhere(t.Context(), next.actor(there), &org); err != nil || back {
		t.Fatalf("%v %v: it does not claim the old one", back, err)
	}
	there.Fediverse.AlsoKnownAs = []string{old.actor(org)}
	there = next.team(there)
	address, back, err := old.s.Elsewhere(t.Context(), next.actor(there), &org)
	if err != nil || !back || address != next.actor(there) {
		t.Fatalf("%q %v %v", address, back, err)
	}
	page := old.s.PageElsewhere(t.Context(), address)
	if page != next.base+"/e/"+there.Slug {
		t.Fatalf("its page is %q", page)
	}
	org.Fediverse.MovedTo, org.Fediverse.MovedHome, org.Status = address, page, directory.Hidden
	org = old.team(org)
	move := p.Await("Move", 1)[0]
	if move["actor"] != old.actor(org) || move["object"] != old.actor(org) || move["target"] != next.actor(there) {
		t.Errorf("it is told %v", move)
	}
	status, doc := fedtest.Get(t, old.actor(org))
	if status != http.StatusOK || doc["movedTo"] != next.actor(there) || doc["publicKey"] == nil {
		t.Errorf("%d %v", status, doc)
	}
	if status, doc := old.finger("acct:la-fourmiliere@" + org.Fediverse.Handle); status == http.StatusOK {
		t.Errorf("an account of somewhere else is %v", doc)
	}
	if n := len(p.Received("Delete")); n > 0 {
		t.Errorf("its followers were told %d times that it is gone", n)
	}
	// Whoever is told follows it there.
	next.follows(p, next.actor(there))
	if n, _ := next.s.FollowersOf(there.ID); n != 1 {
		t.Errorf("it has %d followers there", n)
	}
}
