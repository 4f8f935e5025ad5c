package digest_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAway: while the mail server is away nothing is lost, and when it is back nothing comes twice.
func TestAway(t *testing.T) {
	n, smtp := begin(t)
	n.subscribe(smtp, choice("anna@example.org"))
	before := len(smtp.Mails())
	n.put(place("Le Nouveau", 4.23, 45.75))
	n.clock.later(3 * day)
	smtp.Away(true)
	for range 6 {
		n.pass()
		n.clock.later(10 * time.Minute)
	}
	smtp.Away(false)
	for range 6 {
		n.clock.later(time.Hour)
		n.pass()
	}
	if got := len(smtp.Mails()) - before; got != 1 {
		t.Errorf("%d digests after an hour away, want 1", got)
	}
}

// TestCrash: a program that dies between the outbox and the subscription, and another node that goes on, send each digest once
// and leave nothing out.
func TestCrash(t *testing.T) {
	a, smtp := begin(t)
	for i := range 5 {
		form := choice(fmt.Sprintf("p%d@example.org", i))
		a.subscribe(smtp, form)
		a.clock.later(time.Hour) // limits
	}
	before := len(smtp.Mails())
	a.put(place("Le Premier", 4.23, 45.75))
	a.clock.set(time.Date(2055, 3, 15, 7, 0, 0, 0, paris))
	subs, err := a.store.Records(t.Context(), "digest", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	a.pass()
	// As if the program had died before it noted what it had sent.
	for _, r := range subs {
		now, err := a.store.Record(t.Context(), "digest", r.Key)
		if err != nil {
			t.Fatal(err)
		}
		r.Rev = now.Rev
		if err := a.store.PutRecord(t.Context(), "digest", r); err != nil {
			t.Fatal(err)
		}
	}
	a.put(place("Le Second", 4.23, 45.75)) // not in the mail that was sent
	b := open(t, a.store, a.clock, smtp)
	var wg sync.WaitGroup
	for _, n := range []*node{a, b, b} {
		wg.Go(func() {
			if _, err := n.service.Pass(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	a.flush()
	if got := len(smtp.Mails()) - before; got != 5 {
		t.Fatalf("%d digests, want 5", got)
	}
	a.clock.later(7 * day)
	b.pass()
	a.pass()
	all := smtp.Mails()[before:]
	if len(all) != 10 {
		t.Fatalf("%d digests after two weeks, want 10", len(all))
	}
	for i, m := range all {
		if strings.Contains(m.Text, "Le Premier") != (i < 5) || strings.Contains(m.Text, "Le Second") != (i >= 5) {
			t.Errorf("mail %d says:\n%s", i, m.Text)
		}
	}
}

// TestReturned: a subscription whose mails come back three times in a row pauses, and says so to whoever looks.
func TestReturned(t *testing.T) {
	n, smtp := begin(t)
	n.subscribe(smtp, choice("anna@example.org"))
	n.put(place("Le Nouveau", 4.23, 45.75))
	n.clock.later(3 * day)
	n.pass()
	var change string
	for _, u := range anyLink.FindAllString(last(smtp).Text, -1) {
		if u != last(smtp).Unsubscribed {
			change = u
		}
	}
	smtp.Away(true)
	for i := range 5 {
		n.put(place(fmt.Sprintf("Lieu %d", i), 4.23, 45.75))
		n.clock.later(3 * day)
		n.pass()
		n.clock.later(4 * day) // the outbox gives up after three days
		n.flush()
	}
	if a := n.do("GET", change, nil); a.code != 200 || !strings.Contains(a.body, "les courriels revenaient") {
		t.Fatalf("the page says nothing of the pause: %d", a.code)
	}
	smtp.Away(false)
	before := len(smtp.Mails())
	if a := n.do("POST", change, choice("")); a.code != 200 {
		t.Fatalf("going on: %d", a.code)
	}
	n.clock.later(8 * day)
	n.pass()
	if len(smtp.Mails()) != before+1 {
		t.Errorf("%d mails after going on", len(smtp.Mails())-before)
	}
}
