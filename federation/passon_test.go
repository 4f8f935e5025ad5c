package federation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
	"archipel/federation/vocab"
)

// hostOf is the host of a peer, as domains are compared.
func hostOf(p *fedtest.Peer) string { return vocab.Host(p.URL()) }

// TestPassOn sends a report to another server: in the form that Mastodon, GoToSocial and Mobilizon need, signed by the instance,
// without who reported it, once.
func TestPassOn(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	const by = "account:secret-moderator"
	about := p.URL() + "/@maud/42"
	for range 2 { // sent twice, kept once
		if err := in.s.Report(t.Context(), by, " Publicité <b>pour</b> autre chose.\r\n\x00Merci. ", p.ID(), about); err != nil {
			t.Fatal(err)
		}
	}
	body := sent(p, "Flag", 1)
	in.answer("flag", body, p)
	var doc struct {
		Actor, Content string
		Object, To     []string
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatalf("Mobilizon takes lists only: %v", err)
	}
	switch {
	case strings.Contains(string(body), "secret"):
		t.Errorf("it says who reported: %s", body)
	case doc.Actor != in.relay():
		t.Errorf("it is of %s, want the instance", doc.Actor)
	case len(doc.Object) != 2 || doc.Object[0] != p.ID() || doc.Object[1] != about:
		t.Errorf("objects %q: Mastodon, GoToSocial and Mobilizon look for an actor, and the posts", doc.Object)
	case len(doc.To) != 1 || doc.To[0] != p.ID():
		t.Errorf("to %q", doc.To)
	case strings.ContainsAny(doc.Content, "<>\x00\r"):
		t.Errorf("%q may be taken for markup", doc.Content)
	}
	eventually(t, "the report is noted as sent", func() bool {
		list, err := federation.PassedOn(t.Context(), in.store)
		return err == nil && len(list) == 1 && !list[0].Sent.IsZero() && !list[0].Waits()
	})
	if n := len(p.Received("Flag")); n != 1 {
		t.Errorf("it came %d times", n)
	}
	page, err := in.s.Server(t.Context(), hostOf(p))
	if err != nil || len(page.Passed) != 1 || page.State != federation.StateWell {
		t.Errorf("the page of the server: %+v, %v", page, err)
	}
}

