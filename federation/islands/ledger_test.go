package islands_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/islands"
)

// TestLedgerGoesOn: a ledger that was brought on from the log is the same as one of everything, whatever happened between.
func TestLedgerGoesOn(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	a.follow(b, islands.Scope{Categories: []string{"alimentation"}}, islands.Show)
	var all []directory.Entry
	for i := range 40 {
		e := farm(fmt.Sprint("Ferme ", i))
		if i%4 == 0 {
			e.Categories = []string{"repair-cafe"}
		}
		all = append(all, b.put(e))
	}
	check := func(what string, want int) {
		t.Helper()
		sum, list, err := b.s.Ledger(ctx, a.host, false)
		if err != nil {
			t.Fatal(err)
		}
		freshSum, fresh, err := b.s.Ledger(ctx, a.host, true)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(sum, freshSum) || !reflect.DeepEqual(list, fresh) {
			t.Errorf("%s: brought on from the log it lists %d, read anew %d", what, len(list), len(fresh))
		}
		if len(list) != want {
			t.Errorf("%s: it lists %d, want %d", what, len(list), want)
		}
	}
	check("at first", 30)
	all[0].Categories = []string{"amap"} // comes into the scope
	all[0] = b.put(all[0])
	all[1].Categories = []string{"repair-cafe"} // leaves it
	all[1] = b.put(all[1])
	for range 3 {
		all[2].Summary += "plus "
		all[2] = b.put(all[2])
	}
	all[3].Status = directory.Removed
	b.put(all[3])
	b.put(farm("Nouvelle"))
	check("after changes", 30)
	all[4].Summary = "hors du cadre"
	b.put(all[4])
	check("after a change that is not its own", 30)
	if _, err := islands.Accept(ctx, b.store, a.host, &islands.Scope{Categories: []string{"alimentation"}, Kinds: []directory.Kind{directory.Event}}, true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the narrower scope holds", func() bool {
		_, list, err := b.s.Ledger(ctx, a.host, false)
		return err == nil && len(list) == 0
	})
	check("of another agreement", 0)
}

// TestLedgerSettings: a ledger follows what decides beside the log which entries an island gets, and does not stay for ever.
func TestLedgerSettings(t *testing.T) {
	shared := &clock{}
	a, b := newIsle(t, shared), newIsle(t, shared)
	ctx := t.Context()
	a.follow(b, islands.Scope{Categories: []string{"alimentation"}}, islands.Show)
	bare := farm("Sans licence")
	bare.Licence = ""
	b.put(bare)
	b.put(farm("Ferme"))
	lists := func(what string, want int) {
		t.Helper()
		if _, list, err := b.s.Ledger(ctx, a.host, false); err != nil || len(list) != want {
			t.Errorf("%s it lists %d, want %d: %v", what, len(list), want, err)
		}
	}
	lists("at first", 2)
	closed, open := "CC-BY-ND-4.0", "ODbL-1.0"
	b.licence.Store(&closed)
	lists("when the site's licence lets nobody adapt", 1)
	b.licence.Store(&open)
	lists("when it does again", 2)
	without, err := b.words.Without("ferme", "repair-cafe")
	if err != nil {
		t.Fatal(err)
	}
	b.words.Replace(without)
	lists("when farms are no food any more", 0)
	read := b.s.LedgerRead(a.host)
	for range 2 {
		shared.forward(6 * time.Minute)
		b.put(farm("Encore"))
		lists("for who asks often", 0)
	}
	if !b.s.LedgerRead(a.host).After(read) {
		t.Error("for who asks often it is never read anew")
	}
	if b.s.Ledgers() != 1 {
		t.Errorf("%d ledgers are kept", b.s.Ledgers())
	}
	a.stop() // nobody asks any more
	eventually(t, "the ledger is let go of", func() bool { shared.forward(11 * time.Minute); return b.s.Ledgers() == 0 })
}

// scanned is a store that notes until when it may take to read everything.
type scanned struct {
	directory.Store
	until atomic.Pointer[time.Time]
}

func (s *scanned) Scan(ctx context.Context, after directory.ID, fn func([]directory.Entry) error) error {
	if until, ok := ctx.Deadline(); ok {
		s.until.Store(&until)
	}
	return s.Store.Scan(ctx, after, fn)
}

// TestLedgerInTurn: the time in which a ledger is to be made begins when it is its turn.
func TestLedgerInTurn(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	store := &scanned{}
	b.guard = func(s directory.Store) directory.Store { store.Store = s; return store }
	b.stop()
	b.open()
	b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	const within = 2 * time.Minute
	turn, err := b.s.LedgerInTurn(t.Context(), a.host, within)
	if err != nil {
		t.Fatal(err)
	}
	until := store.until.Load()
	if until == nil {
		t.Fatal("it may take for ever")
	}
	if until.Before(turn.Add(within)) {
		t.Errorf("when it was its turn there were %v left, want %v", until.Sub(turn), within)
	}
}

