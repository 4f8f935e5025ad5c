package federation

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"archipel/directory/sqlitestore"
)

func TestPauses(t *testing.T) {
	for n, want := range map[int]time.Duration{1: time.Minute, 2: 2 * time.Minute, 11: 1024 * time.Minute, 12: 24 * time.Hour, 1000: 24 * time.Hour} {
		if got := pauseAfter(n, false, 0.5); got != want {
			t.Errorf("after %d failures: %s, want %s", n, got, want)
		}
	}
	if low, high := pauseAfter(1, false, 0), pauseAfter(1, false, 0.999); low < 45*time.Second || high > 75*time.Second || low == high {
		t.Errorf("the pause is spread over %s to %s", low, high)
	}
	if got := pauseAfter(1, true, 0.5); got != 24*time.Hour {
		t.Errorf("a dead host is probed after %s", got)
	}
}

// TestDeadHost fails for two months: it is asked less and less, once a day in the end, and then given up. What it was is
// known to another process, and one success is enough.
func TestDeadHost(t *testing.T) {
	store, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	now := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	begin := now
	fresh := func() *hostStates {
		return &hostStates{store: store, now: func() time.Time { return now }, all: map[string]*hostState{}}
	}
	h := fresh()
	away := errors.New("connection refused")
	if wait, _, err := h.failed(t.Context(), "mort.example", away, 3*time.Hour); err != nil || wait != 3*time.Hour {
		t.Errorf("Retry-After of three hours: %s, %v", wait, err)
	}
	if again, _, _ := h.failed(t.Context(), "mort.example", away, 0); again != 3*time.Hour {
		t.Errorf("a second failure at the same time makes it %s", again)
	}
	tries := 0
	for giveUp := false; !giveUp; tries++ {
		wait, err := fresh().wait(t.Context(), "mort.example") // as after a restart
		if err != nil || wait <= 0 {
			t.Fatalf("try %d: wait %s, %v", tries, wait, err)
		}
		now = now.Add(wait)
		h = fresh()
		if _, giveUp, err = h.failed(t.Context(), "mort.example", away, 0); err != nil {
			t.Fatal(err)
		}
	}
	if days := now.Sub(begin).Hours() / 24; days < 60 || days > 62 || tries > 100 {
		t.Errorf("given up after %.1f days and %d tries", days, tries)
	}
	if err := h.succeeded(t.Context(), "mort.example"); err != nil {
		t.Fatal(err)
	}
	if wait, err := fresh().wait(t.Context(), "mort.example"); wait != 0 || err != nil {
		t.Errorf("after a success: %s, %v", wait, err)
	}
}

func TestNewActorsOfADomain(t *testing.T) {
	l, now := newLimiters(), time.Now()
	taken := 0
	for i := range 100 {
		if l.newActor("192.0.2.1", "https://"+string(rune('a'+i%26))+".essaim.example/u", now) {
			taken++
		}
	}
	if taken != newActorsPerHour || !l.newActor("192.0.2.1", "https://autre.example/u", now) || !l.newActor("192.0.2.1", "https://essaim.example/u", now.Add(time.Hour)) {
		t.Errorf("%d new actors of one domain in an hour", taken)
	}
	// Whoever made them up has used up nothing of the domain's own: from elsewhere it is heard, until it has used it up itself.
	for i := range newActorsPerHour {
		id := fmt.Sprintf("https://essaim.example/%d", i)
		if !l.newActor("192.0.2.2", id, now) {
			t.Fatalf("an honest actor is not asked for after %d others", i)
		}
		l.metActor(id, now)
	}
	if l.newActor("192.0.2.3", "https://essaim.example/u", now) {
		t.Error("a domain can be met without end from many addresses")
	}
	taken = 0
	for i := range 2 * unprovenPerHour {
		if l.newActor("192.0.2.4", fmt.Sprintf("https://d%d.example/u", i), now) {
			taken++
		}
	}
	if taken != unprovenPerHour {
		t.Errorf("%d actors are asked for on the word of one address", taken)
	}
}

// TestRequestsOfAHost lets one host ask too often, and another one meanwhile.
func TestRequestsOfAHost(t *testing.T) {
	l := newLimiters()
	taken := 0
	for range 100 * burst {
		if l.request("bruit.example") {
			taken++
		}
	}
	if taken < burst || taken > 10*burst || !l.request("calme.example") {
		t.Errorf("%d requests of one host at once", taken)
	}
}

// TestHostsInMemory asks for more hosts than are kept in memory: one that is being spoken to stays, and what is known of one is
// not lost.
func TestHostsInMemory(t *testing.T) {
	store, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	h := &hostStates{store: store, now: time.Now, all: map[string]*hostState{}}
	if _, _, err := h.failed(t.Context(), "mort.example", errors.New("no answer"), time.Hour); err != nil {
		t.Fatal(err)
	}
	release, err := h.turn(t.Context(), "parle.example")
	if err != nil {
		t.Fatal(err)
	}
	busy := h.of("parle.example")
	for i := range 2*maxHosts + 10 {
		h.of(fmt.Sprintf("h%d.example", i))
	}
	if len(h.all) > maxHosts || h.of("parle.example") != busy {
		t.Errorf("%d hosts are in memory, the one that is spoken to: %v", len(h.all), h.of("parle.example") == busy)
	}
	release()
	if wait, err := h.wait(t.Context(), "mort.example"); err != nil || wait < 50*time.Minute {
		t.Errorf("one that does not answer is to be asked in %s, %v", wait, err)
	}
}