// TestPassOnFails: a server that is away is asked later, one that will not have it is not, and one that is blocked never is.
func TestPassOnFails(t *testing.T) {
	c := &clock{stands: time.Now()}
	in := open(t, c)
	away, never := fedtest.NewPeer(t), fedtest.NewPeer(t)
	away.Now, never.Now = c.now, c.now
	down := true
	away.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		away.Lock()
		defer away.Unlock()
		if down && r.Method == http.MethodPost {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	never.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			http.Error(w, "no flags here", http.StatusUnprocessableEntity)
			return true
		}
		return false
	}
	for _, p := range []*fedtest.Peer{away, never} {
		if err := in.s.Report(t.Context(), "test", "Faux.", p.ID()); err != nil {
			t.Fatal(err)
		}
	}
	of := func(p *fedtest.Peer) federation.Passed {
		list, err := federation.PassedOn(t.Context(), in.store)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range list {
			if one.Host == hostOf(p) {
				return one
			}
		}
		t.Fatal("it is not kept")
		return federation.Passed{}
	}
	eventually(t, "both were tried", func() bool { return of(away).Tries == 1 && of(never).Ended })
	if one := of(away); !one.Waits() || !one.Next.After(c.now()) || one.Why == "" {
		t.Errorf("away: %+v", one)
	}
	page, err := in.s.Server(t.Context(), hostOf(never))
	if err != nil || page.Refused != 1 || !strings.Contains(page.LastRefusal, "422") {
		t.Errorf("what was refused and why: %d %q, %v", page.Refused, page.LastRefusal, err)
	}
	away.Lock()
	down = false
	away.Unlock()
	c.forward(3 * time.Minute)
	eventually(t, "it arrives when the server is back", func() bool { one := of(away); return !one.Sent.IsZero() })

	if _, err := in.s.ChangePolicy(t.Context(), func(p *federation.Policy) error {
		p.Rules[hostOf(away)] = federation.Rule{Severity: federation.Suspend}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var invalid directory.Invalid
	for name, err := range map[string]error{
		"blocked":       in.s.Report(t.Context(), "test", "Encore.", away.ID()),
		"ours":          in.s.Report(t.Context(), "test", "Encore.", in.relay()),
		"no address":    in.s.Report(t.Context(), "test", "Encore.", "javascript:alert(1)"),
		"another's":     in.s.Report(t.Context(), "test", "Encore.", never.ID(), away.URL()+"/1"),
		"no words":      in.s.Report(t.Context(), "test", " \x01 ", never.ID()),
		"many words":    in.s.Report(t.Context(), "test", strings.Repeat("é", federation.MaxReportText+1), never.ID()),
		"entry of ours": in.s.ReportEntry(t.Context(), "test", "Encore.", &directory.Entry{ID: directory.NewID()}),
	} {
		if !errors.As(err, &invalid) {
			t.Errorf("%s: %v, want a directory.Invalid", name, err)
		}
	}
}

// TestReportsBetweenIslands: a report about an entry of another directory arrives among that one's reports, and names the entry.
func TestReportsBetweenIslands(t *testing.T) {
	here, there := open(t, nil), open(t, nil)
	e := there.put(fair())
	mirrored := e
	mirrored.Origin = vocab.Host(there.base)
	if err := here.s.ReportEntry(t.Context(), "test", "N’existe plus.", &mirrored); err != nil {
		t.Fatal(err)
	}
	var got []federation.Report
	eventually(t, "the report arrives", func() (ok bool) {
		var err error
		got, err = there.s.OpenReports(t.Context())
		return err == nil && len(got) == 1
	})
	r := got[0]
	if id, ok := there.s.EntryAt(r.Objects[len(r.Objects)-1]); !ok || id != e.ID || r.Content != "N’existe plus." || r.Host() != vocab.Host(here.base) || r.Actor != here.relay() {
		t.Errorf("got %+v", r)
	}
}

// TestReportsToPlainServers: a server that is no directory has no relay and no addresses by ID. A report about an event of it names
// the event as it is named there, and goes to whoever it belongs to there.
func TestReportsToPlainServers(t *testing.T) {
	in := open(t, nil)
	p, mute := fedtest.NewPeer(t), fedtest.NewPeer(t)
	event := func(p *fedtest.Peer, owners ...any) *directory.Entry {
		doc, err := json.Marshal(map[string]any{"id": p.URL() + "/events/1", "type": "Event", "name": "Bal", "attributedTo": owners})
		if err != nil {
			t.Fatal(err)
		}
		p.Lock()
		defer p.Unlock()
		p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/events/1" {
				return false
			}
			w.Header().Set("Content-Type", "application/activity+json")
			_, _ = w.Write(doc)
			return true
		}
		return &directory.Entry{ID: directory.NewID(), Origin: hostOf(p), Source: &directory.Source{ExternalID: p.URL() + "/events/1"},
			Private: &directory.Private{Mirror: &directory.Mirrored{Via: []string{"maud@" + hostOf(p)}}}}
	}
	e := event(p, mute.ID(), p.ID()) // one of another server is not to answer for it
	if err := in.s.ReportEntry(t.Context(), "test", "Annulé.", e); err != nil {
		t.Fatal(err)
	}
	var doc struct{ Object, To []string }
	body := sent(p, "Flag", 1)
	if err := json.Unmarshal(body, &doc); err != nil || strings.Join(doc.Object, " ") != p.ID()+" "+p.URL()+"/events/1" || strings.Join(doc.To, " ") != p.ID() {
		t.Errorf("%v: it says %s", err, body)
	}
	if err := in.s.ReportEntry(t.Context(), "test", "Annulé.", event(mute, p.ID())); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one arrives, the other never does", func() bool {
		list, err := federation.PassedOn(t.Context(), in.store)
		return err == nil && len(list) == 2 && !list[0].Waits() && !list[1].Waits() && list[0].Ended != list[1].Ended
	})
	if got := len(p.Received("Flag")) + len(mute.Received("Flag")); got != 1 {
		t.Errorf("%d reports came, want 1", got)
	}
	e.Source.ExternalID = mute.URL() + "/events/1"
	var invalid directory.Invalid
	if err := in.s.ReportEntry(t.Context(), "test", "Annulé.", e); !errors.As(err, &invalid) {
		t.Errorf("about another server's: %v, want a directory.Invalid", err)
	}
}

// TestReportsAreBounded: one server cannot fill the queue; what is rejected does not come, and what came before is not shown.
func TestReportsAreBounded(t *testing.T) {
	in := open(t, nil)
	e := in.put(fair())
	id := in.base + "/id/" + string(e.ID)
	p, other := fedtest.NewPeer(t), fedtest.NewPeer(t)
	flag := func(p *fedtest.Peer, n int) {
		a := p.Activity("Flag", []any{in.relay(), id})
		a["content"] = fmt.Sprintf("<p>Faux %d<script>alert(1)</script></p>", n)
		if status := p.Post(in.inbox(), a, nil); status != http.StatusAccepted {
			t.Fatalf("%d", status)
		}
	}
	for n := range 55 {
		flag(p, n)
	}
	flag(other, 0)
	reports := func() []federation.Report {
		list, err := in.s.OpenReports(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	eventually(t, "all to be done", in.idle)
	list := reports()
	if len(list) != 51 {
		t.Fatalf("%d reports wait, want 50 of one server and 1 of the other", len(list))
	}
	for _, r := range list {
		if strings.ContainsAny(r.Content, "<>") || len(r.Objects) != 2 {
			t.Errorf("got %+v", r)
		}
	}
	one, err := in.s.ReportOf(t.Context(), list[0].Key())
	if err != nil {
		t.Fatal(err)
	}
	if err := in.s.DecideReport(t.Context(), one, "dismiss", "", "account:x"); err != nil {
		t.Fatal(err)
	}
	if err := in.s.DecideReport(t.Context(), one, "accept", "", "account:y"); !errors.Is(err, directory.ErrStale) {
		t.Errorf("decided twice: %v", err)
	}
	again, err := in.s.ReportOf(t.Context(), one.Key())
	if err != nil || again.Decision != "dismiss" || again.By != "account:x" {
		t.Errorf("got %+v, %v", again, err)
	}
	if err := in.s.DecideReport(t.Context(), again, "accept", "", "account:y"); !errors.Is(err, directory.ErrStale) {
		t.Errorf("decided a second time: %v", err)
	}
	if _, err := in.s.ChangePolicy(t.Context(), func(policy *federation.Policy) error {
		policy.Rules[hostOf(p)] = federation.Rule{Severity: federation.Noop, RejectReports: true}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if list := reports(); len(list) != 1 || list[0].Host() != hostOf(other) {
		t.Errorf("reports of a server that is not heard are shown: %+v", list)
	}
	flag(p, 100)
	eventually(t, "all to be done", in.idle)
	all, err := federation.Reports(t.Context(), in.store)
	if err != nil || len(all) != 51 {
		t.Errorf("%d reports are kept, %v", len(all), err)
	}
	records, err := in.store.Records(t.Context(), "ap-report", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Expires.IsZero() {
			t.Errorf("report %s is kept for ever", r.Key)
		}
	}
	if page, err := in.s.Server(t.Context(), hostOf(p)); err != nil || page.State != federation.StateLimited || len(page.Received) != 50 {
		t.Errorf("the page of the server: %s, %d reports, %v", page.State, len(page.Received), err)
	}
}

func TestHostileBlockLists(t *testing.T) {
	const own = "annuaire.archipel.example.org"
	for _, c := range []struct {
		name, file, wrong string // line, field, why
		rules             int
	}{
		{"names", "mal.example.net\nhttps://a.example.net/\n<script>.example.net\n", "2 domain domain, 3 domain domain", 1},
		{"whole countries", "fr\nco.uk\nlocalhost\n", "1 domain wide, 2 domain wide, 3 domain wide", 0},
		{"ourselves", own + "\nexample.org\nARCHIPEL.example.org\nwww.example.org", "1 domain own, 2 domain own, 3 domain own", 1},
		{"columns in another order", "#severity,#domain\nsilence,mal.example.net\nkill,pire.example.net", "3 severity severity", 1},
		{"without a first row", "a.example.net,silence,false\nb.example.net,never\n", "2 severity severity", 1},
		{"flags", "#domain,#severity,#reject_media\na.example.net,suspend,TRUE\nb.example.net,noop,=1+1\n", "3 reject_media boolean", 1},
		{"lines within quotes", "#domain,#severity,#public_comment\na.example.net,suspend,\"deux\nlignes\"\nb c.example.net,suspend,x\n", "4 domain domain", 1},
		{"nothing", "", "", 0}, {"zeros", "\x00\x00\n\x00,\x00", "1 domain domain, 2 domain domain", 0},
		{"Latin-1", "#domain,#severity,#public_comment\na.example.net,suspend,caf\xe9\n", "", 1},
		{"long", strings.Repeat("a", 300) + ".example.net\n" + "b.example.net,," + strings.Repeat(",", 10_000), "1 domain domain", 1},
	} {
		list := federation.ReadBlockList(strings.NewReader(c.file), own)
		var wrong []string
		for _, w := range list.Wrong {
			wrong = append(wrong, fmt.Sprintf("%d %s %s", w.Line, w.Field, w.Why))
		}
		if got := strings.Join(wrong, ", "); got != c.wrong || len(list.Rules) != c.rules {
			t.Errorf("%s: wrong %q, want %q; %d rules, want %d", c.name, got, c.wrong, len(list.Rules), c.rules)
		}
		if _, err := json.Marshal(list); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	var b strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&b, "h%d.example.net\n", i)
	}
	if list := federation.ReadBlockList(strings.NewReader(b.String()), own); len(list.Wrong) != 1 || list.Wrong[0].Why != "rows" {
		t.Errorf("endless: %d rules, %+v", len(list.Rules), list.Wrong)
	}
	p := federation.Policy{Rules: map[string]federation.Rule{"mal.example.net": {Severity: federation.Silence, Private: "vu en mars"}}}
	if p.Import(federation.ReadBlockList(strings.NewReader("mal.example.net"), own)); p.Rules["mal.example.net"] != (federation.Rule{Severity: federation.Suspend, Private: "vu en mars"}) {
		t.Errorf("what the team noted: %+v", p.Rules)
	}
	b.Reset()
	if err := p.ExportCSV(&b); err != nil || strings.Contains(b.String(), "vu en mars") {
		t.Errorf("the team's note is exported: %s %v", b.String(), err)
	}
}
