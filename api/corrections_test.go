package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
)

// harbour is the archipelago as the pages see it.
type harbour struct {
	open    bool
	offers  []directory.Entry
	ids     []directory.ID
	notes   []string
	answers []string
}

func (h *harbour) Page(e *directory.Entry) string { return "https://" + e.Origin + "/e/x" }

func (h *harbour) Correctable(e *directory.Entry) bool { return h.open && e.Origin != "" && e.Public() }

func (h *harbour) Suggest(_ context.Context, id directory.ID, was, mine *directory.Entry, note string) error {
	if note == "" && len(directory.Diff(was, mine)) == 0 {
		return directory.Invalid{{Field: "note", Code: directory.CodeRequired}}
	}
	h.offers, h.ids, h.notes = append(h.offers, *mine), append(h.ids, id), append(h.notes, note)
	return nil
}

func (h *harbour) AnswerOffer(_ context.Context, id directory.ID, answer, reason string) error {
	h.answers = append(h.answers, string(id)+" "+answer+" "+reason)
	return nil
}

func (tn *town) mirrored(name string) directory.Entry {
	tn.t.Helper()
	e := place(name, "Lyon", 4.84, 45.76)
	e.ID, e.Origin, e.Status = directory.NewID(), "autre.example", directory.Published
	e.Licence, e.Source = "ODbL-1.0", &directory.Source{Name: "Autre", URL: "https://autre.example/e/x"}
	e.Private = &directory.Private{Mirror: &directory.Mirrored{Version: 3, Via: []string{"autre.example"}}}
	return tn.put(e)[0]
}

