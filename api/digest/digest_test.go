package digest_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
)

// TestNews: a digest tells what became public or changed in the area, once; what was only confirmed, or says that it organises
// something, is no news; and when there is nothing there is no mail.
func TestNews(t *testing.T) {
	n, smtp := begin(t)
	old := n.put(place("L’Ancien", 4.22, 45.74))
	looked := n.put(place("Le Confirmé", 4.22, 45.74))
	hosts := n.put(place("L’Organisateur", 4.22, 45.74))
	draft := place("Le Caché", 4.22, 45.74)
	draft.Status = directory.Pending
	draft = n.put(draft)
	n.subscribe(smtp, choice("anna@example.org"))
	before := len(smtp.Mails())
	n.clock.later(3 * day) // Monday
	if got := n.pass(); got != 0 {
		t.Fatalf("%d digests without news", got)
	}
	n.put(place("Le <b>Nouveau</b>", 4.23, 45.75))
	n.put(place("Trop loin", 5.5, 45.75))
	old.Summary = "A déménagé"
	n.put(old)
	looked.Checked = n.clock.Now()
	n.put(looked)
	hosts.Relations = []directory.Relation{{Rel: "organises", Target: old.ID}}
	n.put(hosts)
	draft.Status = directory.Published
	n.put(draft)
	if got := n.pass(); got != 0 {
		t.Error("a weekly digest on the day of the one before")
	}
	n.clock.later(7 * day)
	if got := n.pass(); got != 1 {
		t.Fatalf("%d digests, want 1", got)
	}
	m := last(smtp)
	fresh, changed, ok := strings.Cut(m.Text, "A CHANGÉ")
	if !ok || !strings.Contains(fresh, "* Le <b>Nouveau</b>") || !strings.Contains(fresh, "* Le Caché") || !strings.Contains(changed, "* L’Ancien") {
		t.Errorf("the digest says:\n%s", m.Text)
	}
	for _, absent := range []string{"Trop loin", "Confirmé", "Organisateur"} {
		if strings.Contains(m.Text, absent) {
			t.Errorf("the digest tells of %q", absent)
		}
	}
	if strings.Contains(m.HTML, "<b>Nouveau") || strings.Contains(m.HTML, "<img") || strings.Contains(m.HTML, "<script") {
		t.Errorf("the HTML is\n%s", m.HTML)
	}
	if m.Header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" || !anyLink.MatchString(m.Unsubscribed) || m.Header.Get("Content-Language") != "fr" {
		t.Errorf("headers: %v", m.Header)
	}
	n.clock.later(7 * day)
	if got := n.pass(); got != 0 || len(smtp.Mails()) != before+1 {
		t.Errorf("%d digests a week later, of %d mails", got, len(smtp.Mails()))
	}
}

// TestDates: coming dates are told in the site's zone, across the change of clocks, and are news once.
func TestDates(t *testing.T) {
	n, smtp := begin(t)
	n.clock.set(time.Date(2055, 3, 19, 12, 0, 0, 0, paris))
	n.subscribe(smtp, choice("anna@example.org"))
	market := place("Le marché", 4.23, 45.74)
	market.Kind = directory.Event
	market.Event = &directory.Schedule{Start: time.Date(2055, 3, 24, 8, 30, 0, 0, paris), End: time.Date(2055, 3, 24, 12, 0, 0, 0, paris), Timezone: "Europe/Paris", RRule: "FREQ=WEEKLY;COUNT=2"}
	n.put(market)
	n.clock.set(time.Date(2055, 3, 22, 6, 59, 0, 0, paris))
	if got := n.pass(); got != 0 {
		t.Fatal("a digest before seven")
	}
	n.clock.set(time.Date(2055, 3, 22, 7, 0, 0, 0, paris))
	if got := n.pass(); got != 1 {
		t.Fatalf("%d digests at seven", got)
	}
	if m := last(smtp); !strings.Contains(m.Text, "mercredi 24 mars, 08:30–12:00") || !strings.Contains(m.Text, "mercredi 31 mars, 08:30–12:00") || strings.Count(m.Text, "* Le marché") != 2 {
		t.Errorf("the digest says:\n%s", m.Text)
	}
	n.clock.set(time.Date(2055, 3, 29, 6, 59, 0, 0, paris)) // summer time since the day before
	if got := n.pass(); got != 0 {
		t.Fatal("a digest before seven in summer")
	}
	n.clock.set(time.Date(2055, 3, 29, 7, 0, 0, 0, paris))
	if got := n.pass(); got != 0 {
		t.Fatalf("%d digests of dates that were told", got)
	}
	again := place("Un autre", 4.23, 45.74)
	n.put(again)
	n.clock.set(time.Date(2055, 4, 5, 7, 0, 0, 0, paris))
	if got := n.pass(); got != 1 || strings.Contains(last(smtp).Text, "Le marché") {
		t.Errorf("%d digests in April:\n%s", got, last(smtp).Text)
	}
}

// TestStrangersWords: what somebody typed as a place's name goes to nobody; the mail that asks calls the place as the gazetteer does.
func TestStrangersWords(t *testing.T) {
	n, smtp := begin(t)
	const words = "votre colis attend, appelez le 0899 ou www.example.com"
	for _, c := range []struct{ name, place, near, want string }{
		{"a town", "Feurs", "4.226,45.741", "autour de Feurs"},
		{"a town of another writing", "FEURS", "4.226,45.741", "autour de Feurs"},
		{"anything", words, "4.226,45.741", "autour de Feurs"},
		{"anything at sea", words, "-40,40", "autour de -40.000,40.000"},
	} {
		form := choice("anna@example.org")
		form.Set("place", c.place)
		form.Set("of", c.place)
		form.Set("near", c.near)
		if a := n.ask(form); a.code != 200 {
			t.Fatalf("%s: %d %s", c.name, a.code, a.body)
		}
		n.flush()
		if m := last(smtp); !strings.Contains(m.Text, c.want) || strings.Contains(m.Header.Get("Subject")+m.Text+m.HTML, "0899") {
			t.Errorf("%s: %s", c.name, m.Text)
		}
	}
}

// TestConsent: nothing is kept before the button of the link is pressed; one click ends it and takes the address with it; and
// no link works twice or for somebody else.
func TestConsent(t *testing.T) {
	n, smtp := begin(t)
	known := n.ask(choice("anna@example.org"))
	n.flush()
	if n.subscriptions() != 0 {
		t.Fatal("kept before it was confirmed")
	}
	confirm := anyLink.FindString(last(smtp).Text)
	for range 3 { // what a mail scanner does
		if a := n.do("GET", confirm, nil); a.code != 200 || !strings.Contains(a.body, "<button") || n.subscriptions() != 0 {
			t.Fatalf("following the link: %d, %d kept", a.code, n.subscriptions())
		}
		n.do("HEAD", confirm, nil)
	}
	for range 2 {
		if a := n.do("POST", confirm, nil); a.code != 200 || n.subscriptions() != 1 {
			t.Fatalf("confirming: %d, %d kept", a.code, n.subscriptions())
		}
	}
	if again := n.ask(choice("anna@example.org")); again.code != known.code || strings.ReplaceAll(again.body, "\n", "") == "" || len(again.body) != len(known.body) {
		t.Error("the answer tells that the address is known")
	}
	kept, err := n.service.Kept(t.Context(), &account.Account{Mail: "Anna@example.org"})
	if b, bad := json.Marshal(kept); err != nil || bad != nil || !strings.Contains(string(b), `"mail":"anna@example.org"`) || !strings.Contains(string(b), `"every"`) {
		t.Errorf("the export of one's data: %s %v", b, err)
	}
	if other, err := n.service.Kept(t.Context(), &account.Account{Mail: "ann@example.org"}); err != nil || other != nil {
		t.Errorf("somebody else's: %v %v", other, err)
	}
	n.put(place("Le Nouveau", 4.23, 45.75))
	n.clock.later(3 * day)
	n.pass()
	m := last(smtp)
	stop := m.Unsubscribed
	change := ""
	for _, u := range anyLink.FindAllString(m.Text, -1) {
		if u != stop {
			change = u
		}
	}
	if a := n.do("GET", stop, nil); a.code != 200 || n.subscriptions() != 1 {
		t.Fatal("following the link to unsubscribe unsubscribed")
	}
	a := n.do("GET", change, nil)
	if a.code != 200 || !strings.Contains(a.body, `value="Feurs"`) {
		t.Fatalf("the page to change: %d", a.code)
	}
	form := choice("autre@example.org")
	form.Set("km", "50")
	form["kind"] = []string{"event"}
	if a := n.do("POST", change, form); a.code != 200 || !strings.Contains(a.body, "50 km") {
		t.Fatalf("changing: %d", a.code)
	}
	if form.Set("km", "7"); n.do("POST", change, form).code != 400 {
		t.Error("a distance that is not offered")
	}
	n.put(place("Un lieu", 4.23, 45.75))
	n.clock.later(7 * day)
	if n.pass() != 0 {
		t.Error("a digest about places, after choosing dates alone")
	}
	for _, forged := range []string{"/mail/digest", "/mail/digest?t=", "/mail/digest?t=x.y", strings.Replace(stop, "?t=", "?t=A", 1)} {
		if a := n.do("POST", forged, url.Values{"List-Unsubscribe": {"One-Click"}}); a.code != 400 || n.subscriptions() != 1 {
			t.Errorf("%s: %d", forged, a.code)
		}
	}
	for range 2 {
		if a := n.do("POST", stop, url.Values{"List-Unsubscribe": {"One-Click"}}); a.code != 200 || n.subscriptions() != 0 {
			t.Fatalf("unsubscribing: %d, %d kept", a.code, n.subscriptions())
		}
	}
	n.clock.set(n.clock.Now().Add(-9 * day)) // the link would still be good
	if a := n.do("POST", confirm, nil); a.code != 410 || n.subscriptions() != 0 {
		t.Errorf("a used link confirmed again: %d", a.code)
	}
	n.subscribe(smtp, choice("anna@example.org"))
	n.clock.later(4 * day)
	if err := n.service.Forget(t.Context(), "Anna@Example.org"); err != nil || n.subscriptions() != 0 {
		t.Errorf("forgetting: %v, %d kept", err, n.subscriptions())
	}
}

