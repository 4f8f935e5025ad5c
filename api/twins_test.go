package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
	"archipel/geo"
)

// follow lets the twins follow everything that was written.
func (tn *town) followTwins() {
	tn.t.Helper()
	changes, err := tn.d.Changes(context.Background(), 0, 1000)
	if err == nil {
		err = api.Twins{Directory: tn.d}.Consume(context.Background(), changes)
	}
	if err != nil {
		tn.t.Fatal(err)
	}
}

// public is the names in the public list, and how many it says there are.
func (tn *town) public() string {
	tn.t.Helper()
	var list struct {
		Matched  int `json:"numberMatched"`
		Features []struct {
			Properties struct {
				Name string `json:"name"`
			} `json:"properties"`
		} `json:"features"`
	}
	tn.json("/api/collections/entries/items?limit=50", &list)
	var names []string
	for _, f := range list.Features {
		names = append(names, f.Properties.Name)
	}
	b, _ := json.Marshal(names)
	if list.Matched != len(names) {
		tn.t.Errorf("%d are listed, %d counted", len(names), list.Matched)
	}
	return string(b)
}

func pairOf(a, b directory.Entry, decision string) url.Values {
	return url.Values{"one": {string(a.ID)}, "other": {string(b.ID)}, "decision": {decision}}
}

