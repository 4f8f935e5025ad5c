package api_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
)

// TestStaleList: moderators see what nobody confirmed for long and what is hidden, and settle it; others do not.
func TestStaleList(t *testing.T) {
	tn := openTown(t)
	list := tn.put(place("Le Vieux", "Feurs", 4.22, 45.74, "amap"), place("Le Masqué", "Feurs", 4.22, 45.74, "amap"), event("Une fête", now.AddDate(0, 0, 3), ""))
	began := tn.clock()
	tn.clock = func() time.Time { return began.AddDate(0, 25, 0) }
	moderator, member := tn.somebody("zoe", account.Moderator, "fr"), tn.somebody("anna", account.Member, "fr")
	fresh := tn.put(place("Le Neuf", "Feurs", 4.22, 45.74, "amap"))[0]
	hidden := list[1]
	hidden.Status = directory.Hidden
	hidden = tn.put(hidden)[0]
	if code := member.get("/moderate/stale").StatusCode; code != http.StatusForbidden {
		t.Errorf("a member: %d", code)
	}
	page := moderator.get("/moderate/stale").body
	if !strings.Contains(page, list[0].Name) || !strings.Contains(page, "il y a 2 ans") || strings.Contains(page, fresh.Name) || strings.Contains(page, hidden.Name) || strings.Contains(page, "Une fête") {
		t.Errorf("the list is\n%s", page)
	}
	home := moderator.get("/").body
	if !strings.Contains(home, "Pas confirmé depuis 2 ans") && !strings.Contains(home, "Pas confirmé depuis 2 ans") || strings.Count(home, ` faded"`) != 1 {
		t.Error("the list of everybody does not show that it faded")
	}
	form := url.Values{"decision": {"confirm"}, "version": {strconv.Itoa(int(list[0].Version) + 1)}}
	if a := moderator.post("/moderate/stale", "/moderate/stale/"+string(list[0].ID), form); a.StatusCode != http.StatusConflict {
		t.Errorf("about another version: %d", a.StatusCode)
	}
	form.Set("version", strconv.Itoa(int(list[0].Version)))
	if a := moderator.post("/moderate/stale", "/moderate/stale/"+string(list[0].ID), form); a.StatusCode != http.StatusSeeOther || !tn.entry(list[0].ID).Checked.Equal(tn.clock()) {
		t.Errorf("still true: %d", a.StatusCode)
	}
	if page := moderator.get("/moderate/stale?show=hidden").body; !strings.Contains(page, hidden.Name) {
		t.Error("the hidden entry is not listed")
	}
	form = url.Values{"decision": {"reopen"}, "version": {strconv.Itoa(int(hidden.Version))}}
	if a := moderator.post("/moderate/stale?show=hidden", "/moderate/stale/"+string(hidden.ID), form); a.StatusCode != http.StatusSeeOther || tn.entry(hidden.ID).Status != directory.Published {
		t.Errorf("reopen: %d", a.StatusCode)
	}
	if ids := tn.waiting.Unseen(tn.clock().AddDate(0, -24, 0)); slices.Contains(ids, list[0].ID) || len(tn.waiting.Hidden()) != 0 {
		t.Errorf("the lists still have %v, %v", ids, tn.waiting.Hidden())
	}
}

// TestFadedOnTheMap: tiles mark what nobody confirmed for long, until somebody does.
func TestFadedOnTheMap(t *testing.T) {
	tn := openTown(t)
	began := tn.clock()
	old := tn.put(place("Le Vieux", "Feurs", 4.22, 45.74, "amap"))[0]
	tn.clock = func() time.Time { return began.AddDate(0, 25, 0) }
	tn.put(place("Le Neuf", "Feurs", 4.2221, 45.74, "amap"))
	path := "/tiles/entries/" + tileAt(orb.Point{4.22, 45.74}, 16) + ".mvt"
	faded := func() (out []string) {
		t.Helper()
		a := tn.get(path)
		layers, err := mvt.Unmarshal([]byte(a.body))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, l := range layers {
			for _, f := range l.Features {
				if n++; f.Properties.MustBool("faded", false) {
					out = append(out, f.Properties.MustString("name", ""))
				}
			}
		}
		if n == 0 {
			t.Fatal("the tile is empty")
		}
		return out
	}
	if got := faded(); len(got) != 1 || got[0] != "Le Vieux" {
		t.Errorf("faded are %q", got)
	}
	tag := tn.get(path).Header.Get("ETag")
	old.Checked = tn.clock()
	tn.put(old)
	if got := faded(); len(got) != 0 || tn.get(path).Header.Get("ETag") == tag {
		t.Errorf("confirmed, and faded are %q", got)
	}
}

// TestSink: what has faded loses some places among what is found, and none is lost or goes to the end of a long list.
func TestSink(t *testing.T) {
	ids := make([]directory.ID, 30)
	faded := map[directory.ID]bool{}
	for i := range ids {
		ids[i] = directory.NewID()
	}
	faded[ids[0]], faded[ids[9]] = true, true
	was := slices.Clone(ids)
	api.Sink(ids, 20, faded)
	if at := slices.Index(ids, was[0]); at < 2 || at > 5 {
		t.Errorf("the first is now at %d", at)
	}
	if at := slices.Index(ids, was[9]); at < 12 || at > 18 {
		t.Errorf("the tenth is now at %d", at)
	}
	if !slices.Equal(ids[20:], was[20:]) {
		t.Error("what is in no order was moved")
	}
	rest := slices.DeleteFunc(slices.Clone(ids), func(id directory.ID) bool { return faded[id] })
	if want := slices.DeleteFunc(was, func(id directory.ID) bool { return faded[id] }); !slices.Equal(rest, want) {
		t.Error("the others changed their order")
	}
}
