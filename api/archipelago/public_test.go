package archipelago_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/federation/islands"
	"archipel/frontend"
)

// TestPublicOfStrangers: what everybody may ask for is made of the agreements that stand, also of those that another process
// wrote; what is left here by who only knocks is not so much as read for it.
func TestPublicOfStrangers(t *testing.T) {
	w := newWorld(t, "Ici")
	visitor := w.member(account.Nobody)
	keep := func(host, value string) {
		t.Helper()
		before, err := w.store.Record(t.Context(), "island", host)
		if err == nil {
			err = w.store.PutRecord(t.Context(), "island", directory.Record{Key: host, Value: []byte(value), Rev: before.Rev})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	friend := islands.Agreement{Name: "L’île amie", Actor: "https://friend.example/ap/mirror", In: islands.Side{State: islands.Accepted, Standing: true, Since: time.Now()}}
	friend.About.Territory.Box = &[4]float64{4, 45, 5, 46}
	said := func() string {
		t.Helper()
		b, err := json.Marshal(friend)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	keep("friend.example", said())
	eventually(t, "it is on the page", func() bool { return strings.Contains(visitor.get("/islands").body, "L’île amie") })
	friend.In.State, friend.In.Standing = islands.Ended, false
	friend.Out = islands.Side{State: islands.Accepted, Standing: true, Since: time.Now()}
	friend.Name = "L’île quittée"
	keep("friend.example", said())
	eventually(t, "what it is now is on the page", func() bool { return strings.Contains(visitor.get("/islands").body, "L’île quittée") })
	keep("stranger.example", `{"about":0}`)
	for _, path := range []string{"/islands", "/islands/map.png"} {
		if got := visitor.get(path); got.status != http.StatusOK {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

// TestTurnedAway: why the program of another directory refused is said in the reader's language.
func TestTurnedAway(t *testing.T) {
	w := newWorld(t, "Ici")
	admin := w.member(account.Admin)
	for reason, want := range map[islands.Reason]string{islands.ReasonFull: "trop d’annuaires attendent", islands.ReasonLarge: "dit trop de choses de lui-même"} {
		host := string(reason) + ".example"
		b, err := json.Marshal(islands.Agreement{Name: "L’île pleine", Actor: "https://" + host + "/ap/mirror", Seen: time.Now(), In: islands.Side{State: islands.Refused, Reason: reason, Since: time.Now()}})
		if err == nil {
			err = w.store.PutRecord(t.Context(), "island", directory.Record{Key: host, Value: b})
		}
		if err != nil {
			t.Fatal(err)
		}
		if page := admin.get(frontend.IslandURL(host)); page.status != http.StatusOK || !strings.Contains(page.body, want) {
			t.Errorf("%s: %d", reason, page.status)
		}
	}
}