// TestPatience: a peer that is still making what it is asked for may say so, and is asked again.
func TestPatience(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme")
	var asked atomic.Int32
	b.over(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/mirror/digest") || asked.Add(1) > 2 {
			return false
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(map[int32]int{1: http.StatusServiceUnavailable, 2: http.StatusTooManyRequests}[asked.Load()])
		return true
	})
	if err := a.s.Sync(t.Context(), b.host, true); err != nil || asked.Load() < 3 {
		t.Errorf("after %d requests: %v", asked.Load(), err)
	}
}

// TestSlowButThere: a peer of whom pages came before one did not is asked again soon, however often that happens; one of whom
// nothing comes is asked ever more rarely.
func TestSlowButThere(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme")
	a.hush() // nobody but the test asks
	var away atomic.Bool
	b.over(func(w http.ResponseWriter, r *http.Request) bool {
		fails := strings.HasSuffix(r.URL.Path, "/mirror/digest") || away.Load() && strings.HasSuffix(r.URL.Path, "/mirror/changes")
		if fails {
			w.WriteHeader(http.StatusBadGateway)
		}
		return fails
	})
	for range 6 {
		if err := a.s.Sync(t.Context(), b.host, true); err == nil {
			t.Fatal("the comparison has succeeded")
		}
	}
	if st, err := a.s.State(t.Context(), b.host); err != nil || st.Failures != 1 {
		t.Errorf("slow, but there: %d failures, %v", st.Failures, err)
	}
	away.Store(true)
	for range 3 {
		if err := a.s.Sync(t.Context(), b.host, true); err == nil {
			t.Fatal("what is away has answered")
		}
	}
	if st, err := a.s.State(t.Context(), b.host); err != nil || st.Failures != 4 {
		t.Errorf("away: %d failures, %v", st.Failures, err)
	}
}

// TestComparedWhileItComes: what a peer tells while its answer to a comparison is on the way is not taken for too much.
func TestComparedWhileItComes(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	first := b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme")
	a.compared(b)
	b.told(a) // what is new is said itself, not only that there is something: a cannot ask while it compares
	var once atomic.Bool
	b.over(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/mirror/digest") || !once.CompareAndSwap(false, true) {
			return false
		}
		answer := httptest.NewRecorder()
		b.net.ServeHTTP(answer, r)
		b.put(farm("Nouvelle"))
		first.Name = "Ferme changée"
		b.put(first)
		a.shown(b, "Ferme changée", "Nouvelle")
		bring(w, answer)
		return true
	})
	if err := a.s.Sync(t.Context(), b.host, true); err != nil || !once.Load() {
		t.Fatal(err)
	}
	if st, err := a.s.State(t.Context(), b.host); err != nil || st.Differed != 0 {
		t.Errorf("%d were set right, %v", st.Differed, err)
	}
	a.shown(b, "Ferme changée", "Nouvelle")
	if err := a.s.Sync(t.Context(), b.host, true); err != nil {
		t.Fatal(err)
	}
	if st, err := a.s.State(t.Context(), b.host); err != nil || st.Differed != 0 {
		t.Errorf("compared again: %d were set right, %v", st.Differed, err)
	}
}

// TestNarrowedWhileCompared: what is agreed on while a comparison goes on is compared after it, for it may have begun before.
func TestNarrowedWhileCompared(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	west := farm("Ouest")
	west.Sites[0][0] = 4.1
	b.put(west)
	b.put(farm("Est"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Est", "Ouest")
	a.compared(b)
	before, err := a.s.State(t.Context(), b.host)
	if err != nil {
		t.Fatal(err)
	}
	var once atomic.Bool
	b.over(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/mirror/digest") || !once.CompareAndSwap(false, true) {
			return false
		}
		answer := httptest.NewRecorder()
		b.net.ServeHTTP(answer, r)
		if _, err := islands.Accept(context.Background(), b.store, a.host, &islands.Scope{Area: square(4.2, 45, 5, 46)}, true); err != nil {
			t.Error(err)
		}
		eventually(t, "a knows that all is to be compared", func() bool {
			st, err := a.s.State(context.Background(), b.host)
			return err == nil && a.with(b).In.State == islands.Narrowed && st.Anew > before.Anew
		})
		bring(w, answer)
		return true
	})
	if err := a.s.Sync(t.Context(), b.host, true); err != nil || !once.Load() {
		t.Fatal(err)
	}
	a.shown(b, "Est")
}

// bring gives an answer that was held back.
func bring(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}
