package vocab

import (
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"archipel/federation/fetch"
)

func parse(t testing.TB, text string) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestReadWhatNetworksSend reads activities in the forms of each network.
func TestReadWhatNetworksSend(t *testing.T) {
	for name, c := range map[string]struct {
		text                         string
		kind, actor, object, objType string
		objects                      int
	}{
		"Mastodon Follow":       {`{"@context":["https://www.w3.org/ns/activitystreams",{"toot":"http://joinmastodon.org/ns#"}],"id":"https://bruyere.example/1","type":"Follow","actor":"https://bruyere.example/users/anne","object":"https://annuaire.example/ap/relay","signature":{"type":"RsaSignature2017"}}`, "Follow", "https://bruyere.example/users/anne", "https://annuaire.example/ap/relay", "", 1},
		"Mastodon Undo":         {`{"@context":"https://www.w3.org/ns/activitystreams","id":"https://bruyere.example/2","type":"Undo","actor":"https://bruyere.example/users/anne","object":{"id":"https://bruyere.example/1","type":"Follow","actor":"https://bruyere.example/users/anne","object":"https://annuaire.example/ap/relay"}}`, "Undo", "https://bruyere.example/users/anne", "https://bruyere.example/1", "Follow", 1},
		"Mastodon Flag":         {`{"@context":"https://www.w3.org/ns/activitystreams","id":"https://bruyere.example/3","type":"Flag","actor":"https://bruyere.example/actor","content":"x","object":["https://annuaire.example/ap/relay","https://annuaire.example/id/1"],"to":"https://annuaire.example/ap/relay"}`, "Flag", "https://bruyere.example/actor", "https://annuaire.example/ap/relay", "", 2},
		"Mobilizon Join":        {`{"@context":["https://www.w3.org/ns/activitystreams",{"mz":"https://joinmobilizon.org/ns#"}],"id":"https://agora.example/join/1","type":"Join","actor":"https://agora.example/@lise","object":"https://annuaire.example/id/1","participationMessage":null}`, "Join", "https://agora.example/@lise", "https://annuaire.example/id/1", "", 1},
		"Mobilizon Create":      {`{"@context":"https://www.w3.org/ns/activitystreams","id":"https://agora.example/c/1","type":"Create","actor":"https://agora.example/@lise","attributedTo":"https://agora.example/@groupe","object":{"id":"https://agora.example/events/1","type":"Event","name":"Bal","startTime":"2027-07-01T18:00:00Z","location":{"type":"Place","latitude":45.44,"longitude":4.39}},"to":["https://www.w3.org/ns/activitystreams#Public"]}`, "Create", "https://agora.example/@lise", "https://agora.example/events/1", "Event", 1},
		"Gancio, no context":    {`{"id":"https://fete.example/m/1#create","type":"Create","actor":"https://fete.example/u/fete","object":{"id":"https://fete.example/m/1","type":"Event","name":"Fête","location":{"name":"Place du Marché"}}}`, "Create", "https://fete.example/u/fete", "https://fete.example/m/1", "Event", 1},
		"Lemmy Announce":        {`{"@context":["https://join-lemmy.org/context.json","https://www.w3.org/ns/activitystreams"],"id":"https://lien.example/a/1","type":"Announce","actor":"https://lien.example/c/main","object":{"id":"https://lien.example/a/2","type":"Create","actor":"https://lien.example/u/jo","object":{"type":"Page","id":"https://lien.example/post/7","name":"x"}}}`, "Announce", "https://lien.example/c/main", "https://lien.example/a/2", "Create", 1},
		"WordPress Announce":    {`{"@context":["https://www.w3.org/ns/activitystreams"],"id":"https://blog.example/#activity","type":"Announce","actor":{"id":"https://blog.example/@blog","type":"Group"},"object":"https://annuaire.example/id/1","cc":[]}`, "Announce", "https://blog.example/@blog", "https://annuaire.example/id/1", "", 1},
		"GoToSocial Delete":     {`{"@context":"https://www.w3.org/ns/activitystreams","id":"https://mousse.example/d","type":"Delete","actor":"https://mousse.example/users/li","object":"https://mousse.example/users/li","to":"https://www.w3.org/ns/activitystreams#Public"}`, "Delete", "https://mousse.example/users/li", "https://mousse.example/users/li", "", 1},
		"Friendica, two types":  {`{"@context":["https://www.w3.org/ns/activitystreams",{"vcard":"http://www.w3.org/2006/vcard/ns#"}],"id":"https://ami.example/1","type":["Like","Activity"],"actor":"https://ami.example/u","object":"https://annuaire.example/id/1","to":"as:Public"}`, "Like", "https://ami.example/u", "https://annuaire.example/id/1", "", 1},
		"an actor not escaped":  {`{"@context":"https://www.w3.org/ns/activitystreams","id":"https://a.example/1","type":"Like","actor":"https://a.example/josé","object":"https://annuaire.example/id/1"}`, "Like", "https://a.example/josé", "https://annuaire.example/id/1", "", 1},
		"the same in a list":    {`{"@context":"https://www.w3.org/ns/activitystreams","id":"https://a.example/1","type":"Like","actor":[{"id":"https://a.example/josé","type":"Person"}],"object":"https://annuaire.example/id/1"}`, "Like", "https://a.example/josé", "https://annuaire.example/id/1", "", 1},
		"a type of another one": {`{"@context":"https://www.w3.org/ns/activitystreams","id":"https://a.example/1","type":"Wave","actor":"https://a.example/u","object":"https://annuaire.example/id/1"}`, "Wave", "https://a.example/u", "https://annuaire.example/id/1", "", 1},
	} {
		a, err := Read(parse(t, c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if o := a.Object(); a.Type != c.kind || a.Actor != c.actor || o.ID != c.object || o.Type != c.objType || len(a.Objects) != c.objects {
			t.Errorf("%s: %s by %s of %s %s, %d objects", name, a.Type, a.Actor, o.Type, o.ID, len(a.Objects))
		}
	}
}

func TestHost(t *testing.T) {
	for address, want := range map[string]string{
		"https://Annuaire.Example/x": "annuaire.example", "https://annuaire.example:443/": "annuaire.example", "https://annuaire.example:8443/": "annuaire.example:8443",
		"http://a.example:80/": "a.example", "http://a.example:443/": "a.example:443", "https://bücher.example/": "xn--bcher-kva.example", "https://BÜCHER.example/": "xn--bcher-kva.example",
		"https://a.example./": "a.example", "https://user@a.example/": "", "ftp://a.example/": "", "a.example": "", "https:///x": "", "": "", "https://[2001:DB8::1]:8443/": "[2001:db8::1]:8443",
		"https://ａ.example/": "a.example", "https://a_b.example/": "a_b.example",
		"https://a_b.example./": "a_b.example", "https://a.example\u3002/": "a.example", "https://a.example../": "", "https://a.xn--/": "", "https://a..example/": "", "https://a.example:0443/": "a.example",
		"https://a.example:08443/": "a.example:8443", "https://[2001:db8:0::1]/": "[2001:db8::1]", "https://" + strings.Repeat("\u7e41", 400) + "/": "",
	} {
		if got := Host(address); got != want {
			t.Errorf("Host(%q) = %q, want %q", address, got, want)
		}
	}
	for _, pair := range [][2]string{
		{"https://a.example/1", "https://b.example/1"}, {"https://a.example/1", "http://a.example/1"}, {"https://a.example/1", "https://a.example:8443/1"},
		{"", ""}, {"https://a.example.evil.example/", "https://a.example/"}, {"https://a.example@evil.example/", "https://a.example/"}, {"https://а.example/", "https://a.example/"},
	} {
		if SameOrigin(pair[0], pair[1]) {
			t.Errorf("%q and %q are not of one origin", pair[0], pair[1])
		}
	}
	if !SameOrigin("https://A.example/1", "https://a.example:443/2") {
		t.Error("case and the scheme's port tell nothing apart")
	}
}

func TestWrapRefusesWhatIsNotSent(t *testing.T) {
	if _, err := Wrap(Envelope{ID: "https://a.example/1", Type: "Travel", Actor: "https://a.example/u", ObjectID: "https://a.example/2"}); !errors.Is(err, ErrForm) {
		t.Errorf("got %v", err)
	}
}

// TestReadTakesLittle reads a message of many values, for each of which the library has a place of more than a thousand bytes.
func TestReadTakesLittle(t *testing.T) {
	many := `[` + strings.Repeat(`{"type":"Note","tag":[`+strings.Repeat(`"",`, 900)+`""]},`, 100) + `""]`
	doc := parse(t, `{"id":"https://a.example/1","type":"Create","actor":{"id":"https://a.example/u","type":"Person","actor":`+many+`,"attachment":`+many+`},"object":`+many+`}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a, err := Read(doc)
	runtime.ReadMemStats(&after)
	if err != nil || a.Actor != "https://a.example/u" || len(a.Objects) != 100 {
		t.Fatal(err)
	}
	if taken := (after.TotalAlloc - before.TotalAlloc) >> 20; taken > 50 {
		t.Errorf("reading it took %d MB", taken)
	}
}

// FuzzRead sends the library what strangers may: it panics on some of it.
func FuzzRead(f *testing.F) {
	for _, file := range peerFiles(f) {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, seed := range []string{
		`{"id":"https://a.example/1","type":["Follow",1],"actor":{"id":"x"},"object":[null,{}]}`,
		`{"@context":[],"id":"x","type":"Create","actor":["https://a.example/u"],"object":{"type":["Note"],"content":{},"tag":[{"type":"Hashtag"}]},"to":"Public"}`,
		`{"id":"x","type":"Place","latitude":"x","object":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := fetch.Object(b)
		if err != nil {
			return
		}
		a, err := Read(doc)
		if err == nil && (a.ID == "" || a.Type == "" || a.Actor == "" || len(a.Objects) == 0) {
			t.Errorf("taken without what it needs: %+v", a)
		}
		if err != nil && !errors.Is(err, ErrForm) {
			t.Errorf("%v", err)
		}
	})
}
