package federation_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
)

// joinRecords are the records of who comes.
func (in *instance) joinRecords() []directory.Record {
	in.t.Helper()
	records, err := in.store.Records(in.t.Context(), "ap-join", "", 100)
	if err != nil {
		in.t.Fatal(err)
	}
	return records
}

// TestGuestsOfAMovedEvent: who comes is kept until a month after the event, as its date stands, also when that was moved since.
func TestGuestsOfAMovedEvent(t *testing.T) {
	in := open(t, nil)
	org := in.organisation("la-fourmiliere", func(e *directory.Entry) { e.Fediverse.Joins = true })
	e := event("Bal")
	day := 24 * time.Hour
	start := time.Now().Add(3 * day).UTC().Truncate(time.Second)
	e.Event.RegisterURL, e.Event.RRule, e.Event.Start, e.Event.End = "", "", start, start.Add(2*time.Hour)
	_, e = in.organises(org, e)
	p := fedtest.NewPeer(t)
	in.does(p, p.Activity("Join", in.base+"/id/"+string(e.ID)))
	kept := func(what string, want time.Time) {
		t.Helper()
		if err := in.s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if list := in.joinRecords(); len(list) != 1 || !list[0].Expires.Equal(want) {
			t.Fatalf("%s: %v, want one that expires at %v", what, list, want)
		}
	}
	move := func(to time.Time, rule string) {
		t.Helper()
		e = must(in.d.Entry(t.Context(), e.ID))
		e.Event.Start, e.Event.End, e.Event.RRule = to, to.Add(2*time.Hour), rule
		e = in.put(e)
	}
	kept("as it was", start.Add(2*time.Hour+30*day))
	rev := in.joinRecords()[0].Rev
	kept("the next day", start.Add(2*time.Hour+30*day))
	if now := in.joinRecords()[0].Rev; now != rev {
		t.Errorf("it is written anew each day: %d, then %d", rev, now)
	}
	move(start.AddDate(4, 0, 0), "")
	kept("postponed", start.AddDate(4, 0, 0).Add(2*time.Hour+30*day))
	guests := must(in.s.Guests(t.Context(), e.ID))
	if err := in.s.DecideGuest(t.Context(), e.ID, guests[0].Key, guests[0].Rev, false); err != nil {
		t.Fatal(err)
	}
	kept("and decided", start.AddDate(4, 0, 0).Add(2*time.Hour+30*day))
	move(start.Add(-2*day), "")
	kept("moved earlier", start.Add(2*time.Hour+28*day))
	move(start.Add(-7*day), "")
	kept("to before they said so", start.Add(2*time.Hour+23*day))
	move(start, "FREQ=WEEKLY")
	kept("every week from then on", start.Add(2*time.Hour+30*day))
	move(start.Add(-60*day), "")
	if err := in.s.Sweep(t.Context()); err != nil || len(in.joinRecords()) != 0 {
		t.Errorf("it was over long ago, and who came is still here: %v", err)
	}
}

// TestAJoinTriedAgainAfterTheLeave: a server that is away hears the answer later; who left meanwhile does not come again.
func TestAJoinTriedAgainAfterTheLeave(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		c := &clock{stands: time.Now()}
		in := open(t, c)
		org := in.organisation("la-fourmiliere", func(e *directory.Entry) { e.Fediverse.Joins = true })
		e := event("Bal")
		e.Event.RegisterURL, e.Event.RRule, e.Event.Start, e.Event.End = "", "", time.Now().Add(72*time.Hour), time.Now().Add(74*time.Hour)
		_, e = in.organises(org, e)
		id := in.base + "/id/" + string(e.ID)
		p := fedtest.NewPeer(t)
		p.Now = c.now
		var away atomic.Bool
		away.Store(true)
		p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "inbox") && away.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			}
			return false
		}
		p.Post(in.inbox(), p.Activity("Join", id), nil)
		eventually(t, "the answer to be tried", func() bool {
			records, err := in.store.Records(t.Context(), "ap-inbox", "", 10)
			return err == nil && len(records) == 1 && strings.Contains(string(records[0].Value), `"tries":1`)
		})
		want := 1
		if leaves {
			want = 0
			p.Post(in.inbox(), p.Activity("Leave", id), nil)
			eventually(t, "them to leave", func() bool { return len(in.joinRecords()) == 0 })
		}
		away.Store(false)
		c.forward(time.Hour)
		eventually(t, "the Join to be done", in.idle)
		if n := len(in.joinRecords()); n != want || len(p.Received("Accept")) != want {
			t.Errorf("left %v: %d come, %d were told so", leaves, n, len(p.Received("Accept")))
		}
	}
}

// TestToldAgain: a decision that stands is told once more when it is made again, since the first time may have been half done.
func TestToldAgain(t *testing.T) {
	in := open(t, nil)
	org := in.organisation("la-fourmiliere", func(e *directory.Entry) { e.Fediverse.Joins, e.Fediverse.JoinsAsk = true, true })
	e := event("Bal")
	e.Event.RegisterURL, e.Event.RRule, e.Event.Start, e.Event.End = "", "", time.Now().Add(72*time.Hour), time.Now().Add(74*time.Hour)
	_, e = in.organises(org, e)
	p := fedtest.NewPeer(t)
	in.does(p, p.Activity("Join", in.base+"/id/"+string(e.ID)))
	guest := must(in.s.Guests(t.Context(), e.ID))[0]
	for i, yes := range []bool{true, true, false, false} {
		if err := in.s.DecideGuest(t.Context(), e.ID, guest.Key, guest.Rev, yes); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			guest.Rev++ // the same page again; then the page as it is now
		}
		p.Await(map[bool]string{true: "Accept", false: "Reject"}[yes], i%2+1)
	}
	if err := in.s.DecideGuest(t.Context(), e.ID, guest.Key, guest.Rev, true); err == nil {
		t.Error("what was not seen is decided")
	}

	eventually(t, "all to be done", in.idle)
	fan := in.followed()
	if err := federation.Decide(t.Context(), in.store, fan.ID(), true); err != nil {
		t.Fatal(err)
	}
	fan.Await("Accept", 2)
	eventually(t, "all to be done", in.idle)
	fan.Lock()
	fan.Answer = func(w http.ResponseWriter, r *http.Request) bool { // it does not hear the first no
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	fan.Unlock()
	for range 2 {
		if err := federation.Decide(t.Context(), in.store, fan.ID(), false); err != nil {
			t.Fatal(err)
		}
	}
	if records := in.records("ap-inbox"); len(records) != 2 {
		t.Errorf("%v", records)
	}
	if err := federation.Decide(t.Context(), in.store, fan.ID(), true); err == nil {
		t.Error("who was refused is accepted")
	}
}
