package islands_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/islands"
	"archipel/federation/vocab"

	"github.com/google/uuid"
)

// hear lets an island take an activity of the mirror of another one.
func (in *isle) hear(from *isle, kind string, object any, more map[string]any) {
	in.t.Helper()
	doc := map[string]any{
		"@context": vocab.Context, "id": from.base + "/ap/mirror#" + uuid.NewString(), "type": kind, "actor": from.base + "/ap/mirror", "object": object,
	}
	for k, v := range more {
		doc[k] = v
	}
	b, err := json.Marshal(doc)
	if err == nil {
		doc = nil
		err = json.Unmarshal(b, &doc)
	}
	if err != nil {
		in.t.Fatal(err)
	}
	a, err := vocab.Read(doc)
	if err != nil {
		in.t.Fatal(err)
	}
	if taken, err := in.s.Receive(context.Background(), doc, a); err != nil || !taken {
		in.t.Fatalf("%s: taken %v, %v", kind, taken, err)
	}
}

// agree writes an agreement as it would have come about.
func (in *isle) agree(with *isle, a islands.Agreement) {
	in.t.Helper()
	r, err := in.store.Record(context.Background(), "island", with.host)
	if err != nil {
		in.t.Fatal(err)
	}
	r.Key = with.host
	if r.Value, err = json.Marshal(a); err == nil {
		err = in.store.PutRecord(context.Background(), "island", r)
	}
	if err != nil {
		in.t.Fatal(err)
	}
}

// standing are all the ways in which a side can stand.
func standing() (all []islands.Side) {
	for _, state := range []islands.State{"", islands.Offered, islands.Asked, islands.Accepted, islands.Narrowed, islands.Refused, islands.Paused, islands.Ended} {
		for _, byUs := range []bool{false, true} {
			for _, tell := range []string{"", "Reject"} {
				all = append(all, islands.Side{State: state, ByUs: byUs, Tell: tell, TellID: "before", TellNext: time.Now().Add(time.Hour), Standing: state == islands.Accepted || state == islands.Narrowed})
			}
		}
	}
	return all
}

