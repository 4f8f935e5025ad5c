package islands_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

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
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	if err := a.s.Sync(t.Context(), b.host, true); err != nil || asked.Load() < 3 {
		t.Errorf("after %d requests: %v", asked.Load(), err)
	}
}
