package api_test

import (
	"strings"
	"testing"

	"archipel/api"
	"archipel/directory"
)

// TestEveryFormatNamesSourceAndLicence goes through all that hands entries on: where they come from, under which licence, with
// their addresses where the format has a place, and in the words that the source asks for.
func TestEveryFormatNamesSourceAndLicence(t *testing.T) {
	s := open(t)
	if err := s.store.PutSetting(t.Context(), api.SourcesKey, []byte(`{"Essai <i>": {"attribution": "Paroles & <b>droits</b>"}}`), 0); err != nil {
		t.Fatal(err)
	}
	source := &directory.Source{Name: "Essai <i>", URL: "https://data.example/essai?a=1&b=2"}
	feast := event("La fête", now.AddDate(0, 0, 2), "")
	feast.Source, feast.Licence = source, "ODbL-1.0"
	id := string(s.put(feast)[0].ID)

	const address, licence, text = "https://data.example/essai?a=1&b=2", "ODbL-1.0", "https://spdx.org/licenses/ODbL-1.0.html"
	plain := []string{"Essai <i>", address, licence, text, "Paroles & <b>droits</b>"}
	javascript := strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`)
	xml := strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;")
	ics := strings.NewReplacer(",", `\,`)
	for _, c := range []struct {
		path string
		form *strings.Replacer
	}{
		{"/api/collections/entries/items", javascript}, {"/api/collections/events/items/" + id, javascript}, {"/entries.geojson", javascript},
		{"/entries.csv", strings.NewReplacer()}, {"/entries.jsonld", javascript},
		{"/entries.atom", xml}, {"/entries.rss", xml},
		{"/entries.ics", ics}, {"/e/la-fete.ics", ics},
		{"/tiles/entries.json", strings.NewReplacer("<i>", "&lt;i&gt;", "<b>", "&lt;b&gt;", "</b>", "&lt;/b&gt;", "&", "&amp;")},
		{"/embed", xml}, {"/embed?view=map", xml}, {"/embed?view=agenda", xml}, {"/e/la-fete", xml}, {"/about", xml},
	} {
		a := s.get(c.path)
		body := strings.ReplaceAll(a.body, "\r\n ", "") // iCalendar folds its lines
		if c.path == "/tiles/entries.json" {
			body = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(body)
		}
		if a.StatusCode != 200 {
			t.Errorf("%s: %d", c.path, a.StatusCode)
		}
		for _, want := range plain {
			if c.path == "/entries.jsonld" && want == licence {
				continue // its address has it
			}
			if !strings.Contains(body, c.form.Replace(want)) {
				t.Errorf("%s does not have %s", c.path, c.form.Replace(want))
			}
		}
	}

	// What names no licence keeps its source, and is in no file of data.
	quiet := event("Sans licence", now.AddDate(0, 0, 3), "")
	quiet.Source, quiet.Licence = source, directory.LicenceNotStated
	s.put(quiet)
	if body := s.get("/entries.csv").body; strings.Contains(body, "Sans licence") {
		t.Error("what names no licence was handed on")
	}
	if body := s.get("/entries.rss").body; !strings.Contains(body, "Sans licence") || strings.Contains(body, directory.LicenceNotStated) {
		t.Error("the feed does not show it as it is")
	}
}
