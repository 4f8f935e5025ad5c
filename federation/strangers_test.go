package federation_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"archipel/federation/fedtest"
)

// TestTalkativeActors: what a stranger's document says beyond what is read is not kept; a long one of an honest server is taken, and one
// that nobody can mean is not.
func TestTalkativeActors(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	var emoji, fields []any
	for i := range 150 {
		emoji = append(emoji, map[string]any{"id": fmt.Sprintf("https://loin.example/emojis/%d", i), "type": "Emoji", "name": fmt.Sprintf(":e%d:", i), "icon": map[string]any{"type": "Image", "mediaType": "image/png", "url": fmt.Sprintf("https://loin.example/media/%d/%s.png", i, strings.Repeat("0", 120))}})
	}
	for i := range 20 {
		fields = append(fields, map[string]any{"type": "PropertyValue", "name": fmt.Sprint(i), "value": strings.Repeat("<a href=\"https://loin.example/\">là</a> ", 50)})
	}
	p.Lock()
	p.Actor["tag"], p.Actor["attachment"], p.Actor["summary"] = emoji, fields, strings.Repeat("<p>Une longue histoire, à suivre.</p>", 500)
	p.Actor["name"] = "Maud"
	p.Unlock()
	in.follows(p, in.relay())
	kept := in.records("ap-actor")
	if len(kept) != 1 {
		t.Fatalf("%d are kept", len(kept))
	}
	doc := kept[0]["doc"].(map[string]any)
	b, err := json.Marshal(doc)
	if err != nil || len(b) > 5000 || doc["tag"] != nil || doc["attachment"] != nil || doc["name"] != "Maud" || doc["id"] != p.ID() {
		t.Errorf("%d bytes are kept, %v: %.3000s", len(b), err, b)
	}
	if profile, err := in.s.ProfileOf(t.Context(), p.ID()); err != nil || profile.Name != "Maud" || !strings.HasPrefix(profile.Summary, "Une longue histoire") || profile.Handle == "" {
		t.Errorf("%+v, %v", profile, err)
	}

	for name, spoil := range map[string]func(map[string]any){
		"300 KB of nothing": func(a map[string]any) {
			row := make([]any, 1000)
			for i := range row {
				row[i] = []any{}
			}
			rows := make([]any, 100)
			for i := range rows {
				rows[i] = row
			}
			a["junk"] = rows
		},
		"40 KB of former names": func(a map[string]any) {
			var known []any
			for i := range 30 {
				known = append(known, fmt.Sprintf("https://loin.example/%d/%s", i, strings.Repeat("x", 1500)))
			}
			a["alsoKnownAs"] = known
		},
	} {
		p := fedtest.NewPeer(t)
		p.Lock()
		spoil(p.Actor)
		p.Unlock()
		if got := p.Post(in.inbox(), p.Activity("Follow", in.relay()), nil); got != http.StatusUnauthorized {
			t.Errorf("%s: answered with %d", name, got)
		}
		if n := len(in.records("ap-actor")); n != 1 {
			t.Errorf("%s: %d actors are kept", name, n)
		}
	}
}

// TestLongAddresses: an activity whose id, or whose actor's, nobody can mean is refused at once.
func TestLongAddresses(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	long := p.URL() + "/" + strings.Repeat("x", 2000)
	if got := p.Post(in.inbox(), with(p.Activity("Follow", in.relay()), "id", long), nil); got != http.StatusBadRequest {
		t.Errorf("a long id: answered with %d", got)
	}
	if got := p.Post(in.inbox(), with(p.Activity("Follow", in.relay()), "actor", long), nil); got != http.StatusBadRequest {
		t.Errorf("a long actor: answered with %d", got)
	}
	if asked := p.Asked(); len(asked) != 0 {
		t.Errorf("it was asked %q", asked)
	}
}
