package islands_test

import (
	"maps"
	"testing"

	"archipel/federation/islands"
)

// TestFollowAgain: who follows an actor once more, under another of its names or for something else, follows it still, without
// asking it again, and what is wanted now is here at once.
func TestFollowAgain(t *testing.T) {
	a := newIsle(t, nil)
	f := newElsewhere(t, a, "mobilizon")
	work := f.event("create-event", "", nil)
	far := f.event("create-event", "/events/far", func(d map[string]any) {
		d["name"] = "Loin"
		d["location"].(map[string]any)["longitude"] = 2.35
	})
	online := f.event("create-event", "/events/online", func(d map[string]any) {
		d["name"], d["isOnline"], d["location"] = "En ligne", true, nil
	})
	f.relayOf()
	f.outbox(f.ID(), f.announce(work["id"].(string)), f.announce(far["id"].(string)), f.announce(online["id"].(string)))
	key := f.followed(f.host, islands.Scope{Zones: []string{"FR-42"}}, "", false)
	a.list(f.host, "[Chantier terre-paille]")
	again := func(typed string, scope islands.Scope, online bool) islands.Agreement {
		t.Helper()
		v, err := islands.Follow(t.Context(), a.store, typed, scope, "", online)
		if err != nil || v.Host != key {
			t.Fatalf("following %s again: %s, %v", typed, v.Host, err)
		}
		return v
	}
	both := islands.Scope{Zones: []string{"FR-42", "FR-63"}}
	for _, c := range []struct {
		typed  string
		scope  islands.Scope
		online bool
		want   string
	}{
		{"relay@" + f.host, both, false, "[Chantier terre-paille Loin]"},
		{"@relay@" + f.host, both, true, "[Chantier terre-paille En ligne Loin]"},
		{f.ID(), islands.Scope{Zones: []string{"FR-63"}}, false, "[Loin]"},
		{f.host, islands.Scope{Zones: []string{"FR-42"}}, true, "[Chantier terre-paille En ligne]"},
	} {
		if v := again(c.typed, c.scope, c.online); !v.In.Active() || v.Actor != f.ID() {
			t.Fatalf("after %s, it is %s with %q", c.typed, v.In.State, v.Actor)
		}
		a.list(f.host, c.want)
	}
	f.event("create-event", "/events/new", named("Nouveau"))
	f.post(f.announce(f.URL() + "/events/new"))
	a.list(f.host, "[Chantier terre-paille En ligne Nouveau]")
	if got := len(f.Received("Follow")); got != 1 {
		t.Errorf("it was asked %d times", got)
	}

	// Another address can be another actor, of which the handle would be the same: that one is asked. Nothing goes meanwhile.
	group := maps.Clone(f.docs["group"])
	group["id"], group["inbox"] = f.URL()+"/groups/relay", f.URL()+"/groups/relay/inbox"
	f.actor(group)
	if v := again(group["id"].(string), both, true); v.In.State != islands.Asked || !v.In.Standing {
		t.Errorf("another actor is %+v", v.In)
	}
	follow := f.Await("Follow", 2)[1]
	if follow["object"] != group["id"] {
		t.Errorf("asked: %v", follow)
	}
	if got := a.names(f.host); got != "[Chantier terre-paille En ligne Nouveau]" {
		t.Errorf("meanwhile there is %s", got)
	}
	f.post(f.Activity("Accept", follow))
	eventually(t, "the other one is followed", func() bool {
		v, err := islands.With(t.Context(), a.store, key)
		return err == nil && v.In.Active() && v.Actor == group["id"]
	})

	// It says that it is gone: so it ended, and nobody said a word with that.
	f.post(f.Activity("Delete", group["id"]))
	eventually(t, "its end is known", func() bool {
		v, err := islands.With(t.Context(), a.store, key)
		return err == nil && v.In.State == islands.Ended && !v.In.ByUs && v.In.Note == ""
	})
	a.list(f.host, "[]")
}