func TestCorrectionsForOtherIslands(t *testing.T) {
	tn := openTown(t)
	e := tn.mirrored("La <i>Voisine</i>")
	suggest, page := "/e/"+e.Slug+"/suggest", "/e/"+e.Slug
	if body := tn.visitor().get(page).body; strings.Contains(body, suggest) || tn.visitor().get(suggest).StatusCode == http.StatusOK {
		t.Error("without an archipelago there is nobody to tell")
	}
	h := &harbour{}
	tn.server.Corrections = h
	if got := tn.visitor().get(suggest); !strings.Contains(got.body, `href="https://autre.example/e/x"`) || strings.Contains(got.body, "<i>Voisine") || strings.Contains(got.body, `name="csrf"`) {
		t.Errorf("who cannot be told is not named: %d %s", got.StatusCode, got.body)
	}
	h.open = true
	if body := tn.visitor().get(page).body; !strings.Contains(body, suggest) {
		t.Error("the page does not offer it")
	}
	if body := tn.visitor().get(suggest).body; !strings.Contains(body, "autre.example tient cette fiche") || strings.Contains(body, `name="picture"`) {
		t.Error("the form does not say where it goes")
	}
	ana := tn.somebody("ana", account.Member, "en")
	fields := func(summary, sender string) url.Values {
		return url.Values{"version": {seq(e.Version)}, "summary": {summary}, "sender": {sender}, "note": {"vu sur place"}, "action": {"next"}}
	}
	for who, from := range map[*person]string{tn.visitor(): "voisin@example.net", ana: ""} {
		if got := who.post(suggest, suggest, fields("Fermé", from)); got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.Header.Get("Location"), "/add/thanks") {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
	}
	if len(h.offers) != 2 || h.offers[0].Summary != "Fermé" || h.notes[0] != "vu sur place" || tn.entry(e.ID).Version != e.Version {
		t.Fatalf("%+v", h)
	}
	if got := tn.visitor().post(suggest, suggest, url.Values{"version": {seq(e.Version)}, "action": {"next"}}); got.StatusCode != http.StatusUnprocessableEntity || len(h.offers) != 2 {
		t.Errorf("nothing at all is brought there: %d", got.StatusCode)
	}
	answered := api.CorrectionAnswered(tn.store, tn.mailer)
	for _, id := range h.ids {
		for range 2 {
			if err := answered(t.Context(), id, "ask", "k1", "Depuis <b>quand</b> ?"); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := answered(t.Context(), id, "approve", "k2", ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	for who, want := range map[string]string{"voisin@example.net": "a repris", "ana@example.org": "has taken over"} {
		var text, html string
		mails := tn.to(who)
		for _, m := range mails {
			text, html = text+m.Text, html+m.HTML
		}
		if len(mails) != 2 || !strings.Contains(text, "Depuis <b>quand</b> ?") || strings.Contains(html, "<b>quand") || !strings.Contains(text, want) || !strings.Contains(text, "autre.example") {
			t.Errorf("%s has %+v", who, mails)
		}
	}
	if left, err := tn.store.Records(t.Context(), "correction-sent", "", 10); err != nil || len(left) != 0 {
		t.Errorf("%d are still waited for, %v", len(left), err)
	}

	// Who leaves takes along that they ever asked, and may see it before.
	ana.post(suggest, suggest, fields("Rouvert", ""))
	account_, err := tn.accounts.Get(t.Context(), ana.id)
	if err != nil {
		t.Fatal(err)
	}
	owned, err := api.Owned(tn.d)(t.Context(), account_)
	b, _ := json.Marshal(owned)
	if err != nil || !strings.Contains(string(b), `"island":"autre.example"`) {
		t.Errorf("the export says %s, %v", b, err)
	}
	if err := api.Forget(tn.d)(t.Context(), account_); err != nil {
		t.Fatal(err)
	}
	if left, err := tn.store.Records(t.Context(), "correction-sent", "", 10); err != nil || len(left) != 0 {
		t.Errorf("%d are kept of who left, %v", len(left), err)
	}
}

func TestCorrectionsOfOtherIslands(t *testing.T) {
	tn := openTown(t)
	h := &harbour{open: true}
	tn.server.Corrections = h
	mod := tn.somebody("mod", account.Moderator, "fr")
	e := tn.put(place("Le Café", "Lyon", 4.84, 45.76))[0]
	take := api.TakeCorrection(tn.d, func() directory.Rules { return directory.Rules{} })
	of := func(name string) directory.Correction {
		mine := tn.entry(e.ID)
		mine.Name = name
		return directory.Correction{ID: directory.NewID(), Of: e.ID, Base: mine.Version, Entry: mine, Note: "<script>alert(1)</script>", Island: "autre.example", Created: now}
	}
	first, second := of("Le Grand Café"), of("Casino")
	for _, c := range []directory.Correction{first, first, second} {
		if err := take(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	var invalid directory.Invalid
	if err := take(t.Context(), of("")); err == nil {
		t.Error("a name may not be empty")
	} else if invalid, _ = err.(directory.Invalid); invalid == nil {
		t.Errorf("%v", err)
	}
	list, err := api.Proposals(t.Context(), tn.store, "", 10)
	if err != nil || len(list) != 2 {
		t.Fatalf("%d wait, %v", len(list), err)
	}
	body := mod.get("/moderate?show=correction").body
	if !strings.Contains(body, "proposée par une île voisine : autre.example") || strings.Contains(body, "<script>alert(1)") || !strings.Contains(body, "Casino") {
		t.Errorf("the queue shows %s", body)
	}
	if !strings.Contains(body, "L’île la reçoit") || strings.Contains(body, "La personne la reçoit par courriel") {
		t.Error("the queue does not say who receives the reason")
	}
	at := func(c directory.Correction) string { return "/moderate/proposals/" + string(c.ID) }
	if got := mod.post("/moderate", at(first), decision(e, "ask", "")); got.StatusCode != http.StatusBadRequest || len(h.answers) != 0 {
		t.Errorf("a question without words: %d", got.StatusCode)
	}
	if got := mod.post("/moderate", at(first), decision(e, "ask", "Depuis quand ?")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("asking: %d %s", got.StatusCode, got.body)
	}
	if body := mod.get("/moderate?show=correction").body; !strings.Contains(body, "Depuis quand ?") {
		t.Error("the question is not shown")
	}
	if got := mod.post("/moderate", at(first), decision(e, "approve", "")); got.StatusCode != http.StatusSeeOther || tn.entry(e.ID).Name != "Le Grand Café" {
		t.Fatalf("approving: %d %s", got.StatusCode, got.body)
	}
	if got := mod.post("/moderate", at(second), decision(tn.entry(e.ID), "refuse", "Non.")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("refusing: %d", got.StatusCode)
	}
	if got, want := strings.Join(h.answers, "; "), string(first.ID)+" ask Depuis quand ?; "+string(first.ID)+" approve ; "+string(second.ID)+" refuse Non."; got != want {
		t.Errorf("the island hears %q, want %q", got, want)
	}
	for _, c := range []directory.Correction{first, second} { // it comes again
		if err := take(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := api.Proposals(t.Context(), tn.store, "", 10); err != nil || len(list) != 0 {
		t.Errorf("%d wait after the decisions, %v", len(list), err)
	}
	for _, who := range []*person{tn.visitor(), tn.somebody("eve", account.Member, "fr")} {
		if got := who.post("/e/"+tn.entry(e.ID).Slug+"/suggest", at(second), decision(e, "approve", "")); got.StatusCode == http.StatusSeeOther && got.Header.Get("Location") != "" && strings.HasPrefix(got.Header.Get("Location"), "/moderate?") {
			t.Error("somebody else decides")
		}
	}
}

// TestCorrectionsKeepForeignWords: a category that the taxonomy does not have (any more) is no reason to refuse what is
// suggested for its entry, neither unseen nor when it is approved; another one that it does not have is.
func TestCorrectionsKeepForeignWords(t *testing.T) {
	tn := openTown(t)
	tn.server.Corrections = &harbour{open: true}
	had := "boulangerie-disparue"
	valid := tn.server.Taxonomy.Valid
	tn.had = had
	e := place("Le Fournil", "Lyon", 4.84, 45.76)
	e.Categories = append([]string{had}, e.Categories...)
	e = tn.put(e)[0]
	tn.had = ""
	take := api.TakeCorrection(tn.d, func() directory.Rules { return directory.Rules{Category: valid} })
	of := func(categories ...string) directory.Correction {
		mine := tn.entry(e.ID)
		mine.Summary, mine.Categories = "Pain au levain.", append(mine.Categories, categories...)
		return directory.Correction{ID: directory.NewID(), Of: e.ID, Base: mine.Version, Entry: mine, Island: "autre.example", Created: now}
	}
	var invalid directory.Invalid
	if err := take(t.Context(), of("jamais-vue")); !errors.As(err, &invalid) {
		t.Errorf("a new category that is not there gives %v", err)
	}
	c := of()
	if err := take(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	mod := tn.somebody("mod", account.Moderator, "fr")
	got := mod.post("/moderate", "/moderate/proposals/"+string(c.ID), decision(e, "approve", ""))
	if now := tn.entry(e.ID); got.StatusCode != http.StatusSeeOther || now.Summary != "Pain au levain." || now.Categories[0] != had {
		t.Errorf("approving: %d %+v %s", got.StatusCode, now, got.body)
	}
}

// TestCorrectionUnfit: who refuses at once says it in the words of its pages, and names the field.
func TestCorrectionUnfit(t *testing.T) {
	e := place("", "Lyon", 4.84, 45.76)
	e.Status, e.Categories = directory.Published, []string{"jamais-vue"}
	var invalid directory.Invalid
	if !errors.As(directory.Validate(&e, directory.Rules{Category: func(string) bool { return false }}), &invalid) {
		t.Fatal("it is valid")
	}
	for lang, want := range map[string][]string{"fr": {"Refusée d’office", "Nom : à remplir", "Thèmes", "jamais-vue"}, "en": {"Refused automatically", "Name: ", "jamais-vue"}} {
		got := api.CorrectionUnfit(lang, invalid)
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q lacks %q", lang, got, part)
			}
		}
	}
}

// TestQueueReadsAsPeopleWrite: times, categories, languages and countries are not shown as the program keeps them.
func TestQueueReadsAsPeopleWrite(t *testing.T) {
	tn := openTown(t)
	tn.server.Corrections = &harbour{open: true}
	site := api.DefaultSite()
	site.Timezone = "Europe/Paris"
	tn.server.Site = func() api.Site { return site }
	e := event("Bal", time.Date(2026, 12, 22, 10, 53, 24, 167e6, time.UTC), "")
	e.Address = &directory.Address{Locality: "Lyon", Country: "FR"}
	e.Categories, e.Lang, e.Event.Languages = []string{"coworking"}, "fr", []string{"fr"}
	e = tn.put(e)[0]
	mine := e.Clone()
	mine.Event.Start, mine.Address.Country, mine.Lang = e.Event.Start.Add(time.Hour), "CH", "de"
	mine.Event.End = e.Event.End.Add(time.Second) // the same minute
	mine.Event.RRule = "FREQ=MONTHLY;BYDAY=2TU"
	mine.Categories, mine.Event.Languages = []string{"atelier-velo"}, []string{"fr", "es"}
	mine.Summary = "2026-12-22T10:53:24Z fr atelier-velo"
	take := api.TakeCorrection(tn.d, func() directory.Rules { return directory.Rules{} })
	if err := take(t.Context(), directory.Correction{ID: directory.NewID(), Of: e.ID, Base: e.Version, Entry: mine, Island: "autre.example", Created: now}); err != nil {
		t.Fatal(err)
	}
	body := tn.somebody("mod", account.Moderator, "fr").get("/moderate?show=correction").body
	_, diff, _ := strings.Cut(body, `<dl class="diff">`)
	diff, _, _ = strings.Cut(diff, "</dl>")
	text := strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(diff, " ")), " ")
	label := tn.server.Taxonomy.Label("atelier-velo", "fr")
	if label == "atelier-velo" {
		t.Fatal("the category has no name")
	}
	for _, want := range []string{"22 décembre 2026,", "11:53", "12:53", label, "Suisse", "allemand", "Chaque mois : le deuxième mardi", "espagnol", "2026-12-22T12:53:25.167Z", "2026-12-22T10:53:24Z fr atelier-velo"} {
		if !strings.Contains(text, want) {
			t.Errorf("the queue lacks %q: %s", want, text)
		}
	}
	for _, raw := range []string{"24.167Z Début", "2026-12-22T11:53", "coworking", "CH"} {
		if strings.Contains(text, raw) {
			t.Errorf("the queue shows %q: %s", raw, text)
		}
	}
}
