package freshness_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api/signed"
	"archipel/api/smtptest"
	"archipel/directory"
)

// TestAsked: after a year one letter asks about everything of one person, in the person's language, and says why.
func TestAsked(t *testing.T) {
	n, smtp := begin(t)
	anna := n.person("anna@example.org")
	first, second := n.put(place("Le Lavoir", "", anna.ID)), n.put(place("L’Atelier", "", anna.ID))
	n.put(place("Le Fournil", "fournil@example.org"))
	mirrored := place("Ailleurs", "ailleurs@example.org")
	mirrored.Origin = "autre.example"
	n.put(mirrored)
	over := place("Une fête", "fete@example.org")
	over.Kind, over.Event = directory.Event, &directory.Schedule{Start: n.clock.Now().Add(day), Timezone: "Europe/Paris"}
	n.put(over)
	weekly := place("Le marché", "marche@example.org")
	weekly.Kind, weekly.Event = directory.Event, &directory.Schedule{Start: n.clock.Now().Add(day), Timezone: "Europe/Paris", RRule: "FREQ=WEEKLY"}
	n.put(weekly)
	n.put(place("Sans adresse", ""))
	n.clock.later(300 * day)
	if got := n.pass(); got != 0 {
		t.Fatalf("%d letters after ten months", got)
	}
	n.clock.later(70 * day)
	if got := n.pass(); got != 3 {
		t.Fatalf("%d letters after a year, want one each to Anna, the bakery and the market", got)
	}
	byTo := map[string]smtptest.Mail{}
	for _, m := range smtp.Mails() {
		byTo[m.To] = m
	}
	m := byTo["anna@example.org"]
	if len(links(t, m)) != 6 || !strings.Contains(m.Text, first.Name) || !strings.Contains(m.Text, second.Name) || !strings.Contains(m.Text, "because you keep these entries") {
		t.Errorf("Anna’s letter:\n%s", m.Text)
	}
	if !strings.Contains(m.Subject, "(2)") || m.Header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" || !strings.Contains(m.Unsubscribed, "/mail/fresh?t=") {
		t.Errorf("Anna’s headers: %q %v", m.Subject, m.Header)
	}
	if m := byTo["fournil@example.org"]; !strings.Contains(m.Text, "cette adresse est donnée comme contact") || !strings.Contains(m.Text, "3 rue du Lavoir") || strings.Contains(m.HTML, "<script") || !strings.Contains(m.HTML, "Toujours vrai") {
		t.Errorf("the bakery’s letter:\n%s", m.Text)
	}
	for range 3 {
		if n.clock.later(day); n.pass() != 0 {
			t.Error("asked again the next day")
		}
	}
	n.clock.later(43 * day)
	if got := n.pass(); got != 3 {
		t.Fatalf("%d reminders after six weeks, want 3", got)
	}
	if last := smtp.Mails()[len(smtp.Mails())-1]; last.To == "anna@example.org" && !strings.Contains(last.Text, "our only reminder") {
		t.Errorf("the reminder does not say so:\n%s", last.Text)
	}
	for range 20 {
		n.clock.later(10 * day)
		if got := n.pass(); got != 0 {
			t.Fatalf("%d letters after the reminder", got)
		}
	}
	n.clock.later(120 * day)
	if got := n.pass(); got != 3 {
		t.Errorf("%d letters in the next year, want 3", got)
	}
}

// TestOff: with the interval 0 nobody is asked.
func TestOff(t *testing.T) {
	n, _ := begin(t)
	n.put(place("Le Fournil", "fournil@example.org"))
	n.ask = 0
	n.clock.later(2000 * day)
	if got := n.pass(); got != 0 {
		t.Errorf("%d letters although nobody is to be asked", got)
	}
}