// TestOnlyOperatorsAgree: from however an agreement stands, whatever the other side says, nothing goes out and nothing comes in
// that the operator here did not say yes to, and what the operator ended, refused or paused stays so.
func TestOnlyOperatorsAgree(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	b.stop()
	b.quiet = true
	b.open()
	narrow, wide := islands.Scope{Kinds: []directory.Kind{directory.Place}}, islands.Scope{Others: true}
	mirror, theirs := b.base+"/ap/mirror", a.base+"/ap/mirror"
	const oldFollow = "/ap/mirror/follows/old"
	undo := func(state string) func() {
		return func() {
			b.hear(a, "Undo", map[string]any{"id": a.base + oldFollow, "type": "Follow", "actor": theirs, "object": mirror}, map[string]any{"state": state})
		}
	}
	answer := func(kind, state string) func() {
		return func() {
			b.hear(a, kind, map[string]any{"id": b.base + oldFollow, "type": "Follow", "actor": mirror, "object": theirs}, map[string]any{"state": state, "scope": wide, "passOn": true})
		}
	}
	follow := func(id string, scope islands.Scope) func() {
		return func() {
			b.hear(a, "Follow", mirror, map[string]any{"id": a.base + id, "scope": scope, "summary": "S’il vous plaît."})
		}
	}
	says := map[string]func(){
		"Undo":            undo("ended"),
		"Undo paused":     undo("paused"),
		"Follow":          follow("/ap/mirror/follows/new", narrow),
		"Follow for more": follow("/ap/mirror/follows/more", wide),
		"the same Follow": follow(oldFollow, wide),
		"Accept":          answer("Accept", "accepted"),
		"Accept narrowed": answer("Accept", "narrowed"),
		"Reject":          answer("Reject", "refused"),
		"Reject paused":   answer("Reject", "paused"),
		"Reject ended":    answer("Reject", "ended"),
		"Offer": func() {
			b.hear(a, "Offer", map[string]any{"id": a.base + "/ap/mirror#offered/1", "type": "Follow", "actor": mirror, "object": theirs}, map[string]any{"scope": wide})
		},
	}
	for _, side := range standing() {
		in, out := side, side
		in.Follow, in.Asked, in.Agreed = "follows/old", narrow, wide
		out.Follow, out.Asked, out.Agreed = a.base+oldFollow, narrow, wide
		for what, say := range says {
			b.agree(a, islands.Agreement{Actor: theirs, Inbox: theirs + "/inbox", In: in, Out: out})
			before := b.with(a)
			say()
			after := b.with(a)
			t.Run(fmt.Sprintf("%s by us %v telling %q then %s", side.State, side.ByUs, side.Tell, what), func(t *testing.T) {
				was, is := before.Out, after.Out
				paused := was.State == islands.Paused && !was.ByUs // by the other side, in the middle of what was agreed to
				if is.Active() {
					same := reflect.DeepEqual(is.Asked, was.Asked) && reflect.DeepEqual(is.Agreed, was.Agreed) && is.PassOn == was.PassOn
					invited := was.State == islands.Offered && reflect.DeepEqual(is.Agreed, was.Agreed) && is.PassOn == was.PassOn
					if !invited && (!same || !was.Active() && !paused) {
						t.Errorf("it gets what nobody here said yes to: %+v, before %+v", is, was)
					}
				}
				if is.State == islands.Paused && !is.ByUs && (!was.Active() && !paused || !reflect.DeepEqual(is.Asked, was.Asked)) {
					t.Errorf("it could go on by itself with what nobody here said yes to: %+v, before %+v", is, was)
				}
				if is.Follow != was.Follow && is.Tell != "" && (is.TellID == was.TellID || !is.TellNext.IsZero()) {
					t.Errorf("what it is told of another Follow has the id of what it was told before, or waits: %+v", is)
				}
				if is.Note != "" && is.Tell == "Reject" {
					t.Errorf("it is told its own words: %q", is.Note)
				}
				if is.State == islands.Offered && was.State != islands.Offered {
					t.Errorf("it is invited: %+v, before %+v", is, was)
				}
				if was.State == islands.Paused && was.ByUs && (is.State != islands.Paused || !is.ByUs || !reflect.DeepEqual(is.Asked, was.Asked)) {
					t.Errorf("our pause is %+v, was %+v", is, was)
				}
				if over := was.State == islands.Refused || was.State == islands.Ended; over && is.State != islands.Asked && (is.State != was.State || is.ByUs != was.ByUs) {
					t.Errorf("what was over is %+v, was %+v", is, was)
				}

				was, is = before.In, after.In
				wished := was.State == islands.Asked || was.Active() || !was.ByUs && (was.State == islands.Paused || was.State == islands.Refused)
				if is.Active() && !wished {
					t.Errorf("we follow though nobody here wishes it: %+v, before %+v", is, was)
				}
				if !reflect.DeepEqual(is.Asked, was.Asked) || is.State == islands.Asked && was.State != islands.Asked {
					t.Errorf("we ask for what nobody here wishes: %+v, before %+v", is, was)
				}
				if back := is.State == islands.Paused || is.State == islands.Refused; back && !is.ByUs && !wished {
					t.Errorf("it could begin again by itself: %+v, before %+v", is, was)
				}
				if islands.Denies(&was) && !islands.Denies(&is) {
					t.Errorf("what we left may be seen: %+v, before %+v", is, was)
				}
			})
		}
	}
}

// TestPausingWhatIsNotThere: who says that it pauses what it does not have, and then that it goes on, has nothing.
func TestPausingWhatIsNotThere(t *testing.T) {
	for name, decide := range map[string]func(ctx context.Context, b directory.Store, a string) (islands.Agreement, error){
		"not answered": islands.With,
		"refused": func(ctx context.Context, b directory.Store, a string) (islands.Agreement, error) {
			return islands.Refuse(ctx, b, a, "")
		},
		"ended": func(ctx context.Context, b directory.Store, a string) (islands.Agreement, error) {
			if _, err := islands.Accept(ctx, b, a, nil, true); err != nil {
				return islands.Agreement{}, err
			}
			return islands.End(ctx, b, a, islands.Out)
		},
		"paused": func(ctx context.Context, b directory.Store, a string) (islands.Agreement, error) {
			if _, err := islands.Accept(ctx, b, a, nil, true); err != nil {
				return islands.Agreement{}, err
			}
			return islands.Pause(ctx, b, a, islands.Out)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newIsle(t, nil), newIsle(t, nil)
			mirror, theirs := b.base+"/ap/mirror", a.base+"/ap/mirror"
			b.hear(a, "Follow", mirror, map[string]any{"id": theirs + "/follows/1", "scope": islands.Scope{}})
			if got := b.with(a).Out.State; got != islands.Asked {
				t.Fatalf("it is %s", got)
			}
			if _, err := decide(t.Context(), b.store, a.host); err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				follow := fmt.Sprint(theirs, "/follows/", i+1)
				b.hear(a, "Undo", map[string]any{"id": follow, "type": "Follow", "actor": theirs, "object": mirror}, map[string]any{"state": "paused"})
				b.hear(a, "Follow", mirror, map[string]any{"id": fmt.Sprint(theirs, "/follows/", i+2), "scope": islands.Scope{}})
				if out := b.with(a).Out; out.Active() {
					t.Fatalf("it is let in: %+v", out)
				}
			}
		})
	}
}

