package islands_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/islands"

	"github.com/paulmach/orb"
)

func square(west, south, east, north float64) *directory.Shape {
	return &directory.Shape{Geometry: orb.Polygon{{{west, south}, {east, south}, {east, north}, {west, north}, {west, south}}}}
}

// shown waits until a shows of b exactly those names.
func (in *isle) shown(of *isle, names ...string) {
	in.t.Helper()
	want := fmt.Sprint(sorted(names))
	deadline := time.Now().Add(2 * time.Minute)
	for in.names(of.host) != want {
		if time.Now().After(deadline) {
			in.t.Fatalf("%s shows %s of %s, want %s", in.host, in.names(of.host), of.host, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestScope: what is outside never goes; what moves out is withdrawn, what moves in comes, and the follower need not ask.
func TestScope(t *testing.T) {
	for name, c := range map[string]struct {
		scope  islands.Scope
		out    func(*directory.Entry)
		narrow *islands.Scope
	}{
		"polygon":  {scope: islands.Scope{Area: square(4, 45, 5, 46)}, out: func(e *directory.Entry) { e.Sites[0] = orb.Point{5.5, 45.5} }},
		"zone":     {scope: islands.Scope{Zones: []string{"FR-42"}}, out: func(e *directory.Entry) { e.Sites[0] = orb.Point{3.1, 45.4} }},
		"no place": {scope: islands.Scope{Zones: []string{"FR-42"}, Area: square(4, 45, 5, 46)}, out: func(e *directory.Entry) { e.Sites = nil }},
		"kind":     {scope: islands.Scope{Kinds: []directory.Kind{directory.Place}}, out: func(e *directory.Entry) { e.Kind = directory.Organisation }},
		"category": {scope: islands.Scope{Categories: []string{"alimentation"}}, out: func(e *directory.Entry) { e.Categories = []string{"mobilite"} }},
		"language": {scope: islands.Scope{Languages: []string{"fr-FR"}}, out: func(e *directory.Entry) { e.Lang = "de" }},
		"licence":  {out: func(e *directory.Entry) { e.Licence = "CC-BY-ND-4.0" }},
		"hidden":   {out: func(e *directory.Entry) { e.Status = directory.Hidden }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newIsle(t, nil), newIsle(t, nil)
			stays, outside := b.put(farm("Reste")), farm("Dehors")
			if c.out(&outside); len(outside.Categories) > 0 && !b.words.Valid(outside.Categories[0]) {
				t.Fatalf("the taxonomy has no %s", outside.Categories[0])
			}
			outside = b.put(outside)
			a.follow(b, c.scope, islands.Show)
			a.shown(b, "Reste")
			c.out(&stays)
			stays = b.put(stays)
			a.shown(b)
			back := farm("Reste encore")
			back.ID, back.Version, back.Slug = stays.ID, stays.Version, stays.Slug
			b.put(back)
			a.shown(b, "Reste encore")
			if e := a.entry(outside.ID); e.ID != "" {
				t.Errorf("what is outside came: %+v", e)
			}
			var st islands.SyncState
			eventually(t, "both sides are equal", func() bool { // what was just shown may not be counted yet
				if err := a.s.Sync(t.Context(), b.host, true); err != nil {
					t.Fatal(err)
				}
				var err error
				st, err = a.s.State(t.Context(), b.host)
				return err == nil && st.Differed == 0
			})
			if len(st.Refused) > 0 {
				t.Errorf("%v was refused", st.Refused)
			}
		})
	}
}

// TestNarrowing: the one that is followed gives less than was asked for, later still less, then no more.
func TestNarrowing(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	west := farm("Ouest")
	west.Sites[0][0] = 4.1
	b.put(west)
	b.put(farm("Est"))
	far := farm("Loin")
	far.Sites[0][0] = 6
	b.put(far)
	if _, err := islands.Ask(ctx, a.store, b.base, islands.Scope{}, islands.Show); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b is asked", func() bool { return b.with(a).Out.State == islands.Asked })
	if _, err := islands.Accept(ctx, b.store, a.host, &islands.Scope{Area: square(4, 45, 5, 46)}, false); err != nil {
		t.Fatal(err)
	}
	a.shown(b, "Est", "Ouest")
	if got := a.with(b).In; got.State != islands.Narrowed || got.Agreed.Area == nil || got.PassOn {
		t.Errorf("a knows %+v", got)
	}
	if _, err := islands.Accept(ctx, b.store, a.host, &islands.Scope{Area: square(4.2, 45, 5, 46)}, false); err != nil {
		t.Fatal(err)
	}
	a.shown(b, "Est")
	if _, err := islands.End(ctx, b.store, a.host, islands.Out); err != nil {
		t.Fatal(err)
	}
	a.shown(b)
	eventually(t, "a knows", func() bool { return a.with(b).In.State == islands.Ended && !a.with(b).In.ByUs })
}

// TestRefusing, and being invited instead.
func TestRefusing(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	b.put(farm("Ferme"))
	if _, err := islands.Ask(ctx, a.store, b.base, islands.Scope{}, islands.Show); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b is asked", func() bool { return b.with(a).Out.State == islands.Asked })
	if _, err := islands.Refuse(ctx, b.store, a.host, "Pas cette année."); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a hears no", func() bool { in := a.with(b).In; return in.State == islands.Refused && in.Note == "Pas cette année." })
	if _, err := islands.Offer(ctx, b.store, a.base, islands.Scope{Kinds: []directory.Kind{directory.Place}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a is invited", func() bool { return a.with(b).In.State == islands.Offered })
	if _, err := islands.Ask(ctx, a.store, b.base, islands.Scope{}, islands.Review); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nobody has to say yes again", func() bool { return a.with(b).In.Active() })
	eventually(t, "it waits for a moderator", func() bool { return a.mirrors.Counts()[b.host].Waiting == 1 })
	a.shown(b)
}

// TestPauseEndAndPurge: what nobody stands behind is out of view at once, and gone after thirty days; in between all comes
// back as it was.
func TestPauseEndAndPurge(t *testing.T) {
	for _, by := range []string{"follower", "followed"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			c := &clock{}
			a, b := newIsle(t, c), newIsle(t, c)
			ctx := context.Background()
			kept, moderated := b.put(farm("Ferme")), b.put(farm("Cachée"))
			a.follow(b, islands.Scope{}, islands.Show)
			a.shown(b, "Cachée", "Ferme")
			e := a.entry(moderated.ID)
			e.Status = directory.Hidden
			a.put(e)

			who, other, direction := a, b, islands.In
			if by == "followed" {
				who, other, direction = b, a, islands.Out
			}
			if _, err := islands.Pause(ctx, who.store, other.host, direction); err != nil {
				t.Fatal(err)
			}
			a.shown(b)
			side := func(in *isle, of *isle) islands.Side { x := in.with(of); return *x.SidesOf(islands.In)[0] }
			eventually(t, "both know of the pause", func() bool {
				return side(a, b).State == islands.Paused && b.with(a).Out.State == islands.Paused
			})
			kept.Name = "Ferme du haut"
			kept = b.put(kept)
			if _, err := islands.Resume(ctx, who.store, other.host, direction); err != nil {
				t.Fatal(err)
			}
			a.shown(b, "Ferme du haut")
			if got := a.entry(moderated.ID).Status; got != directory.Hidden {
				t.Errorf("what a moderator hid is %s", got)
			}

			if _, err := islands.End(ctx, who.store, other.host, direction); err != nil {
				t.Fatal(err)
			}
			a.shown(b)
			eventually(t, "both know of the end", func() bool {
				return side(a, b).State == islands.Ended && b.with(a).Out.State == islands.Ended
			})
			c.forward(29 * 24 * time.Hour)
			if err := a.s.Purge(ctx); err != nil || a.entry(kept.ID).Name == "" {
				t.Errorf("it is gone too early: %v", err)
			}
			c.forward(2 * 24 * time.Hour)
			if err := a.s.Purge(ctx); err != nil {
				t.Fatal(err)
			}
			var history []directory.Change
			eventually(t, "no version says anything", func() bool { // it may be a erasing them too, which does so every hour
				var err error
				if history, err = a.d.History(ctx, kept.ID, 0, 50); err != nil || len(history) < 4 {
					t.Fatal(len(history), err)
				}
				return !slices.ContainsFunc(history, func(h directory.Change) bool {
					return h.Entry.Name != "" || h.Entry.Private != nil && h.Entry.Private.Mirror != nil && h.Entry.Private.Mirror.Raw != ""
				})
			})
			if err := a.s.Purge(ctx); err != nil {
				t.Fatal(err)
			}
			if again, err := a.d.History(ctx, kept.ID, 0, 50); err != nil || len(again) != len(history) {
				t.Errorf("purging again wrote %d more", len(again)-len(history))
			}
			a.follow(b, islands.Scope{}, islands.Show)
			a.shown(b, "Cachée", "Ferme du haut")
		})
	}
}

// TestAskingAgain for something else takes nothing away before there is an answer.
func TestAskingAgain(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	b.put(farm("Ferme"))
	group := farm("Groupe")
	group.Kind = directory.Organisation
	b.put(group)
	a.follow(b, islands.Scope{Kinds: []directory.Kind{directory.Place}}, islands.Show)
	a.shown(b, "Ferme")
	if _, err := islands.Ask(ctx, a.store, b.base, islands.Scope{}, islands.Show); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b is asked again", func() bool { return b.with(a).Out.State == islands.Asked })
	eventually(t, "a has noticed", func() bool { return a.with(b).In.Tell == "" })
	if a.names(b.host) != "[Ferme]" {
		t.Errorf("meanwhile a shows %s", a.names(b.host))
	}
	if _, err := islands.Accept(ctx, b.store, a.host, nil, true); err != nil {
		t.Fatal(err)
	}
	a.shown(b, "Ferme", "Groupe")
	if _, err := islands.Pause(ctx, b.store, a.host, islands.Both); err != nil {
		t.Fatal(err)
	}
	a.shown(b)
	if _, err := islands.Resume(ctx, b.store, a.host, islands.Both); err != nil {
		t.Fatal(err)
	}
	a.shown(b, "Ferme", "Groupe")
	eventually(t, "as before", func() bool { return a.with(b).In.State == islands.Accepted })
}

// TestLeavingWhatNeverArrived: a Follow that was said while the other one was away, and taken back before that came again,
// is unknown there. The one before it ends all the same.
func TestLeavingWhatNeverArrived(t *testing.T) {
	shared := &clock{}
	a, b := newIsle(t, shared), newIsle(t, shared)
	ctx := t.Context()
	b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme")
	eventually(t, "b has no more to say", func() bool { return b.with(a).Out.Tell == "" })
	known := b.with(a).Out.Follow
	b.stop()
	for range 2 {
		if _, err := islands.Ask(ctx, a.store, b.base, islands.Scope{Kinds: []directory.Kind{directory.Place}}, islands.Show); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a could not say so", func() bool { return a.with(b).In.Error != "" })
	}
	if _, err := islands.End(ctx, a.store, b.host, islands.In); err != nil {
		t.Fatal(err)
	}
	a.shown(b)
	eventually(t, "a could not say that either", func() bool { return a.with(b).In.Error != "" })
	b.open()
	if got := b.with(a).Out; !got.Active() || got.Follow != known {
		t.Fatalf("b has heard of what it should not know: %s %s", got.State, got.Follow)
	}
	eventually(t, "it is over for b", func() bool { shared.forward(time.Second); return b.with(a).Out.State == islands.Ended })
}

// TestBlocking a domain takes everything of it out of view, whatever was agreed, until it is unblocked.
func TestBlocking(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme")
	policy := func(change func(map[string]federation.Rule)) {
		t.Helper()
		if _, err := federation.ChangePolicy(t.Context(), a.store, func(p *federation.Policy) error { change(p.Rules); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	policy(func(r map[string]federation.Rule) { r[b.host] = federation.Rule{Severity: federation.Suspend} })
	a.shown(b)
	b.put(farm("Pendant le blocage"))
	policy(func(r map[string]federation.Rule) { delete(r, b.host) })
	eventually(t, "it is back", func() bool { return len(a.visible(b.host)) >= 1 })
	eventually(t, "what came meanwhile comes", func() bool {
		return a.s.Sync(t.Context(), b.host, false) == nil && a.names(b.host) == "[Ferme Pendant le blocage]"
	})
}

// TestPolicies: what comes is public, waits, or is a draft; a moderator's word holds through updates.
func TestPolicies(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	first := b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Review)
	eventually(t, "it waits", func() bool { return a.entry(first.ID).Status == directory.Pending })
	e := a.entry(first.ID)
	e.Status = directory.Published
	a.put(e)
	first.Name = "Ferme du bas"
	b.put(first)
	a.shown(b, "Ferme du bas")
	if _, err := islands.SetPolicy(t.Context(), a.store, b.host, islands.Suggest); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the policy is known", func() bool {
		e := b.put(farm("Suite"))
		eventually(t, "it comes", func() bool { return a.entry(e.ID).ID != "" })
		return a.entry(e.ID).Status == directory.Draft
	})
	a.shown(b, "Ferme du bas")
}

func TestBadWishes(t *testing.T) {
	a := newIsle(t, nil)
	ctx := t.Context()
	for name, err := range map[string]error{
		"no host":      second(islands.Ask(ctx, a.store, "", islands.Scope{}, "")),
		"a user":       second(islands.Ask(ctx, a.store, "https://me@other.example", islands.Scope{}, "")),
		"a kind":       second(islands.Ask(ctx, a.store, "other.example", islands.Scope{Kinds: []directory.Kind{"village"}}, "")),
		"a language":   second(islands.Ask(ctx, a.store, "other.example", islands.Scope{Languages: []string{"martian!"}}, "")),
		"a line":       second(islands.Ask(ctx, a.store, "other.example", islands.Scope{Area: &directory.Shape{Geometry: orb.LineString{{1, 2}, {3, 4}}}}, "")),
		"an open ring": second(islands.Ask(ctx, a.store, "other.example", islands.Scope{Area: &directory.Shape{Geometry: orb.Polygon{{{1, 2}, {3, 4}, {5, 6}, {7, 8}}}}}, "")),
		"a policy":     second(islands.Ask(ctx, a.store, "other.example", islands.Scope{}, "maybe")),
		"accept":       second(islands.Accept(ctx, a.store, "other.example", nil, true)),
		"end":          second(islands.End(ctx, a.store, "other.example", islands.Both)),
		"resume":       second(islands.Resume(ctx, a.store, "other.example", islands.Both)),
		"licences":     islands.SaveSettings(ctx, a.store, islands.Settings{Licences: []string{"Proprietary"}}),
		"itself":       second(a.s.Find(ctx, a.base)),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }
