package federation

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/federation/fedtest"
	"archipel/federation/fetch"
	"archipel/federation/vocab"
)

// knocks lets a host answer with errors, one after the other, and tells the forms of the signatures that it was shown.
func knocks(t *testing.T, s *Service, host string, answers ...error) (forms []string, err error) {
	t.Helper()
	err = s.knockingBy(t.Context(), s.self(), host, func(sign fetch.Sign) error {
		r, err := http.NewRequest(http.MethodPost, "https://"+host+"/inbox", nil)
		if err == nil {
			r.Header.Set("Content-Type", typeActivity)
			err = sign(r, []byte("{}"))
		}
		if err != nil {
			t.Fatal(err)
		}
		form := schemeCavage
		if r.Header.Get("Signature-Input") != "" {
			form = schemeRFC9421
		}
		forms = append(forms, form)
		return answers[len(forms)-1]
	})
	return forms, err
}

// TestSecondKnock: an answer to the second form of signature counts, unless it may be about the signature.
func TestSecondKnock(t *testing.T) {
	now := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	p, _ := refusing(t, &now)
	none := errors.New("connection reset")
	for i, c := range []struct {
		first, second error
		want          int
	}{
		{answered(401), answered(410), 410}, {answered(403), answered(404), 404}, {answered(401), answered(503), 503}, {answered(401), answered(429), 429}, {answered(401), answered(422), 422},
		{answered(401), answered(403), 401}, {answered(403), answered(401), 403}, {answered(401), answered(400), 401}, {answered(401), answered(500), 401}, {answered(401), none, 401},
		{answered(404), nil, 404}, {answered(503), nil, 503},
	} {
		forms, err := knocks(t, p.s, fmt.Sprintf("h%d.example", i), c.first, c.second)
		if got := statusOf(err); got != c.want {
			t.Errorf("%v, then %v: %v", c.first, c.second, err)
		}
		if again := c.second != nil; again != (len(forms) == 2) {
			t.Errorf("%v, then %v: asked with %v", c.first, c.second, forms)
		}
	}
}

// TestFormIsRemembered: the form of signature that a host took is the first that it is shown, also after a restart, and also when
// several requests found out at once.
func TestFormIsRemembered(t *testing.T) {
	now := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	p, fresh := refusing(t, &now)
	const host = "moderne.example"
	if forms, err := knocks(t, p.s, host, answered(401), nil); err != nil || !slices.Equal(forms, []string{schemeCavage, schemeRFC9421}) {
		t.Fatalf("%v, %v", forms, err)
	}
	p.s.hosts.took(t.Context(), host, schemeRFC9421) // another request, that was under way
	if forms, err := knocks(t, p.s, host, nil); err != nil || !slices.Equal(forms, []string{schemeRFC9421}) {
		t.Errorf("the next time: %v, %v", forms, err)
	}
	for range 2 {
		if forms, err := knocks(t, fresh().s, host, nil, nil); err != nil || !slices.Equal(forms, []string{schemeRFC9421}) {
			t.Errorf("after a restart: %v, %v", forms, err)
		}
	}
}

// TestNewKeysKnownBefore: a server is away while the instance gets new keys, and learns of them before it has heard what it
// missed. It takes that all the same, and does not refuse each piece of it first.
func TestNewKeysKnownBefore(t *testing.T) {
	ctx := t.Context()
	store, err := sqlitestore.Open(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	published := &Published{}
	d, err := directory.Open(ctx, directory.Options{Store: store, Views: []directory.View{published}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(ctx, Options{
		Directory: d, Published: published, PublicURL: "http://127.0.0.1:1", Log: slog.New(slog.DiscardHandler),
		Site: func() Site { return Site{Name: "Essai", Lang: "fr"} },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Settle(0)
	there := fedtest.NewPeer(t)
	p := &peer{s: s, inbox: there.URL() + "/inbox", host: vocab.Host(there.URL()), ahead: map[directory.ID]directory.Seq{}, knows: map[string]int{}}
	if err := s.putFollower(ctx, follower{Actor: there.ID(), Host: p.host, Inbox: there.ID() + "/inbox", Shared: p.inbox, Object: s.relayID()}); err != nil {
		t.Fatal(err)
	}
	put := func(name string) {
		t.Helper()
		start := time.Now().Add(24 * time.Hour)
		e := directory.Entry{Kind: directory.Event, Name: name, Status: directory.Published, Lang: "fr", Event: &directory.Schedule{Start: start, End: start.Add(time.Hour), Timezone: "Europe/Paris"}}
		if _, err := d.Put(ctx, "test", e); err != nil {
			t.Fatal(err)
		}
	}
	put("Bal")
	put("Troc")
	if err := RotateKeys(ctx, store, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.refreshKeys(ctx); err != nil {
		t.Fatal(err)
	}
	put("Foire")
	now := s.self()
	refusals := 0 // the peer asks one after the other
	there.Verify = func(keyID string) (string, error) {
		if keyID != now.mainKeyID() {
			refusals++
			return "", fmt.Errorf("%s is not listed", keyID)
		}
		return now.keys.rsaPEM, nil
	}
	changes, err := store.Changes(ctx, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range changes {
		if err := p.Consume(ctx, changes[i:i+1]); err != nil {
			t.Fatalf("change %d: %v", changes[i].Seq, err)
		}
	}
	if creates, updates := there.Received("Create"), there.Received("Update"); len(creates) != 3 || len(updates) != 1 {
		t.Errorf("it got %d of 3 events, and %d times the new keys", len(creates), len(updates))
	} else if method := creates[0]["proof"].(map[string]any)["verificationMethod"]; method != s.relayID()+"#ed25519-key" {
		t.Errorf("what was made before the new keys is proved with %v", method)
	}
	if refusals != 2 {
		t.Errorf("it refused %d signatures, want both forms of one", refusals)
	}
	if r, err := store.Records(ctx, kindRefusal, "", 1); err != nil || len(r) > 0 {
		t.Errorf("it is noted that it does not know us: %v, %v", r, err)
	}
}
