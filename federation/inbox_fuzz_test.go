package federation

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/federation/fetch"
	"archipel/federation/vocab"
)

// FuzzInbox does what strangers may say, as if its signature had been checked: nothing panics, and nothing is kept that is not of
// the one who said it. Nobody answers where the stranger lives.
func FuzzInbox(f *testing.F) {
	const ours, theirs = "http://127.0.0.1:1", "http://127.0.0.1:9"
	store, err := sqlitestore.Open(f.Context(), f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { store.Close() })
	published := &Published{}
	d, err := directory.Open(f.Context(), directory.Options{Store: store, Views: []directory.View{published}})
	if err != nil {
		f.Fatal(err)
	}
	s, err := New(f.Context(), Options{
		Directory: d, Published: published, PublicURL: ours, Log: slog.New(slog.DiscardHandler), Site: func() Site { return Site{Name: "Essai", Lang: "fr"} },
	})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := d.Put(f.Context(), "test", directory.Entry{
		ID: "0190a3a0-7b1c-7e2f-8d3c-1f2e3d4c5b6a", Kind: directory.Event, Name: "Troc", Lang: "fr", Event: &directory.Schedule{Start: time.Now().Add(time.Hour), Timezone: "Europe/Paris"},
	}); err != nil {
		f.Fatal(err)
	}
	// Another one is of an organisation that keeps a list of who comes.
	org, err := d.Put(f.Context(), "test", directory.Entry{ID: "0190a3a0-7b1c-7e2f-8d3c-1f2e3d4c5b6b", Kind: directory.Organisation, Name: "La Fourmilière", Lang: "fr"})
	if err != nil {
		f.Fatal(err)
	}
	org.Claimed = time.Now().Add(-time.Hour)
	org.Fediverse = &directory.Fediverse{Handle: "la-fourmiliere", Since: org.Claimed, Joins: true}
	org.Relations = []directory.Relation{{Rel: "organises", Target: "0190a3a0-7b1c-7e2f-8d3c-1f2e3d4c5b6c"}}
	for op, e := range map[directory.Op]directory.Entry{directory.OpTeam: org, "": {
		ID: "0190a3a0-7b1c-7e2f-8d3c-1f2e3d4c5b6c", Kind: directory.Event, Name: "Bal", Lang: "fr", Event: &directory.Schedule{Start: time.Now().Add(time.Hour), Timezone: "Europe/Paris"},
	}} {
		if outcomes, err := d.Write(f.Context(), directory.Write{Author: "test", Op: op, Entries: []directory.Entry{e}}); err != nil || outcomes[0].Err != nil {
			f.Fatal(err, outcomes)
		}
	}
	files, err := filepath.Glob("testdata/peers/*/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(b, &doc); err != nil {
			f.Fatal(err)
		}
		a, err := vocab.Peek(doc)
		if err != nil {
			continue // an actor
		}
		f.Add([]byte(strings.NewReplacer("https://"+vocab.Host(a.Actor), theirs, "https://annuaire.example", ours).Replace(string(b))))
	}
	for _, said := range []string{
		`"type":"Join","object":"OURS/id/0190a3a0-7b1c-7e2f-8d3c-1f2e3d4c5b6c","participationMessage":"<b>Je viens\u202e\u0000"`,
		`"type":"Follow","object":"OURS/ap/actors/0190a3a0-7b1c-7e2f-8d3c-1f2e3d4c5b6b"`,
		`"type":"Flag","object":["OURS/id/0190a3a0-7b1c-7e2f-8d3c-1f2e3d4c5b6a","OURS/ap/relay",{"id":"THEIRS/n/1"}],"content":"<p>panic: \u202e</p>"`,
		`"type":"Undo","object":{"id":"THEIRS/2","type":"Like","actor":"THEIRS/panic","object":"OURS/"}`,
		`"type":["Create","Update"],"object":{"id":"THEIRS/n/1","type":["Note"],"attributedTo":["THEIRS/@anne"],"inReplyTo":["THEIRS/n/0","OURS/id/0190a3a0-7b1c-7e2f-8d3c-1f2e3d4c5b6a"],` +
			`"to":"as:Public","summary":"<b>x\u202e","url":[{"href":"THEIRS/n"}],"contentMap":{"fr":"&#x202e;<ul><li><pre>\u2028<a href=\"HTTP:a.example\">x<p><i><b></i>"},"published":"0000-01-01T00:00:00+23:59"}`,
	} {
		f.Add([]byte(strings.NewReplacer("THEIRS", theirs, "OURS", ours).Replace(`{"id":"THEIRS/1","actor":"THEIRS/@anne",` + said + `}`)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := fetch.Object(b)
		if err != nil {
			if !errors.Is(err, fetch.ErrJSON) {
				t.Errorf("%v", err)
			}
			return
		}
		a, err := vocab.Peek(doc)
		if err != nil || vocab.Host(a.Actor) != vocab.Host(theirs) {
			return
		}
		s.actors.remember(&remoteActor{ID: a.Actor, Fetched: time.Now(), Doc: map[string]any{"id": a.Actor, "inbox": theirs + "/inbox"}})
		err = s.do(t.Context(), &item{received: received{ID: a.ID, Actor: a.Actor, At: time.Now(), Body: b}})
		if err != nil && strings.HasPrefix(err.Error(), "panic: ") { // an address may have that word too
			t.Fatal(err)
		}
		for _, kind := range []string{kindReply, kindReaction, kindReport, kindFollower, kindJoin} {
			records, err := store.Records(t.Context(), kind, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				var kept struct{ Actor, Content, Warning, Note, Name string }
				if err := json.Unmarshal(r.Value, &kept); err != nil || kept.Actor != a.Actor {
					t.Errorf("%s of %q is kept after %q said something: %v", kind, kept.Actor, a.Actor, err)
				}
				if what := harmful(kept.Content); kind == kindReply && what != "" {
					t.Errorf("a reply is kept with %s: %q", what, kept.Content)
				}
				if said := kept.Content + kept.Warning + kept.Note + kept.Name; unbent(said) != said {
					t.Errorf("%s is kept with signs that turn what follows: %q", kind, said)
				}
				if err := store.DeleteRecord(t.Context(), kind, r.Key, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		// Each input finds what the first one found.
		if err := eachRecord(t.Context(), store, kindReplyBy, func(r directory.Record) error {
			return store.DeleteRecord(t.Context(), kindReplyBy, r.Key, 0)
		}); err != nil {
			t.Fatal(err)
		}
		s.crowd.mu.Lock()
		s.crowd.of = nil
		s.crowd.mu.Unlock()
		for _, follows := range s.followers.of(a.Actor) {
			if err := s.dropFollower(t.Context(), a.Actor, follows.Object); err != nil {
				t.Fatal(err)
			}
		}
	})
}
