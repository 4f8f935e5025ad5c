package islands_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/islands"
)

// TestTalkative: what a directory says of itself is shortened, and when that is still too much it is told so, and nothing is kept.
func TestTalkative(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	words := 3
	b.over(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/mirror/island" {
			return false
		}
		d := islands.Description{Version: 1, Name: "Bavarde"}
		one := fmt.Sprintf(`{"id":"x","label":{"fr":%q},"under":[%q],"osm":[%q],"needs":[%[1]q]}`, strings.Repeat("l", 90), strings.Repeat("u", 300), strings.Repeat("o", 300))
		list := "[" + strings.Repeat(one+",", words-1) + one + "]"
		if err := json.Unmarshal([]byte(list), &d.Categories); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(d); err != nil {
			t.Log(err)
		}
		return true
	})
	d, err := a.s.Find(t.Context(), b.base)
	if err != nil || len(d.Categories) != 3 {
		t.Fatalf("%d words: %v", len(d.Categories), err)
	}
	for _, w := range d.Words() {
		if len(w.Under[0]) > 80 || len(w.OSM[0]) > 200 || len(w.Needs[0]) > 80 {
			t.Errorf("a word is kept as %+v", w)
		}
	}
	words = 600
	if _, err := a.s.Find(t.Context(), b.base); !errors.Is(err, fetch.ErrTooLarge) {
		t.Errorf("of %d long words: %v", words, err)
	}
	if _, err := islands.Ask(t.Context(), b.store, a.base, islands.Scope{}, islands.Show); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b knows that it is turned away", func() bool { return b.with(a).In.State == islands.Refused })
	if in := b.with(a).In; in.Reason != islands.ReasonLarge || in.Note != "" {
		t.Errorf("it is told %q, %q", in.Reason, in.Note)
	}
	if out := a.with(b); out.Out.State != "" || out.Name != "" {
		t.Errorf("it is kept as %+v", out)
	}
}

// TestStrangers: only so many directories wait for an answer. Who was silent for longest makes room, and is forgotten one day;
// what the operator decided stays.
func TestStrangers(t *testing.T) {
	shared := &clock{}
	a, b := newIsle(t, shared), newIsle(t, shared)
	ctx := t.Context()
	keep := func(host string, ago time.Duration, state islands.State, byUs bool) {
		t.Helper()
		v, err := json.Marshal(islands.Agreement{Name: host, Actor: "https://" + host + "/ap/mirror", Seen: shared.now().Add(-ago), Out: islands.Side{State: state, ByUs: byUs, Follow: "https://" + host + "/1"}})
		if err == nil {
			err = a.store.PutRecord(ctx, "island", directory.Record{Key: host, Value: v})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	has := func(host string) bool {
		t.Helper()
		v, err := islands.With(ctx, a.store, host)
		if err != nil {
			t.Fatal(err)
		}
		return v.Out.State != ""
	}
	const most = 200
	for i := range most {
		keep(fmt.Sprintf("s%d.example", i), time.Duration(i)*time.Minute, islands.Asked, false)
	}
	keep("refused.example", 30*time.Hour, islands.Refused, true)
	keep("friend.example", 30*time.Hour, islands.Accepted, true)
	eventually(t, "they are known", func() bool { return a.s.Known("friend.example") })
	ask := func() {
		t.Helper()
		if _, err := islands.Ask(ctx, b.store, a.base, islands.Scope{}, islands.Show); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	eventually(t, "b knows that there is no room", func() bool { return b.with(a).In.State == islands.Refused })
	if in := b.with(a).In; in.Reason != islands.ReasonFull || in.Note != "" || has(b.host) {
		t.Errorf("it is told %q, %q, and kept: %v", in.Reason, in.Note, has(b.host))
	}
	shared.forward(22 * time.Hour) // of the oldest ones, it is more than a day ago
	ask()
	eventually(t, "b waits for an answer", func() bool { return has(b.host) })
	if in := b.with(a).In; in.State != islands.Asked || in.Reason != "" {
		t.Errorf("asking again, b has %q for %q", in.State, in.Reason)
	}
	if has("s199.example") || !has("s198.example") || !has("refused.example") || !has("friend.example") {
		t.Error("another one made room than who was silent for longest")
	}
	shared.forward(91 * 24 * time.Hour)
	eventually(t, "who only knocked is forgotten", func() bool {
		shared.forward(61 * time.Minute) // it is looked every hour, and who knocked a moment ago is left for the next time
		return !has("s0.example") && !has("s198.example") && !has(b.host)
	})
	if !has("refused.example") || !has("friend.example") {
		t.Error("what was decided is forgotten")
	}
}
