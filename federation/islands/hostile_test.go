package islands_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/islands"

	"github.com/paulmach/orb"
)

// say lets an island tell another one something, as its mirror, whatever it is.
func (in *isle) say(to *isle, doc map[string]any) error {
	b, err := json.Marshal(doc)
	if err != nil {
		in.t.Fatal(err)
	}
	return in.net.PostAs(context.Background(), "mirror", to.base+"/ap/mirror/inbox", b)
}

var said int

var anyType = []fetch.MediaType{{Type: "application/activity+json"}, {Type: "application/json"}}

// over takes requests over that come to an island.
func (in *isle) over(f func(http.ResponseWriter, *http.Request) bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.intercep = f
}

func (in *isle) announce(to *isle, object any) {
	in.t.Helper()
	said++
	err := in.say(to, map[string]any{
		"@context": "https://www.w3.org/ns/activitystreams", "id": fmt.Sprintf("%s/ap/mirror#said/%d", in.base, said), "type": "Announce",
		"actor": in.base + "/ap/mirror", "object": object,
	})
	if err != nil {
		in.t.Logf("it was not taken: %v", err)
	}
}

// signed is what an island says of an entry, changed before it is signed.
func (in *isle) signed(e directory.Entry, spoil func(activity, object map[string]any)) map[string]any {
	in.t.Helper()
	doc, err := in.s.Say(&e)
	if err != nil {
		in.t.Fatal(err)
	}
	spoil(doc, doc["object"].(map[string]any))
	if err := in.net.Prove("mirror", doc); err != nil {
		in.t.Fatal(err)
	}
	return doc
}

// TestHostile: one that was agreed with lies, forges, replays and sends what nobody asked for.
func TestHostile(t *testing.T) {
	a, b, c := newIsle(t, nil), newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	mine := a.put(farm("À moi"))
	theirs := c.put(farm("De c"))
	first := b.put(farm("De b"))
	a.follow(b, islands.Scope{Area: square(4, 45, 5, 46), Others: true}, islands.Show)
	a.follow(c, islands.Scope{}, islands.Show)
	a.shown(b, "De b")
	a.shown(c, "De c")
	a.compared(b) // or what it only says would be gone before it is looked at
	a.compared(c)
	old, err := b.s.Say(&first)
	if err != nil {
		t.Fatal(err)
	}
	first.Name = "De b, deux"
	first = b.put(first)
	a.shown(b, "De b, deux")

	fresh := func(name string) directory.Entry {
		e := farm(name)
		e.ID, e.Status, e.Version, e.Slug, e.Created, e.Updated = directory.NewID(), directory.Published, 50, "x", time.Now().UTC(), time.Now().UTC()
		return e
	}
	nothing := func(_, _ map[string]any) {}
	squat := fresh("À moi, dit b")
	squat.ID = mine.ID
	forC := theirs
	forC.Name, forC.Version, forC.Origin, forC.Private = "De c, dit b", 99, "", nil
	outside := fresh("Dehors")
	outside.Sites = []orb.Point{{0, 0}}
	big := fresh("Trop long")
	big.Description = strings.Repeat("x", 19_000)
	for i := range 49 {
		if big.Translations == nil {
			big.Translations = map[string]directory.Translation{}
		}
		big.Translations[fmt.Sprintf("fr-x-%d", i)] = directory.Translation{Description: strings.Repeat("y", 10_000)}
	}
	wrong := fresh("Pas de site")
	wrong.Links = []directory.Link{{URL: "javascript:alert(1)"}}
	unlicensed := b.signed(fresh("Sans licence"), func(_, o map[string]any) {
		delete(o["feature"].(map[string]any)["properties"].(map[string]any), "licence")
	})
	changed := b.signed(fresh("Honnête"), nothing)
	changed["object"].(map[string]any)["feature"].(map[string]any)["properties"].(map[string]any)["name"] = "Malhonnête"
	stolen := b.signed(forC, func(activity, o map[string]any) {
		o["id"] = c.base + "/id/" + string(theirs.ID)
		o["attributedTo"] = c.base + "/ap/mirror"
	})
	posed := b.signed(forC, func(activity, o map[string]any) {
		o["id"], o["attributedTo"] = c.base+"/id/"+string(theirs.ID), c.base+"/ap/mirror"
		activity["actor"], activity["id"] = c.base+"/ap/mirror", c.base+"/ap/mirror/activities/x"
	})
	for _, object := range []any{
		old, // again
		stolen, posed, unlicensed, changed, b.signed(outside, nothing), b.signed(big, nothing), b.signed(wrong, nothing),
		b.signed(fresh("Version nulle"), func(_, o map[string]any) { o["version"] = 0.0 }),
		b.signed(fresh("Époque négative"), func(_, o map[string]any) { o["epoch"] = -1.0 }),
		map[string]any{"type": "Remove", "id": c.base + "/x", "actor": c.base + "/ap/mirror", "object": c.base + "/id/" + string(theirs.ID)},
		map[string]any{"type": "Remove", "id": b.base + "/x", "actor": b.base + "/ap/mirror", "object": c.base + "/id/" + string(theirs.ID)},
		map[string]any{"type": "Remove", "id": b.base + "/y", "actor": b.base + "/ap/mirror", "object": a.base + "/id/" + string(mine.ID)},
		map[string]any{"type": []any{}, "object": []any{map[string]any{}}}, "https://nowhere.example/", []any{1, 2}, nil,
	} {
		b.announce(a, object)
	}
	// An id that is taken becomes another one, and the entry that has it stays as it is.
	b.announce(a, b.signed(squat, nothing))
	other := islands.OtherID(b.host, mine.ID)
	eventually(t, "the other id", func() bool { return a.entry(other).Name == "À moi, dit b" })
	if e := a.entry(mine.ID); e.Name != "À moi" || e.Origin != "" {
		t.Errorf("ours is %q of %q", e.Name, e.Origin)
	}
	a.shown(b, "De b, deux", "À moi, dit b")
	a.shown(c, "De c")
	if e := a.entry(theirs.ID); fmt.Sprint(e.Private.Mirror.Via) != "["+c.host+"]" {
		t.Errorf("it is shown by %v", e.Private.Mirror.Via)
	}
	// What one that has nothing to do with it says is not heard either.
	d := newIsle(t, nil)
	d.announce(a, d.signed(fresh("D'un inconnu"), nothing))
	d.announce(a, b.signed(fresh("Par un inconnu"), nothing))
	st, err := a.s.State(ctx, b.host)
	if err != nil || len(st.Refused) < 3 {
		t.Errorf("refused: %v, %v", st.Refused, err)
	}
	known := islands.Reasons()
	for why := range st.Refused {
		if !slices.Contains(known, why) {
			t.Errorf("%q is not in the list of reasons", why)
		}
	}
	if err := a.s.Sync(ctx, b.host, true); err != nil {
		t.Fatal(err)
	}
	a.shown(b, "De b, deux") // b does not list what it only said
	a.shown(d)
	if st, err = a.s.State(ctx, b.host); err != nil || len(st.Refused) > 0 {
		t.Errorf("since they compared it is said that this was refused: %v, %v", st.Refused, err)
	}
}