// TestPausedForLess: neither a pause by the other side nor one by us lets it have more than what was agreed to.
func TestPausedForLess(t *testing.T) {
	for _, by := range []string{"follower", "followed"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			a, b := newIsle(t, nil), newIsle(t, nil)
			ctx := t.Context()
			b.put(farm("Ferme"))
			group := farm("Groupe")
			group.Kind = directory.Organisation
			b.put(group)
			a.follow(b, islands.Scope{Kinds: []directory.Kind{directory.Place}}, islands.Show)
			a.shown(b, "Ferme")
			who, other, direction := a, b, islands.In
			if by == "followed" {
				who, other, direction = b, a, islands.Out
			}
			if _, err := islands.Pause(ctx, who.store, other.host, direction); err != nil {
				t.Fatal(err)
			}
			eventually(t, "both know of the pause", func() bool {
				return a.with(b).In.State == islands.Paused && b.with(a).Out.State == islands.Paused
			})
			if _, err := islands.Ask(ctx, a.store, b.base, islands.Scope{}, islands.Show); err != nil {
				t.Fatal(err)
			}
			ask := a.with(b).In.Follow
			eventually(t, "b has heard it", func() bool { return b.with(a).Out.Follow == a.base+"/ap/mirror/"+ask })
			if by == "follower" {
				if got := b.with(a).Out; got.State != islands.Asked {
					t.Fatalf("for more than it had it is %s", got.State)
				}
				a.shown(b)
				if _, err := islands.Accept(ctx, b.store, a.host, nil, true); err != nil {
					t.Fatal(err)
				}
				a.shown(b, "Ferme", "Groupe")
				return
			}
			if got := b.with(a).Out; got.State != islands.Paused || !got.ByUs {
				t.Fatalf("our pause is %+v", got)
			}
			eventually(t, "a hears of the pause again", func() bool { return a.with(b).In.State == islands.Paused })
			if _, err := islands.Resume(ctx, b.store, a.host, islands.Out); err != nil {
				t.Fatal(err)
			}
			a.shown(b, "Ferme")
			if got := b.with(a).Out; len(got.Asked.Kinds) != 1 {
				t.Errorf("b goes on with %+v", got.Asked)
			}
		})
	}
}

