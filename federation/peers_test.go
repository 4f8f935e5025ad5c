package federation_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"archipel/federation/fedtest"
	"archipel/federation/vocab"
)

// foreign is another network on loopback: it says what is in its files, in its own forms, under the address of a test server.
type foreign struct {
	*fedtest.Peer
	t    *testing.T
	in   *instance
	docs map[string]map[string]any // by the name of the file
}

func foreignPeer(t *testing.T, in *instance, dir string) *foreign {
	t.Helper()
	f := &foreign{Peer: fedtest.NewPeer(t), t: t, in: in, docs: map[string]map[string]any{}}
	files, err := filepath.Glob(dir + "/*.json")
	if err != nil {
		t.Fatal(err)
	}
	home := ""
	for _, file := range append([]string{dir + "/actor.json"}, files...) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if home == "" {
			home = "https://" + vocab.Host(doc["id"].(string))
		}
		doc = nil
		if err := json.Unmarshal([]byte(strings.NewReplacer(home, f.URL(), "https://annuaire.example", in.base).Replace(string(b))), &doc); err != nil {
			t.Fatal(err)
		}
		if doc["type"] == "Move" {
			doc["target"] = f.URL() + "/users/nobody" // there is no such account
		}
		f.docs[strings.TrimSuffix(filepath.Base(file), ".json")] = doc
	}
	f.Become(f.docs["actor"])
	return f
}

// say sends the document of a file, signed by who says it there.
func (f *foreign) say(name string) {
	f.t.Helper()
	doc := f.docs[name]
	a, err := vocab.Peek(doc)
	if err != nil {
		f.t.Fatalf("%s: %v", name, err)
	}
	if a.Actor != f.ID() {
		actor := f.docs["actor"]
		if group := f.docs["group"]; group != nil && group["id"] == a.Actor {
			actor = group
		}
		if actor["id"] != a.Actor { // one that has no file
			actor = maps.Clone(actor)
			actor["id"] = a.Actor
			actor["publicKey"] = map[string]any{"id": a.Actor + "#main-key"}
		}
		f.Become(actor)
	}
	if got := f.Post(f.in.inbox(), doc, nil); got != http.StatusAccepted {
		f.t.Errorf("%s was answered with %d", name, got)
	}
}

// TestPeersSpeak lets seven networks follow, answer, like, boost, report, and take it all back, each in its own words.
func TestPeersSpeak(t *testing.T) {
	for peer, reply := range map[string][2]string{ // what its reply says, and what it says when it was changed
		"mastodon": {"plants de tomates !", "aussi des courges"}, "gotosocial": {"accès pour fauteuils", "accès sans marche"}, "mobilizon": {"Une place en covoiturage"},
		"gancio": {}, "lemmy": {"<em>compost</em> mûr", "compost jeune"}, "wordpress": {"<strong>boutures</strong>"}, "friendica": {"On peut chanter", "On chantera à la fin."},
	} {
		t.Run(peer, func(t *testing.T) {
			t.Parallel()
			in := open(t, nil)
			e := in.put(fair())
			f := foreignPeer(t, in, "testdata/peers/"+peer)
			total := func(what string) float64 {
				_, doc := fedtest.Get(t, in.base+"/ap/objects/"+string(e.ID)+"/"+what)
				n, _ := doc["totalItems"].(float64)
				return n
			}
			replies := func(words string) func() bool {
				return func() bool {
					all := in.records("ap-reply")
					return len(all) == 1 && strings.Contains(all[0]["content"].(string), words)
				}
			}
			counts := func(what string, want float64) func() bool { return func() bool { return total(what) == want } }
			said := map[string]bool{"actor": true, "group": true}
			for _, step := range []struct {
				file string
				done func() bool
			}{
				{"follow", func() bool { return in.followers() == 1 && len(f.Received("Accept")) == 1 }},
				{"create-note", replies(reply[0])},
				{"update-note", replies(reply[1])},
				{"like", counts("likes", 1)},
				{"announce", counts("shares", 1)},
				{"flag", func() bool { r := in.records("ap-report"); return len(r) == 1 && r[0]["content"] != "" }},
				{"join", func() bool { return len(f.Received("Ignore")) == 1 }},
				{"undo-like", counts("likes", 0)},
				{"undo-announce", counts("shares", 0)},
			} {
				said[step.file] = true
				if f.docs[step.file] != nil {
					f.say(step.file)
					eventually(t, step.file, step.done)
				}
			}
			if peer == "mastodon" {
				if r := in.records("ap-reply")[0]; r["warning"] != "jardinage" || r["published"] != "2027-06-30T17:05:00Z" {
					t.Errorf("the reply is %v", r)
				}
			}
			// What is of no use here is taken and left aside.
			likes, shares, reports := total("likes"), total("shares"), len(in.records("ap-report"))
			last := []string{"delete-note", "undo-follow", "delete-actor", "block"}
			for _, name := range slices.Sorted(maps.Keys(f.docs)) {
				if !said[name] && !slices.Contains(last, name) {
					f.say(name)
				}
			}
			eventually(t, "all to be done", in.idle)
			n := 0
			if reply[0] != "" {
				n = 1
			}
			if len(in.records("ap-reply")) != n || total("likes") != likes || total("shares") != shares || len(in.records("ap-report")) != reports || in.followers() != 1 {
				t.Errorf("of what is of no use something was kept")
			}
			if f.docs["delete-note"] != nil {
				f.say("delete-note")
				eventually(t, "the reply to go", func() bool { return len(in.records("ap-reply")) == 0 })
			}
			f.say("undo-follow")
			eventually(t, "the follower to leave", func() bool { return in.followers() == 0 })
			for _, name := range []string{"block", "delete-actor"} {
				if f.docs[name] != nil {
					f.say(name)
				}
			}
			eventually(t, "all to be done", in.idle)
		})
	}
}
