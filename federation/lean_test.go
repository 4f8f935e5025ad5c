package federation

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

// TestLeanActor keeps of the actors of every network, and of ours, what is read of them.
func TestLeanActor(t *testing.T) {
	files := []string{"testdata/actor.json", "testdata/organisation.json", "islands/testdata/mirror.json"}
	for _, pattern := range []string{"testdata/peers/*/actor.json", "testdata/peers/*/group.json"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	if len(files) < 10 {
		t.Fatalf("only %d actors", len(files))
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		var doc map[string]any
		if err == nil {
			err = json.Unmarshal(b, &doc)
		}
		if err != nil {
			t.Fatal(file, err)
		}
		lean, size := leanActor(doc)
		if size == 0 || size > 4<<10 {
			t.Errorf("%s: %d bytes", file, size)
		}
		for _, member := range []string{"@context", "attachment", "icon", "tag"} {
			if lean[member] != nil {
				t.Errorf("%s: its %s is kept", file, member)
			}
		}
		for _, member := range []string{"id", "inbox", "type", "island", "upcomingEvents", "preferredUsername"} {
			if got, want := vocab.Text(lean, member), vocab.Text(doc, member); got != want {
				t.Errorf("%s: %s is %q, want %q", file, member, got, want)
			}
		}
		got, want := vocab.ReadThing(lean), vocab.ReadThing(doc)
		for name, pair := range map[string][2]any{
			"name": {got.Name, want.Name}, "summary": {got.Summary, want.Summary}, "url": {got.URL, want.URL}, "outbox": {got.Outbox, want.Outbox},
			"alsoKnownAs": {got.AlsoKnownAs, want.AlsoKnownAs}, "keys": {got.Keys, want.Keys}, "sharedInbox": {got.SharedInbox, want.SharedInbox},
		} {
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Errorf("%s: %s is %v, want %v", file, name, pair[0], pair[1])
			}
		}
		if again, _ := leanActor(lean); !reflect.DeepEqual(again, lean) {
			t.Errorf("%s: what was kept is read as something else: %v", file, again)
		}
	}
}

// heavy is an actor that says so much of itself that is read.
func heavy(n, aliases int) map[string]any {
	id := fmt.Sprintf("https://loin.example/users/%d", n)
	var known []any
	for i := range aliases {
		known = append(known, fmt.Sprintf("https://loin.example/users/%d/%s/%d", n, strings.Repeat("x", 900), i))
	}
	return map[string]any{"id": id, "type": "Person", "inbox": id + "/inbox", "alsoKnownAs": known}
}

// TestActorsAreWeighed remembers more actors than there is room for in memory, and refuses one that is too large by itself.
func TestActorsAreWeighed(t *testing.T) {
	c := newActorCache(nil)
	for n := range 4000 {
		a, err := readActor(heavy(n, 15), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // known already, it counts once
			c.remember(a)
		}
		sum := 0
		if n%100 == 0 {
			for _, a := range c.m {
				sum += a.size
			}
			if sum != c.size || sum > maxActorsBytes || sum == 0 {
				t.Fatalf("after %d: %d bytes are in memory, %d are counted", n, sum, c.size)
			}
		}
	}
	if _, err := readActor(heavy(1, 20), time.Time{}); err == nil || temporary(err) {
		t.Errorf("one of 18 KB: %v", err)
	}
	many := heavy(1, 0)
	keys := []any{}
	for i := range 900 {
		keys = append(keys, map[string]any{"id": fmt.Sprint(many["id"], "#", i), "owner": many["id"], "publicKeyPem": "x", "junk": []any{[]any{}}})
	}
	many["publicKey"] = keys
	if a, err := readActor(many, time.Time{}); err != nil || len(a.Doc["publicKey"].([]any)) != maxActorKeys {
		t.Errorf("900 keys: %v", err)
	}
}

// TestLongestActivity keeps the longest activity under the longest addresses: one that could not be kept would come again and again.
func TestLongestActivity(t *testing.T) {
	long := `"` + strings.Repeat("<", vocab.MaxAddress-1) // each is longer as JSON
	body := []byte(`"` + strings.Repeat("a", maxActivity-2) + `"`)
	b := together{items: []received{{ID: long, Actor: long, At: time.Now(), Seen: 1<<64 - 1, Body: body}}}
	if err := directory.CheckRecord(kindInbox, directory.Record{Key: "k", Value: b.value()}); err != nil {
		t.Error(err)
	}
}