// TestForm: mistakes are told beside their fields, hostile words stay words, and floods are held back.
func TestForm(t *testing.T) {
	n, smtp := begin(t)
	for name, c := range map[string]struct {
		change map[string]string
		code   int
		says   string
	}{
		"a town by its name":       {map[string]string{"place": "Feurs", "near": "", "of": ""}, 200, ""},
		"an unknown place":         {map[string]string{"place": "Xyzzyville", "near": "", "of": ""}, 400, `id="place"`},
		"a position of another":    {map[string]string{"place": "Xyzzyville", "near": "4.2,45.7", "of": "Feurs"}, 400, `id="place"`},
		"no number":                {map[string]string{"near": "NaN,45"}, 400, ""},
		"no mail":                  {map[string]string{"mail": ""}, 400, `id="mail"`},
		"a header in the address":  {map[string]string{"mail": "a@b.fr\r\nBcc: c@d.fr"}, 400, ""},
		"a header in the place":    {map[string]string{"place": "Feurs\r\nBcc: c@d.fr", "of": "Feurs Bcc: c@d.fr"}, 200, ""},
		"an unknown rhythm":        {map[string]string{"every": "hourly"}, 400, ""},
		"an unknown category":      {map[string]string{"category": "<script>"}, 400, ""},
		"words that are no markup": {map[string]string{"place": "<script>x</script>", "near": "", "of": ""}, 400, "&lt;script&gt;"},
	} {
		form := choice("anna." + strings.ReplaceAll(name, " ", "") + "@example.org")
		for k, v := range c.change {
			form.Set(k, v)
		}
		a := n.ask(form)
		if a.code != c.code || !strings.Contains(a.body, c.says) || strings.Contains(a.body, "<script>x") {
			t.Errorf("%s: %d", name, a.code)
		}
	}
	n.flush()
	for _, m := range smtp.Mails() {
		if m.Header.Get("Bcc") != "" || strings.HasPrefix(m.To, "c@") {
			t.Errorf("a header was let in: %v", m.Header)
		}
	}
	if a := n.do("POST", "/digest", choice("anna@example.org")); a.code != 403 {
		t.Errorf("without a form’s token: %d", a.code)
	}
	limited := 0
	for range 8 {
		if n.ask(choice("victim@example.org")).code == 429 {
			limited++
		}
	}
	if limited == 0 {
		t.Error("an address can be flooded")
	}
}