// TestAnswers: following a link changes nothing; its button does, once; what was closed can be taken back.
func TestAnswers(t *testing.T) {
	n, smtp := begin(t)
	e := n.put(place("Le Fournil", "fournil@example.org"))
	n.clock.later(400 * day)
	n.pass()
	all := links(t, smtp.Mails()[0])
	confirm, change, closed, stop := all[0], all[1], all[2], smtp.Mails()[0].Unsubscribed
	for range 3 { // what a mail scanner does
		for _, u := range append(all, stop) {
			if a := n.do("GET", u, ""); a.code != 200 || strings.Count(a.body, "<button") != 1 || a.header.Get("Cache-Control") != "private, no-store" {
				t.Fatalf("GET: %d, %d buttons", a.code, strings.Count(a.body, "<button"))
			}
			n.do("HEAD", u, "")
			n.do("OPTIONS", u, "")
		}
	}
	if now := n.entry(e.ID); now.Version != e.Version {
		t.Fatal("following a link changed the entry")
	}

	if a := n.do("POST", confirm, ""); a.code != 200 || !strings.Contains(a.body, "Merci") {
		t.Fatalf("confirm: %d %s", a.code, a.body)
	}
	checked := n.entry(e.ID)
	if !checked.Checked.Equal(n.clock.Now()) || !checked.Public() {
		t.Errorf("checked %v, want %v", checked.Checked, n.clock.Now())
	}
	n.clock.later(day)
	if a := n.do("POST", confirm, ""); a.code != 200 || n.entry(e.ID).Version != checked.Version {
		t.Error("a second click wrote again")
	}

	if a := n.do("POST", closed, ""); a.code != 200 || n.entry(e.ID).Status != directory.Hidden {
		t.Fatalf("close: %d", a.code)
	} else {
		hidden := n.entry(e.ID)
		if n.do("POST", closed, ""); n.entry(e.ID).Version != hidden.Version {
			t.Error("closing twice wrote twice")
		}
		if a := n.do("GET", "/e/"+e.Slug, ""); a.code != 404 {
			t.Errorf("the closed entry answers %d", a.code)
		}
		undo := "/mail/fresh?t=" + between(t, a.body, `action="/mail/fresh?t=`, `"`)
		if got := n.do("POST", undo, ""); got.code != 200 || n.entry(e.ID).Status != directory.Published {
			t.Errorf("taking back: %d", got.code)
		}
		if n.do("POST", undo, ""); n.entry(e.ID).Version != hidden.Version+1 {
			t.Error("taking back twice wrote twice")
		}
	}
	history, err := n.d.History(t.Context(), e.ID, 0, 1)
	if err != nil || history[0].Author != "visitor" || history[0].Note == "" {
		t.Errorf("the log says %+v, %v", history, err)
	}

	if a := n.do("POST", change, ""); a.code != 303 || a.location != "/e/"+e.Slug+"/suggest" {
		t.Errorf("change: %d %q", a.code, a.location)
	}

	// One click of a mail program (RFC 8058), without cookie and token; and back.
	a := n.do("POST", stop, "List-Unsubscribe=One-Click")
	if a.code != 200 {
		t.Fatalf("stop: %d", a.code)
	}
	n.clock.later(500 * day)
	if got := n.pass(); got != 0 {
		t.Errorf("%d letters after a stop", got)
	}
	if a := n.do("POST", "/mail/fresh?t="+between(t, a.body, `action="/mail/fresh?t=`, `"`), ""); a.code != 410 {
		t.Errorf("taking back a stop after a year and a half: %d", a.code) // that link has had its time
	}
	a = n.do("POST", stop, "")
	n.do("POST", "/mail/fresh?t="+between(t, a.body, `action="/mail/fresh?t=`, `"`), "")
	if got := n.pass(); got != 1 {
		t.Errorf("%d letters after taking back a stop", got)
	}
}

