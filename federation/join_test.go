package federation_test

import (
	"testing"
	"time"

	"archipel/directory"
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
