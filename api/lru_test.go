package api

import (
	"strconv"
	"testing"

	"archipel/directory"
)

// TestSearchesTakeBoundedRoom has visitors search for short words in a large directory that changes.
func TestSearchesTakeBoundedRoom(t *testing.T) {
	l := newMeanings()
	ids := make([]directory.ID, 100_000)
	held := func() (n int) {
		for _, e := range l.items {
			n += len(e.Value.(lruItem[string, meant]).value.ids)
		}
		return n
	}
	for i := range 200 {
		l.put(strconv.Itoa(i), meant{ids: ids[:len(ids)-i]})
		l.put("again", meant{ids: ids[:i]})
		if n := held(); n > maxMeant {
			t.Fatalf("after %d answers %d IDs are kept, want %d at most", i+1, n, maxMeant)
		}
	}
	if _, ok := l.get("199"); !ok || held() < maxMeant/2 {
		t.Errorf("the newest is kept: %v; %d IDs in all", ok, held())
	}
	if _, ok := l.get("150"); ok {
		t.Error("an old one is kept")
	}
	// One that is too large is kept as long as it is the newest: a map asks for it many times.
	l.put("huge", meant{ids: make([]directory.ID, maxMeant+1)})
	if _, ok := l.get("huge"); !ok || len(l.items) != 1 {
		t.Errorf("of a huge answer: kept %v, beside %d others", ok, len(l.items)-1)
	}
	for i := range maxMeant { // answers without entries take room as well
		l.put("none"+strconv.Itoa(i), meant{})
	}
	if n := len(l.items); n > maxMeant/10 {
		t.Errorf("%d empty answers are kept", n)
	}
	l.clear()
	if l.put("a", meant{ids: ids}); l.heavy != 20+len(ids) || len(l.items) != 1 {
		t.Errorf("emptied and filled again it weighs %d", l.heavy)
	}
}
