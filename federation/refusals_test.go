package federation

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/federation/fetch"
)

func answered(code int) error { return fmt.Errorf("post: %w", &fetch.StatusError{Code: code}) }

func TestJudgement(t *testing.T) {
	for want, errs := range map[verdict][]error{
		accepted: {nil},
		away:     {answered(408), answered(425), answered(429), answered(500), answered(502), answered(503), errors.New("connection refused")},
		unknown:  {answered(401), answered(403), answered(404), answered(301), answered(308)},
		refused:  {answered(400), answered(405), answered(406), answered(413), answered(415), answered(422), fetch.ErrForbidden},
		vanished: {answered(410)},
	} {
		for _, err := range errs {
			if got := judgement(err); got != want {
				t.Errorf("%v: judged %d, want %d", err, got, want)
			}
		}
	}
}

// refusing is a peer whose service knows nothing but its hosts, followers and clock.
func refusing(t *testing.T, now *time.Time) (*peer, func() *peer) {
	store, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	d, err := directory.Open(t.Context(), directory.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return *now }
	fresh := func() *peer { // as after a restart
		s, err := New(t.Context(), Options{
			Directory: d, Published: &Published{}, PublicURL: "https://annuaire.example", Log: slog.New(slog.DiscardHandler), Now: clock,
			Site: func() Site { return Site{Name: "Essai", Lang: "fr"} },
		})
		if err != nil {
			t.Fatal(err)
		}
		return &peer{s: s, inbox: "https://loin.example/inbox", host: "loin.example", ahead: map[directory.ID]directory.Seq{}, knows: map[string]int{}}
	}
	p := fresh()
	for _, f := range []follower{
		{Actor: "https://loin.example/a", Host: "loin.example", Inbox: "https://loin.example/inbox", Object: p.s.relayID()},
		{Actor: "https://loin.example/b", Host: "loin.example", Inbox: "https://loin.example/b/inbox", Object: p.s.relayID()},
	} {
		if err := p.s.putFollower(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	return p, fresh
}

// TestUnknownForLong lets an inbox refuse our signature for two months. It is asked less and less, across restarts; after two
// days one activity is given up at each try; in the end its follower goes, and no other of the host. The host is not held
// responsible.
func TestUnknownForLong(t *testing.T) {
	now := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	p, fresh := refusing(t, &now)
	begin := now
	body := []byte(`{"id":"https://annuaire.example/ap/activities/1/2"}`)
	tries, givenUp := 0, 0
	for ; len(p.s.followers.accepted("", p.s.relayID())) == 2; tries++ {
		if tries > 200 {
			t.Fatal("it is never given up")
		}
		err := p.judge(t.Context(), body, answered(401))
		var later *directory.Later
		switch {
		case errors.As(err, &later):
			if givenUp > 0 {
				t.Fatalf("after %s one activity holds up the others", now.Sub(begin))
			}
		case err != nil:
			t.Fatal(err)
		default:
			if givenUp++; now.Sub(begin) < insistFor {
				t.Fatalf("an activity was given up after %s", now.Sub(begin))
			}
		}
		p = fresh()
		if wait, err := p.s.hosts.wait(t.Context(), p.host); wait != 0 || err != nil {
			t.Fatalf("others on the host wait %s, %v", wait, err)
		}
		wait, err := p.wait(t.Context())
		if err != nil || wait <= 0 && len(p.s.followers.accepted("", p.s.relayID())) == 2 {
			t.Fatalf("try %d: wait %s, %v", tries, wait, err)
		}
		now = now.Add(wait)
	}
	if days := now.Sub(begin).Hours() / 24; days < 60 || days > 62 || givenUp < 40 {
		t.Errorf("dropped after %.1f days, %d tries, %d activities given up", days, tries, givenUp)
	}
	if f := p.s.followers.accepted("", p.s.relayID()); len(f) != 1 || f[0].Actor != "https://loin.example/b" {
		t.Errorf("who follows now: %+v", f)
	}
	if r, err := p.s.store.Records(t.Context(), kindRefusal, "", 10); err != nil || len(r) != 0 {
		t.Errorf("what was noted of it stays: %v, %v", r, err)
	}
	// The last try gave the follower up, not an activity.
	if h, err := Hosts(t.Context(), p.s.store); err != nil || len(h) != 1 || h[0].Refused != givenUp-1 || h[0].LastRefusal == "" || h[0].Failures != 0 {
		t.Errorf("the host's page: %+v, %v", h, err)
	}
}

// TestKnownAgain accepts after a refusal: everything is as before.
func TestKnownAgain(t *testing.T) {
	now := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	p, fresh := refusing(t, &now)
	var later *directory.Later
	if err := p.judge(t.Context(), []byte(`{}`), answered(403)); !errors.As(err, &later) || later.After < 40*time.Second || later.After > 80*time.Second {
		t.Fatalf("the first 403: %v", err)
	}
	if err := p.judge(t.Context(), []byte(`{}`), fmt.Errorf("%w", &fetch.StatusError{Code: 404, RetryAfter: 3 * time.Hour})); !errors.As(err, &later) || later.After != 3*time.Hour {
		t.Fatalf("Retry-After: %v", err)
	}
	if err := p.judge(t.Context(), []byte(`{}`), nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*peer{p, fresh()} {
		if wait, err := p.wait(t.Context()); wait > 0 || err != nil {
			t.Errorf("it waits %s, %v", wait, err)
		}
	}
	if err := p.judge(t.Context(), []byte(`{"id":"x"}`), answered(422)); err != nil {
		t.Errorf("an activity that it does not want holds up the next: %v", err)
	}
	if err := p.judge(t.Context(), []byte(`{}`), answered(503)); !errors.As(err, &later) {
		t.Errorf("503: %v", err)
	}
	if wait, _ := fresh().s.hosts.wait(t.Context(), p.host); wait <= 0 {
		t.Error("a host that is away is not left alone")
	}
}

// TestKnownAgainElsewhere: of two nodes one has delivered, then the other one, and now the first has its turn again. It knows what
// the other one noted: an inbox that takes something now is not given up in months for what it refused then.
func TestKnownAgainElsewhere(t *testing.T) {
	now := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	one, fresh := refusing(t, &now)
	nothing := []directory.Change{{Seq: 1, Entry: directory.Entry{Origin: "ailleurs.example"}}}
	turn := func(p *peer) {
		t.Helper()
		if err := p.Consume(t.Context(), nothing); err != nil {
			t.Fatal(err)
		}
		if _, err := p.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	turn(one)
	other := fresh()
	turn(other)
	var later *directory.Later
	if err := other.judge(t.Context(), []byte(`{}`), answered(401)); !errors.As(err, &later) {
		t.Fatalf("the other node: %v", err)
	}
	now = now.Add(time.Hour)
	turn(one)
	if err := one.judge(t.Context(), []byte(`{}`), nil); err != nil {
		t.Fatal(err)
	}
	if r, err := one.s.store.Records(t.Context(), kindRefusal, "", 10); err != nil || len(r) != 0 {
		t.Errorf("that it refused is noted on: %v, %v", r, err)
	}
	now = now.Add(2 * dropAfter)
	turn(one)
	if err := one.judge(t.Context(), []byte(`{}`), answered(404)); !errors.As(err, &later) {
		t.Errorf("months later, one 404: %v", err)
	}
	if n := len(one.s.followers.accepted("", one.s.relayID())); n != 2 {
		t.Errorf("%d of 2 follow", n)
	}
}
