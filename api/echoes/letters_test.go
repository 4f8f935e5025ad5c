package echoes_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/api/echoes"
	"archipel/directory"
	"archipel/federation/fedtest"
)

// postbox keeps what is delivered.
type postbox struct {
	mu    sync.Mutex
	mails []*account.Mail
}

func (b *postbox) Real() bool { return true }

func (b *postbox) Deliver(_ context.Context, m *account.Mail) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = append(b.mails, m)
	return nil
}

// take gives what was delivered since, by who it is to.
func (b *postbox) take() map[string][]*account.Mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	to := map[string][]*account.Mail{}
	for _, m := range b.mails {
		to[m.To] = append(to[m.To], m)
	}
	b.mails = nil
	return to
}

// TestLetters: who keeps an entry hears of what waits under it, once a day at most, and only of something new; nobody else
// does.
func TestLetters(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *world) {
		box, now := &postbox{}, time.Now()
		w.accounts.Mailer = account.NewMailer(account.MailerOptions{Store: w.store, Transport: box, Now: func() time.Time { return now },
			Site: func() account.Site { return account.Site{Name: "Archipel d’essai", Languages: []string{"fr", "en"}} }})
		letters := &echoes.Letters{Directory: w.d, Federation: w.f, Accounts: w.accounts, Now: func() time.Time { return now }, Fail: func(err error) { t.Error(err) }}
		pass := func(want int) map[string][]*account.Mail {
			t.Helper()
			got, err := letters.Pass(t.Context())
			if err != nil || got != want {
				t.Fatalf("%d letters, %v; want %d", got, err, want)
			}
			if err := w.accounts.Mailer.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			return box.take()
		}
		anna, ed := w.member("Anna"), w.member("Ed")
		if err := w.accounts.Mailer.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		box.take()
		org := w.organisation(anna, func(f *directory.Fediverse) { f.JoinsAsk = true })
		ball := w.event("Bal des fourmis", org.ID)
		own := w.event("Atelier", org.ID, func(e *directory.Entry) { e.Private.Editors = []string{ed.id} })
		orphan := w.event("Orphelin", "")
		pass(0)
		maud := fedtest.NewPeer(t)
		w.says(maud, "Create", "1", ball, "Bonjour")
		w.says(maud, "Create", "2", own, "Bonsoir")
		w.says(maud, "Create", "3", own, "Bonne nuit")
		w.says(maud, "Create", "4", orphan, "Personne ?")
		got := pass(2)
		if len(got["anna@people.example"]) != 1 || len(got["ed@people.example"]) != 1 || len(got) != 2 {
			t.Fatalf("mails went to %v", got)
		}
		text := got["anna@people.example"][0].Text
		for _, want := range []string{"Bal des fourmis : 1 réponse à lire", "/e/" + ball.Slug + "/team/replies", "Atelier : 2 réponses à lire", "Archipel d’essai"} {
			if !strings.Contains(text, want) {
				t.Errorf("Anna’s mail does not say %q: %s", want, text)
			}
		}
		if strings.Contains(text, "Orphelin") || strings.Contains(got["ed@people.example"][0].Text, "Bal des fourmis") {
			t.Error("somebody hears of what is not theirs")
		}
		if strings.Contains(text, "Bonsoir") {
			t.Error("the words of a stranger are sent by mail")
		}
		pass(0) // the same again
		w.says(maud, "Create", "5", ball, "Encore")
		pass(0) // something new, but they had a mail today
		now = now.Add(25 * time.Hour)
		if got := pass(1); !strings.Contains(got["anna@people.example"][0].Text, "Bal des fourmis : 2 réponses à lire") {
			t.Errorf("the next day: %v", got)
		}
		now = now.Add(25 * time.Hour)
		pass(0) // nothing new

		// Who wants to come and waits for a yes is told of, too.
		w.posts(maud, maud.Activity("Join", w.object(ball)))
		now = now.Add(25 * time.Hour)
		text = pass(1)["anna@people.example"][0].Text
		for _, want := range []string{"/e/" + ball.Slug + "/team/participants", "Bal des fourmis : 1 personne demande à venir", "Bal des fourmis : 2 réponses à lire"} {
			if !strings.Contains(text, want) {
				t.Errorf("the mail does not say %q: %s", want, text)
			}
		}
		// What was decided is not told of.
		w.says(maud, "Create", "6", own, "Trop tard")
		for _, e := range []directory.Entry{ball, own} {
			for _, r := range w.replies(e) {
				if err := w.f.DecideReply(t.Context(), e.ID, r.Key, r.Rev, "refused", "test"); err != nil {
					t.Fatal(err)
				}
			}
		}
		now = now.Add(25 * time.Hour)
		pass(0)
	})
}
