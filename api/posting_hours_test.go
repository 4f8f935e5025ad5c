package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"archipel/directory"
	"archipel/frontend"
)

// table is the fields of a week: row, from, to, row, from, to...
func table(times ...string) url.Values {
	v := url.Values{"hours.mode": {"table"}}
	used := map[string]int{}
	for i := 0; i+2 < len(times); i += 3 {
		row := times[i]
		v.Set(frontend.HoursField(row, used[row], "from"), times[i+1])
		v.Set(frontend.HoursField(row, used[row], "to"), times[i+2])
		used[row]++
	}
	return v
}

func with(v url.Values, pairs ...string) url.Values {
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func weekOf(from, to string) url.Values {
	var times []string
	for _, row := range frontend.HoursRows[:7] {
		times = append(times, row, from, to)
	}
	return table(times...)
}

func TestHoursEditorWrites(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	anna.owned("La Fourmilière")
	const edit = "/e/la-fourmiliere/edit"
	for _, c := range []struct {
		fields url.Values
		want   string
	}{
		{table("mo", "09:00", "12:00", "mo", "14:00", "18:00", "sa", "10:00", "12:00"), "Mo 09:00-12:00,14:00-18:00; Sa 10:00-12:00"},
		{table("mo", "14:00", "18:00", "mo", "9h", "12h30"), "Mo 09:00-12:30,14:00-18:00"},
		{table("fr", "9.00", "12:00", "fr", "12:00", "24:00"), "Fr 09:00-24:00"},
		{weekOf("00:00", "00:00"), "24/7"},
		{with(table("tu", "09:00", "12:00"), "hours.mo.closed", "1"), "Tu 09:00-12:00"},
		{table("fr", "22:00", "02:00", "sa", "22:00", "02:00"), "Fr,Sa 22:00-02:00"},
		{table("mo", "08:00", "09:00", "mo", "10:00", "11:00", "mo", "12:00", "13:00"), "Mo 08:00-09:00,10:00-11:00,12:00-13:00"},
		{with(weekOf("10:00", "12:00"), "hours.holidays", "closed"), "Mo-Su 10:00-12:00; PH off"},
		{with(weekOf("10:00", "12:00"), "hours.holidays", "own", "hours.ph.0.from", "14:00", "hours.ph.0.to", "16:00"), "Mo-Su 10:00-12:00; PH 14:00-16:00"},
		{with(table("we", "10:00", "12:00"), "hours.season.from", "4", "hours.season.to", "10"), "Apr-Oct We 10:00-12:00"},
		{with(table("we", "10:00", "12:00"), "hours.season.from", "11", "hours.season.to", "2"), "Nov-Feb We 10:00-12:00"},
		{with(table("we", "10:00", "12:00"), "hours.season.from", "5", "hours.season.to", "4"), "We 10:00-12:00"}, // the whole year
		{with(table("we", "10:00", "12:00"), "hours.comment", ` sur "rendez-vous"  seulement `), `We 10:00-12:00 open "sur 'rendez-vous' seulement"`},
		{with(table(), "hours.comment", "sur rendez-vous"), `"sur rendez-vous"`},
		{url.Values{"hours.mode": {"always"}}, "24/7"},
		{url.Values{"hours.mode": {"text"}, "openingHours": {"Sa[1] 10:00-12:00; SH off"}}, "Sa[1] 10:00-12:00; SH off"},
		{url.Values{"hours.mode": {"none"}, "openingHours": {"Mo 10:00-12:00"}}, ""},
	} {
		v := with(url.Values{}, "version", fmt.Sprint(s.bySlug("la-fourmiliere").Version), "name", "La Fourmilière")
		for key, list := range c.fields {
			v[key] = list
		}
		anna.send(edit, v).leads(t, "^/e/la-fourmiliere$")
		if got := s.bySlug("la-fourmiliere").OpeningHours; got != c.want {
			t.Errorf("%v: got %q, want %q", c.fields, got, c.want)
		}
	}
}

func TestHoursEditorNamesTheDay(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	anna.owned("La Fourmilière")
	const edit = "/e/la-fourmiliere/edit"
	for name, c := range map[string]struct {
		fields url.Values
		says   []string
	}{
		"no end":        {table("tu", "09:00", ""), []string{"mardi", "il manque l’heure", `href="#f-hours-tu"`, `value="09:00"`}},
		"no start":      {table("ph", "", "12:00", "mo", "09:00", "10:00"), nil}, // public holidays are as usual: not looked at
		"own holidays":  {with(table("ph", "", "12:00"), "hours.holidays", "own"), []string{"jours fériés", `href="#f-hours-ph"`}},
		"no time":       {table("we", "neuf heures", "12:00"), []string{"mercredi", "neuf heures", `type="text" name="hours.we.0.from" value="neuf heures"`}},
		"25 o'clock":    {table("we", "09:00", "25:00"), []string{"mercredi", "25:00"}},
		"script":        {table("we", "<script>alert(1)</script>", "25:00"), []string{"mercredi", "&lt;script&gt;"}},
		"same":          {table("th", "09:00", "09:00"), []string{"jeudi", "même heure"}},
		"overlap":       {table("fr", "09:00", "12:00", "fr", "11:00", "13:00"), []string{"vendredi", "chevauchent"}},
		"into the next": {table("sa", "20:00", "04:00", "su", "03:00", "10:00"), []string{"samedi", "lendemain"}},
		"over Sunday":   {table("su", "20:00", "04:00", "mo", "03:00", "10:00"), []string{"dimanche", "lendemain"}},
		"closed":        {with(table("mo", "09:00", "12:00"), "hours.mo.closed", "1"), []string{"lundi", "fermé", "09:00"}},
		"half a season": {with(table("mo", "09:00", "12:00"), "hours.season.from", "4"), []string{"saison"}},
		"nothing":       {table(), []string{"aucune heure"}},
		"long comment":  {with(table("mo", "09:00", "12:00"), "hours.comment", strings.Repeat("é", 121)), []string{"remarque", strings.Repeat("é", 121)}},
		"no OSM":        {url.Values{"hours.mode": {"text"}, "openingHours": {"du lundi au vendredi"}}, []string{`href="#f-openingHours"`, "du lundi au vendredi"}},
		"all is wrong":  {table("mo", "a", "b", "tu", "c", "d", "we", "e", "f"), []string{"lundi", "mardi", "mercredi"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := with(url.Values{}, "version", fmt.Sprint(s.bySlug("la-fourmiliere").Version), "name", "La Fourmilière", "summary", "gardé "+name)
			for key, list := range c.fields {
				v[key] = list
			}
			a := anna.send(edit, v)
			if c.says == nil {
				a.leads(t, "^/e/la-fourmiliere$")
				return
			}
			if a.StatusCode != http.StatusUnprocessableEntity {
				t.Fatalf("status %d to %s", a.StatusCode, a.Header.Get("Location"))
			}
			for _, want := range append(c.says, "gardé "+strings.ReplaceAll(name, "'", "&#39;")) {
				if !strings.Contains(a.body, want) {
					t.Errorf("%q is not said: %s", want, plainProblems(a.body))
				}
			}
			if strings.Contains(a.body, "<script>alert") {
				t.Error("a script came through")
			}
		})
	}
}

// Whatever opening hours an entry has, saving the form as it is opened changes nothing of them.
func TestHoursEditorKeepsWhatItDoesNotShow(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	e := anna.owned("La Fourmilière")
	for _, value := range []string{
		"", "24/7", "Mo-Fr 09:00-12:00,14:00-18:00; Sa 10:00-12:00", "Mo 09:00-12:00; Tu 09:00-12:00", "Mo-Su 00:00-24:00", "Fr 22:00-26:00",
		`Mo-Fr 09:00-12:00 open "sur rendez-vous"`, `"sur rendez-vous"`, "Apr-Oct Mo-Fr 09:00-12:00; PH off", "Mo-Fr,PH 10:00-12:00",
		"Sa[1] 10:00-12:00", "Mo-Fr 18:00+", "week 1-53/2 Mo 10:00-12:00", "SH off", "Apr-Oct Mo 09:00-12:00; Nov-Mar Mo 10:00-12:00", "Mo sunrise-sunset",
		`Mo-Fr 09:00-12:00 || "sur rendez-vous"`, `Mo 09:00-12:00 open "<b>&amp;"`, "Mo-Fr 08:00-09:00,10:00-11:00,12:00-13:00,14:00-15:00", "off",
	} {
		e = s.bySlug("la-fourmiliere")
		e.OpeningHours = value
		before := s.put(e)[0]
		v := anna.fieldsOfPage("/e/la-fourmiliere/edit")
		v.Set("summary", "changé par "+value)
		anna.send("/e/la-fourmiliere/edit", v).leads(t, "^/e/la-fourmiliere$")
		after := s.bySlug("la-fourmiliere")
		if after.OpeningHours != before.OpeningHours || after.Summary == before.Summary {
			t.Errorf("%s became %s (%s)", before.OpeningHours, after.OpeningHours, after.Summary)
		}
	}
}

func TestHoursEditorWithoutScripts(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	anna.owned("La Fourmilière")
	version := fmt.Sprint(s.bySlug("la-fourmiliere").Version)
	ask := func(action string, v url.Values) string {
		t.Helper()
		a := anna.send("/e/la-fourmiliere/edit", with(v, "version", version, "name", "La Fourmilière", "action", action, "hours.was", ""))
		if a.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d: %s", action, a.StatusCode, plainProblems(a.body))
		}
		return a.body
	}
	body := ask("hours_week", table("mo", "09:00", "12:00", "mo", "14:00", "18:30"))
	for _, want := range []string{`name="hours.fr.1.to" value="18:30"`, "Du lundi au vendredi", "09:00–12:00, 14:00–18:30", "samedi et dimanche", "Mo-Fr 09:00-12:00,14:00-18:30"} {
		if !strings.Contains(strings.ToLower(body), strings.ToLower(want)) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(body, `name="hours.sa.0.from" value="09:00"`) {
		t.Error("Saturday got Monday's hours")
	}
	if body = ask("hours_all", table("mo", "09:00", "12:00", "su", "20:00", "22:00", "su", "22:30", "23:00")); !strings.Contains(body, "Du lundi au dimanche") || strings.Contains(body, "22:30") {
		t.Error("Sunday is not as Monday")
	}
	if body = ask("hours", url.Values{"hours.mode": {"text"}, "openingHours": {"Sa[1] 10:00-12:00"}}); !strings.Contains(body, "Cette semaine") {
		t.Error("the text is not read back")
	}
	if s.bySlug("la-fourmiliere").OpeningHours != "" {
		t.Error("a look at the hours saved them")
	}
	// What the island asks, by anybody, in any language.
	q := with(table("we", "10:00", "12:00"), "hours.holidays", "closed", "hours.season.from", "4", "hours.season.to", "10", "hours.comment", "<b>ring</b>", "lang", "en")
	a := s.visitor().open("/add/hours?" + q.Encode())
	for _, want := range []string{"Wednesday", "10:00–12:00", "Season: April – October", "Public holidays", "closed", "&lt;b&gt;ring"} {
		if a.StatusCode != http.StatusOK || !strings.Contains(a.body, want) {
			t.Errorf("%q is missing: %d %s", want, a.StatusCode, a.body)
		}
	}
	if a := s.visitor().open("/add/hours?hours.mode=table&hours.mo.0.from=9"); a.StatusCode != http.StatusOK || strings.TrimSpace(a.body) != "" {
		t.Errorf("half a line: %d %q", a.StatusCode, a.body)
	}
}

// A draft keeps the editor as it was typed, also what is not yet right.
func TestHoursEditorInADraft(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	where := anna.send("/add", fieldsOf("kind", "organisation", "name", "La Fourmilière", "categories", "coworking")).leads(t, `/where$`)
	about := strings.TrimSuffix(where, "where") + "about"
	kept := anna.send(about, with(table("mo", "09:00", "", "su", "10:00", "12:00"), "hours.tu.closed", "1", "action", "keep"))
	if kept.StatusCode != http.StatusNoContent {
		t.Fatalf("status %d", kept.StatusCode)
	}
	v := anna.fieldsOfPage(about)
	if v.Get("hours.mode") != "table" || v.Get("hours.mo.0.from") != "09:00" || v.Get("hours.su.0.to") != "12:00" || v.Get("hours.tu.closed") != "1" {
		t.Errorf("got %v", v)
	}
	v.Del("hours.tu.closed")
	v.Set("hours.mo.0.to", "11:00")
	v.Set("action", "next")
	anna.send(about, v).leads(t, "^/me/entries")
	if got := s.bySlug("la-fourmiliere").OpeningHours; got != "Mo 09:00-11:00; Su 10:00-12:00" {
		t.Errorf("got %s", got)
	}
}

// Two people who change the hours: the second sees both, and nothing of either is lost.
func TestHoursEditorInAConflict(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	anna.owned("La Fourmilière", func(e *directory.Entry) { e.OpeningHours = "Mo 09:00-12:00; Sa 10:00-12:00" })
	mine, theirs := anna.fieldsOfPage("/e/la-fourmiliere/edit"), anna.fieldsOfPage("/e/la-fourmiliere/edit")
	other := anna.fieldsOfPage("/e/la-fourmiliere/edit")
	theirs.Set("hours.mo.0.to", "13:00")
	anna.send("/e/la-fourmiliere/edit", theirs).leads(t, "^/e/")
	other.Set("summary", "autre chose")
	a := anna.send("/e/la-fourmiliere/edit", other)
	if a.StatusCode != http.StatusConflict || !strings.Contains(a.body, `name="hours.mo.0.to" value="13:00"`) {
		t.Errorf("untouched hours are not the new ones: %d", a.StatusCode)
	}
	mine.Del("hours.su.closed")
	mine.Set("hours.su.0.from", "15:00")
	mine.Set("hours.su.0.to", "17:00")
	a = anna.send("/e/la-fourmiliere/edit", mine)
	if a.StatusCode != http.StatusConflict || !strings.Contains(a.body, `name="hours.su.0.to" value="17:00"`) || !strings.Contains(a.body, "Mo 09:00-13:00; Sa 10:00-12:00") {
		t.Errorf("status %d: %s", a.StatusCode, plainProblems(a.body))
	}
}