func TestTwinsCountOnce(t *testing.T) {
	tn := openTown(t)
	mod := tn.somebody("mod", account.Moderator, "fr")
	ours := tn.put(place("Ours", "Lyon", 4.84, 45.76))[0]
	theirs := tn.mirrored("<b>Theirs</b>")
	both := tn.public()
	decide := func(decision string) answer {
		t.Helper()
		return mod.post("/account", "/moderate/twins", pairOf(theirs, ours, decision))
	}
	if got := decide("link"); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("linking: %d %s", got.StatusCode, got.body)
	}
	if got := tn.public(); got != `["Ours"]` {
		t.Errorf("linked: %s", got)
	}
	if got := tn.visitor().get("/e/" + theirs.Slug); got.StatusCode != http.StatusFound || got.Header.Get("Location") != "/e/"+ours.Slug {
		t.Errorf("the address of the other: %d %s", got.StatusCode, got.Header.Get("Location"))
	}
	if got := tn.get("/api/collections/entries/items/" + string(theirs.ID)); got.StatusCode != http.StatusOK {
		t.Errorf("its id: %d", got.StatusCode)
	}
	if body := mod.get("/moderate/twins").body; !strings.Contains(body, "Défaire le lien") || strings.Contains(body, "<b>Theirs") || !strings.Contains(body, "autre.example") {
		t.Error("the page does not show what is linked")
	}

	// An update from the other island knows nothing of that.
	arrives := func(change func(*directory.Entry)) directory.Entry {
		t.Helper()
		e := tn.entry(theirs.ID)
		e.Private = &directory.Private{Mirror: &directory.Mirrored{Version: e.Private.Mirror.Version + 1, Via: []string{"autre.example"}}}
		change(&e)
		outcomes, err := tn.d.Write(t.Context(), directory.Write{Author: "island:autre.example", Entries: []directory.Entry{e}})
		if err != nil || outcomes[0].Err != nil {
			t.Fatal(err, outcomes[0].Err)
		}
		return outcomes[0].Entry
	}
	arrives(func(e *directory.Entry) { e.Summary = "Neuf" })
	ours.Summary = "Nôtre"
	ours = tn.put(ours)[0]
	tn.followTwins()
	if got := tn.public(); got != `["Ours"]` {
		t.Errorf("after both were changed: %s", got)
	}
	// Its own people keep it there: now it is the one that is shown, and ours stays public for others.
	arrives(func(e *directory.Entry) { e.Claimed = now })
	tn.followTwins()
	hidden := tn.entry(ours.ID)
	if got := tn.public(); !strings.Contains(got, "Theirs") || strings.Contains(got, "Ours") || !hidden.Public() || hidden.Shown() || !hidden.Updated.Equal(ours.Updated) {
		t.Errorf("after it was claimed: %s, %+v", got, hidden)
	}
	if got := tn.visitor().get("/e/" + ours.Slug); got.StatusCode != http.StatusFound {
		t.Errorf("our page: %d", got.StatusCode)
	}
	if got := mod.get("/e/" + ours.Slug); got.StatusCode != http.StatusOK || !strings.Contains(got.body, "à la place de celle-ci") || strings.Contains(got.body, "<b>Theirs") {
		t.Errorf("our page for a moderator: %d", got.StatusCode)
	}
	changes, err := tn.d.History(t.Context(), ours.ID, 0, 10)
	for _, c := range changes {
		if err != nil || !c.Entry.Public() {
			t.Errorf("others are told that it is gone: %+v %v", c, err)
		}
	}
	// The same after a start.
	index := geo.NewIndex()
	if _, err := directory.Open(t.Context(), directory.Options{Store: tn.store, Views: []directory.View{index}}); err != nil {
		t.Fatal(err)
	}
	if n := index.Snapshot().Len(); n != 1 {
		t.Errorf("%d on the map after a start", n)
	}
	// When the shown one goes, the other is back; when it returns, it is shown again.
	arrives(func(e *directory.Entry) { e.Status = directory.Hidden })
	tn.followTwins()
	if got := tn.public(); got != `["Ours"]` {
		t.Errorf("after the other was taken out of view: %s", got)
	}
	arrives(func(e *directory.Entry) { e.Status = directory.Published })
	tn.followTwins()
	if got := tn.public(); strings.Contains(got, "Ours") || !strings.Contains(got, "Theirs") {
		t.Errorf("after it is back: %s", got)
	}
	if got := decide("unlink"); got.StatusCode != http.StatusSeeOther || tn.public() != both {
		t.Errorf("unlinked: %d %s, before %s", got.StatusCode, tn.public(), both)
	}
	if left, err := tn.store.Records(t.Context(), "twin", "", 10); err != nil || len(left) != 0 {
		t.Errorf("%d links are left, %v", len(left), err)
	}

	// The program dies after it was said that they are the same, and after that was taken back.
	for _, ended := range []bool{false, true} {
		value, err := json.Marshal(map[string]any{"a": min(ours.ID, theirs.ID), "b": max(ours.ID, theirs.ID), "at": time.Now(), "ended": ended})
		if err != nil {
			t.Fatal(err)
		}
		key := string(min(ours.ID, theirs.ID)) + "~" + string(max(ours.ID, theirs.ID))
		r, err := tn.store.Record(t.Context(), "twin", key)
		if err == nil {
			err = tn.store.PutRecord(t.Context(), "twin", directory.Record{Key: key, Value: value, Rev: r.Rev})
		}
		for range 2 {
			if err == nil {
				err = api.Twins{Directory: tn.d}.Settle(t.Context())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := tn.public(); (got == both) != ended {
			t.Errorf("finished after a start, taken back %v: %s", ended, got)
		}
	}
}

// TestTwinsPartWhileOneIsAway: what was withdrawn when the link was undone is nobody's twin when it comes back.
func TestTwinsPartWhileOneIsAway(t *testing.T) {
	tn := openTown(t)
	mod := tn.somebody("mod", account.Moderator, "fr")
	ours, theirs := tn.put(place("Ours", "Lyon", 4.84, 45.76))[0], tn.mirrored("Theirs")
	both := tn.public()
	becomes := func(s directory.Status) {
		t.Helper()
		e := tn.entry(theirs.ID)
		e.Status = s
		tn.put(e)
		tn.followTwins()
	}
	if got := mod.post("/account", "/moderate/twins", pairOf(theirs, ours, "link")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("linking: %d %s", got.StatusCode, got.body)
	}
	becomes(directory.Removed)
	if got := mod.post("/account", "/moderate/twins", pairOf(theirs, ours, "unlink")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("unlinking: %d %s", got.StatusCode, got.body)
	}
	if e := tn.entry(theirs.ID); e.Status != directory.Removed {
		t.Errorf("unlinking makes it %s", e.Status)
	}
	becomes(directory.Published)
	if got := tn.public(); got != both {
		t.Errorf("it came back, and %s is shown, before the link %s", got, both)
	}
}

func TestTwinsAreForModerators(t *testing.T) {
	tn := openTown(t)
	mod, eve := tn.somebody("mod", account.Moderator, "fr"), tn.somebody("eve", account.Member, "fr")
	ours, also := tn.put(place("A", "Lyon", 4.84, 45.76))[0], tn.put(place("B", "Lyon", 4.84, 45.76))[0]
	theirs := tn.mirrored("C")
	before := tn.public()
	for who, want := range map[*person]int{tn.visitor(): http.StatusSeeOther, eve: http.StatusForbidden} {
		if got := who.get("/moderate/twins"); got.StatusCode != want {
			t.Errorf("the page: %d, want %d", got.StatusCode, want)
		}
	}
	if got := eve.post("/account", "/moderate/twins", pairOf(ours, theirs, "link")); got.StatusCode != http.StatusForbidden {
		t.Errorf("a member links: %d", got.StatusCode)
	}
	for name, form := range map[string]url.Values{
		"two of ours": pairOf(ours, also, "link"), "itself": pairOf(ours, ours, "link"), "no decision": pairOf(ours, theirs, "x"),
		"nobody": {"one": {string(ours.ID)}, "other": {"<script>"}, "decision": {"link"}},
	} {
		if got := mod.post("/account", "/moderate/twins", form); got.StatusCode < 400 || got.StatusCode >= 500 || strings.Contains(got.body, "<script>\"") {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
	if got := mod.post("/account", "/moderate/twins", pairOf(ours, theirs, "apart")); got.StatusCode != http.StatusSeeOther {
		t.Errorf("saying that they are not the same: %d", got.StatusCode)
	}
	if said := api.NotSame(tn.store)(t.Context(), ours.ID, theirs.ID); !said || tn.public() != before {
		t.Errorf("it is remembered: %v, and %s is shown", said, tn.public())
	}
}