// TestOnlyPeersRead: without an agreement nothing is answered, and answers are for who asks only.
func TestOnlyPeersRead(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	secret := farm("Brouillon")
	secret.Status = directory.Draft
	secret = b.put(secret)
	for _, path := range []string{"changes", "digest", "bucket?n=0", "objects?id=" + url.QueryEscape(b.host+"/"+string(secret.ID))} {
		res, err := http.Get(b.base + "/mirror/" + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s is answered %d without a signature", path, res.StatusCode)
		}
		if _, err := a.net.FetchAs(t.Context(), "mirror", b.base+"/mirror/"+path, anyType); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("%s without an agreement: %v", path, err)
		}
	}
	a.follow(b, islands.Scope{}, islands.Show)
	for _, path := range []string{"changes?after=x", "changes?after=0.1.x.abcdef", "changes?seen=0.9.x.y", "bucket?n=256", "bucket?n=x", "objects", "objects?id=x", "objects?" + strings.Repeat("id=x&", 60)} {
		got, err := a.net.FetchAs(t.Context(), "mirror", b.base+"/mirror/"+path, anyType)
		if ok := path == "objects?id=x" || strings.HasPrefix(path, "changes?seen"); ok != (err == nil) {
			t.Errorf("%s: %v", path, err)
		}
		if got != nil && bytes.Contains(got.Body, []byte("Brouillon")) {
			t.Errorf("%s shows a draft", path)
		}
	}
	if b.s.Epoch() != 0 {
		t.Error("a cursor that nobody made began a new epoch")
	}
}

// TestFlood: an island that says too much is heard as far as was agreed, and never ends the other.
func TestFlood(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := context.Background()
	b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme")
	if _, err := islands.SetLimit(ctx, a.store, b.host, 20); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the limit is known", func() bool { return a.s.Limit(b.host) == 20 })
	var entries []directory.Entry
	for i := range 120 {
		entries = append(entries, farm(fmt.Sprint("Ferme ", i)))
	}
	if _, err := b.d.Write(ctx, directory.Write{Author: "test", Entries: entries}); err != nil {
		t.Fatal(err)
	}
	if err := a.s.Sync(ctx, b.host, true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "as many as agreed", func() bool { return len(a.visible(b.host)) == 20 })

	// Pages that do not end, lie about where to go on, or unpack to more than there is room for.
	endless, packed := 0, 0
	b.over(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/mirror/changes" {
			return false
		}
		w.Header().Set("Content-Type", "application/activity+json")
		endless++
		switch packed {
		case 0:
			fmt.Fprintf(w, `{"type":"OrderedCollectionPage","orderedItems":[{},[],null,"x",{"type":"Create"}],"cursor":"0.9.x.y","more":true}`)
		case 1:
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fmt.Fprint(z, `{"orderedItems":["`, strings.Repeat(" ", 8<<20), `"]}`)
			z.Close()
		case 2:
			fmt.Fprint(w, `{"orderedItems":[`+strings.Repeat(`{},`, 5000)+`{}],"cursor":"0.9.x.y"}`)
		case 3:
			fmt.Fprint(w, `{"orderedItems":[],"cursor":"here"}`)
		}
		return true
	})
	for packed = range 4 {
		if err := a.s.Sync(ctx, b.host, false); err == nil {
			t.Errorf("answer %d is taken", packed)
		}
		if err := a.s.ForgetFailure(ctx, b.host); err != nil {
			t.Fatal(err)
		}
	}
	if endless > 20 {
		t.Errorf("it was asked %d times", endless)
	}
	b.over(nil)
	if err := a.s.Sync(ctx, b.host, true); err != nil || len(a.visible(b.host)) != 20 {
		t.Errorf("afterwards it shows %d: %v", len(a.visible(b.host)), err)
	}
}