// TestNotTheirs: a link acts no more once the entry is somebody else's, a moderator hid it, it expired, or was made elsewhere.
func TestNotTheirs(t *testing.T) {
	n, smtp := begin(t)
	e := n.put(place("Le Fournil", "fournil@example.org"))
	n.clock.later(400 * day)
	n.pass()
	all := links(t, smtp.Mails()[0])
	unchanged := func(what string, code int) {
		t.Helper()
		before := n.entry(e.ID)
		for _, u := range all {
			if a := n.do("POST", u, ""); a.code != code || n.entry(e.ID).Version != before.Version {
				t.Errorf("%s: %d, want %d and nothing written", what, a.code, code)
			}
			if a := n.do("GET", u, ""); a.code != code {
				t.Errorf("%s: GET %d, want %d", what, a.code, code)
			}
		}
	}
	hidden := n.entry(e.ID)
	hidden.Status = directory.Hidden
	shown := n.put(hidden)
	unchanged("hidden by a moderator", 410)
	shown.Status = directory.Published
	shown.Contact = &directory.Contact{Email: "autre@example.org"}
	now := n.put(shown)
	unchanged("somebody else’s", 410)
	now.Contact = &directory.Contact{Email: "fournil@example.org"}
	n.put(now)
	n.clock.later(400 * day)
	unchanged("expired", 410)
	elsewhere, err := signed.New(openStore(t)).Sign(t.Context(), "freshness", map[string]any{"w": "x", "d": "close", "e": e.ID, "r": 1}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	token, _, _ := strings.Cut(strings.TrimPrefix(all[2], "http://example.com/mail/fresh?t="), ".")
	all = []string{"/mail/fresh", "/mail/fresh?t=", "/mail/fresh?t=" + elsewhere, "/mail/fresh?t=" + token + ".AAAA", "/mail/fresh?t=" + url.QueryEscape("\x00<script>")}
	unchanged("forged", 400)
}

// TestNames: what a name says stays in its line of the mail.
func TestNames(t *testing.T) {
	n, smtp := begin(t)
	n.put(place("Pain\u2028Bcc: tous@example.org <script>alert(1)</script> é", "fournil@example.org"))
	n.clock.later(400 * day)
	n.pass()
	m := smtp.Mails()[0]
	if m.Header.Get("Bcc") != "" || strings.ContainsAny(m.Subject, "\r\n\u2028") || strings.Contains(m.HTML, "<script") {
		t.Errorf("%q\n%s", m.Subject, m.Raw)
	}
}

// TestManyNodes: two nodes on one store that ask at the same moment send each letter once.
func TestManyNodes(t *testing.T) {
	a, smtp := begin(t)
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		a.put(place("Le Lieu "+name, name+"@example.org"))
	}
	b := open(t, a.store, a.clock, smtp)
	a.clock.later(400 * day)
	for round := range 2 {
		var wg sync.WaitGroup
		for _, n := range []*node{a, b, a, b} {
			wg.Go(func() {
				if _, err := n.service.Pass(t.Context()); err != nil && !errors.Is(err, directory.ErrStale) {
					t.Error(err)
				}
				if err := n.mailer.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		a.pass()
		b.pass()
		count := map[string]int{}
		for _, m := range smtp.Mails() {
			count[m.To]++
		}
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			if count[name+"@example.org"] != round+1 {
				t.Errorf("round %d: %s has %d letters", round, name, count[name+"@example.org"])
			}
		}
		a.clock.later(50 * day)
	}
}

// TestCrash: a program that dies before it brought a letter to the outbox brings it there when it is back, and one that dies
// right after does not send it again.
func TestCrash(t *testing.T) {
	n, smtp := begin(t)
	n.put(place("Le Fournil", "fournil@example.org"))
	n.clock.later(400 * day)
	n.pass()
	died := func() {
		t.Helper()
		list, err := n.store.Records(t.Context(), "freshness", "", 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d people were asked: %v", len(list), err)
		}
		var p map[string]any
		if err := json.Unmarshal(list[0].Value, &p); err != nil {
			t.Fatal(err)
		}
		p["pending"] = "ask" // as it was before the letter was noted
		if list[0].Value, err = json.Marshal(p); err != nil {
			t.Fatal(err)
		}
		if err := n.store.PutRecord(t.Context(), "freshness", list[0]); err != nil {
			t.Fatal(err)
		}
	}
	died()
	n = open(t, n.store, n.clock, smtp)
	if n.pass(); len(smtp.Mails()) != 1 {
		t.Errorf("%d letters, want the one that was sent", len(smtp.Mails()))
	}
	// It died before the outbox knew of the letter.
	sent, err := n.store.Records(t.Context(), "mail-sent", "", 10)
	if err != nil || len(sent) != 1 {
		t.Fatalf("%d mails are known as sent: %v", len(sent), err)
	}
	if err := n.store.DeleteRecord(t.Context(), "mail-sent", sent[0].Key, 0); err != nil {
		t.Fatal(err)
	}
	died()
	n = open(t, n.store, n.clock, smtp)
	n.pass()
	if n.pass(); len(smtp.Mails()) != 2 {
		t.Errorf("%d letters, want the lost one brought", len(smtp.Mails()))
	}
	if a := n.do("POST", links(t, smtp.Mails()[1])[0], ""); a.code != 200 {
		t.Errorf("its link answers %d", a.code)
	}
}

// TestCrashInAnswer: an entry that was hidden by an answer can be taken back although the program died before it noted the answer.
func TestCrashInAnswer(t *testing.T) {
	n, smtp := begin(t)
	e := n.put(place("Le Fournil", "fournil@example.org"))
	n.clock.later(400 * day)
	n.pass()
	before, err := n.store.Records(t.Context(), "freshness", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	closed := links(t, smtp.Mails()[0])[2]
	n.clock.later(day)
	n.do("POST", closed, "")
	now, err := n.store.Record(t.Context(), "freshness", before[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	before[0].Rev = now.Rev
	if err := n.store.PutRecord(t.Context(), "freshness", before[0]); err != nil {
		t.Fatal(err)
	}
	a := n.do("POST", closed, "")
	if a.code != 200 || n.entry(e.ID).Status != directory.Hidden {
		t.Fatalf("again: %d", a.code)
	}
	if got := n.do("POST", "/mail/fresh?t="+between(t, a.body, `action="/mail/fresh?t=`, `"`), ""); got.code != 200 || n.entry(e.ID).Status != directory.Published {
		t.Errorf("taking back: %d", got.code)
	}
}

func between(t *testing.T, s, from, to string) string {
	t.Helper()
	_, s, ok := strings.Cut(s, from)
	s, _, ok2 := strings.Cut(s, to)
	if !ok || !ok2 {
		t.Fatalf("no %q", from)
	}
	return s
}