// TestInvitedByWhomWeLeft: an invitation does not bring back what the operator wanted to see no more, by whatever way it comes.
func TestInvitedByWhomWeLeft(t *testing.T) {
	a, hub, c := newIsle(t, nil), newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	c.put(farm("De c"))
	hub.follow(c, islands.Scope{}, islands.Show)
	hub.shown(c, "De c")
	a.follow(hub, islands.Scope{Others: true}, islands.Show)
	a.shown(c, "De c")
	a.follow(c, islands.Scope{}, islands.Show)
	a.shown(c, "De c")
	if _, err := islands.End(ctx, a.store, c.host, islands.In); err != nil {
		t.Fatal(err)
	}
	a.shown(c)
	eventually(t, "c knows", func() bool { return c.with(a).Out.State == islands.Ended })
	// hidden reports whether a would show what c has, also what is settled only now.
	hidden := func(when string) {
		t.Helper()
		hub.put(farm("De b, " + when))
		eventually(t, "a hears of the hub "+when, func() bool {
			for _, e := range a.visible(hub.host) {
				if e.Name == "De b, "+when {
					return true
				}
			}
			return false
		})
		if in := a.with(c).In; !islands.Denies(&in) {
			t.Errorf("%s it stands so: %+v", when, in)
		}
		if got := a.names(c.host); got != "[]" {
			t.Errorf("%s a shows %s", when, got)
		}
	}
	hidden("after the end")
	if _, err := islands.Offer(ctx, c.store, a.base, islands.Scope{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a is invited", func() bool { return a.with(c).In.State == islands.Offered })
	hidden("after the invitation")
	if _, err := islands.End(ctx, a.store, c.host, islands.In); err != nil {
		t.Fatal(err)
	}
	hidden("after it was declined")
	if _, err := islands.Ask(ctx, a.store, c.base, islands.Scope{}, islands.Show); err != nil {
		t.Fatal(err)
	}
	a.shown(c, "De c")
}

// TestTakenBack: to take a wish back, or to decline an invitation, hides nothing where nothing had been agreed to.
func TestTakenBack(t *testing.T) {
	a, hub, c := newIsle(t, nil), newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	c.put(farm("De c"))
	hub.follow(c, islands.Scope{}, islands.Show)
	hub.shown(c, "De c")
	a.follow(hub, islands.Scope{Others: true}, islands.Show)
	a.shown(c, "De c")
	still := func(when string) {
		t.Helper()
		if in := a.with(c).In; in.State != islands.Ended || !in.ByUs || islands.Denies(&in) {
			t.Errorf("%s it stands so: %+v", when, in)
		}
		if err := a.s.Sync(ctx, hub.host, true); err != nil {
			t.Fatal(err)
		}
		c.put(farm("De c, " + when)) // what comes now is judged by how it stands now
		eventually(t, "it comes by way of the hub "+when, func() bool {
			for _, e := range a.visible(c.host) {
				if e.Name == "De c, "+when {
					return true
				}
			}
			return false
		})
	}
	withdraw := func() {
		t.Helper()
		if _, err := islands.Withdraw(ctx, a.store, c.host, islands.In); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := islands.Ask(ctx, a.store, c.base, islands.Scope{}, islands.Show); err != nil {
		t.Fatal(err)
	}
	eventually(t, "c is asked", func() bool { return c.with(a).Out.State == islands.Asked })
	withdraw()
	still("after the wish")
	eventually(t, "c knows", func() bool { return c.with(a).Out.State == islands.Ended })
	c.hear(a, "Follow", c.base+"/ap/mirror", map[string]any{"id": a.base + "/ap/mirror/follows/late", "scope": islands.Scope{}})
	if out := c.with(a).Out; out.Active() {
		t.Errorf("what was taken back is answered with %+v", out)
	}
	if _, err := islands.End(ctx, c.store, a.host, islands.Out); err != nil {
		t.Fatal(err)
	}
	if _, err := islands.Offer(ctx, c.store, a.base, islands.Scope{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a is invited", func() bool { return a.with(c).In.State == islands.Offered })
	withdraw()
	still("after the invitation")

	// Once it was agreed to, leaving hides it whatever is asked for and taken back later.
	a.follow(c, islands.Scope{}, islands.Show)
	if _, err := islands.Withdraw(ctx, a.store, c.host, islands.In); !errors.Is(err, islands.ErrNoAgreement) {
		t.Errorf("what stands is taken back: %v", err)
	}
	if _, err := islands.Ask(ctx, a.store, c.base, islands.Scope{Kinds: []directory.Kind{directory.Place}}, islands.Show); err != nil {
		t.Fatal(err)
	}
	if _, err := islands.Withdraw(ctx, a.store, c.host, islands.In); !errors.Is(err, islands.ErrNoAgreement) {
		t.Errorf("what stands while another scope is asked for is taken back: %v", err)
	}
	if in := a.with(c).In; !in.Standing || in.State != islands.Asked {
		t.Errorf("it stands so: %+v", in)
	}
	if _, err := islands.End(ctx, a.store, c.host, islands.In); err != nil {
		t.Fatal(err)
	}
	a.shown(c)
	// c has agreed to that before: it may answer at once, and what is answered cannot be taken back.
	release := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	a.over(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/inbox") {
			<-release
		}
		return false
	})
	if _, err := islands.Ask(ctx, a.store, c.base, islands.Scope{}, islands.Show); err != nil {
		t.Fatal(err)
	}
	withdraw()
	letGo()
	if in := a.with(c).In; !islands.Denies(&in) {
		t.Errorf("what we left once may be seen: %+v", in)
	}
	a.shown(c)
}

// TestAnsweredAtOnce: an answer counts that is here before the one who gives it has said that it heard the question.
func TestAnsweredAtOnce(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	b.stop()
	b.quiet = true
	b.open()
	asked, release := make(chan struct{}, 100), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	b.over(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/inbox") {
			asked <- struct{}{}
			<-release
		}
		return false
	})
	if _, err := islands.Ask(t.Context(), a.store, b.base, islands.Scope{}, islands.Show); err != nil {
		t.Fatal(err)
	}
	<-asked
	mirror := a.base + "/ap/mirror"
	a.hear(b, "Reject", map[string]any{"id": mirror + "/" + a.with(b).In.Follow, "type": "Follow", "actor": mirror, "object": b.base + "/ap/mirror"}, map[string]any{"state": "refused"})
	letGo()
	if in := a.with(b).In; in.State != islands.Refused {
		t.Errorf("it stands so: %+v", in)
	}
}
