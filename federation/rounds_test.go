package federation

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/federation/vocab"
)

// TestManyRetries keeps of one host so many that are to be tried again, the newest, and all of another one.
func TestManyRetries(t *testing.T) {
	store, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	published := &Published{}
	d, err := directory.Open(t.Context(), directory.Options{Store: store, Views: []directory.View{published}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Options{
		Directory: d, Published: published, PublicURL: "http://127.0.0.1:1", Log: slog.New(slog.DiscardHandler), Site: func() Site { return Site{Name: "Essai", Lang: "fr"} },
	})
	if err != nil {
		t.Fatal(err)
	}
	const many = maxRetries + 40
	now := time.Now().UTC()
	for i := range many + 10 {
		host := "foule.example"
		if i >= many {
			host = "calme.example"
		}
		it := received{ID: fmt.Sprintf("https://%s/%d", host, i), Actor: "https://" + host + "/u", At: now, Tries: 1, Next: now.Add(time.Hour), Body: []byte("{}")}
		if err := put(t.Context(), store, kindInbox, fmt.Sprintf("%020d", i), []received{it}, 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	done, err := openSeen(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	r := newRounds(s, done)
	for range 3 {
		if err := r.pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	left, oldest := map[string]int{}, ""
	err = eachRecord(t.Context(), store, kindInbox, func(rec directory.Record) error {
		var list []received
		if err := json.Unmarshal(rec.Value, &list); err != nil {
			return err
		}
		if oldest == "" {
			oldest = list[0].ID
		}
		left[vocab.Host(list[0].Actor)]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if left["foule.example"] != maxRetries || left["calme.example"] != 10 || oldest != "https://foule.example/40" {
		t.Errorf("on the list are %v, the oldest is %s", left, oldest)
	}
}
