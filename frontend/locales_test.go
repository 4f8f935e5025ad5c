package frontend

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
)

// families are the keys made from a code at run time, with the codes each must have.
var families = map[string][]string{
	"imports": nil, "import_state": {"tried", "waiting", "running", "done", "failed"},
	"taxonomy": nil, "taxonomy_field": {"label", "short", "about", "parent", "icon", "color", "synonyms", "osm", "schema", "needs", "former", "languages", "categories"},
	"kind": kinds, "kinds": kinds,
	"sort":                knownSorts,
	"status":              {"cancelled", "postponed", "rescheduled", "movedOnline", "tentative", "closed", "ended"},
	"dates":               {"today", "weekend", "week"},
	"agenda_mode":         AgendaModes,
	"embed_view":          EmbedViews,
	"embed_theme":         EmbedThemes,
	"embed_title":         EmbedViews,
	"relation":            {"organises", "organisedBy", "hosts", "hostedBy", "memberOf", "members", "partOf", "parts", "sameAs"},
	"history_author":      {"import", "calendar", "demo"},
	"operation":           {"create", "update", "remove", "revert", "merge", "redact", "team", "twin"},
	"accessibility":       {"wheelchair", "toilets", "hearing", "visual", "signLanguage", "parking", "note"},
	"accessibility_value": {"yes", "limited", "no", "designated"},
	"problem": {"required", "too_long", "too_many", "invalid", "unknown", "out_of_range", "swapped", "scheme", "control", "taken", "order", "immutable", "not_here", "not_yours", "unreadable", "picture_large", "not_kept", "too_short", "guessable", "wrong_password", "picture_heavy", "pictures_many", "drafts_many", "draft_large",
		"not_read", "hours_closed", "hours_half", "hours_time", "hours_same", "hours_overlap", "hours_next_day", "hours_empty", "hours_season", "hours_long"},
	"passkey":    nil, // said by package account
	"hours_edit": nil, "hours_mode": {"none", "table", "always", "text"}, "hours_holidays": {"usual", "closed", "own"},
	"map":               {"zoom_in", "zoom_out", "north", "south", "west", "east"},
	"fediverse":         nil,
	"fediverse_why":     {"handle", "often", "server", "no_page", "unknown", "self", "not_back", "five", "claim", "first", "chosen", "no_directory"},
	"fediverse_network": networks, "fediverse_shows": networks, "fediverse_type": {"Group", "Organization"},
	"fediverse_move": {"movein", "moveout"}, "fediverse_move_hint": {"movein", "moveout"}, "fediverse_move_button": {"movein", "moveout"},
	"recurrence": {"daily", "weekly", "monthly", "yearly", "daily_n", "weekly_n", "monthly_n", "yearly_n", "nth_1", "nth_2", "nth_3", "nth_4", "nth_5", "nth_-1", "nth_-2"},
	"curate":     nil,               // some are said by the server
	"link":       nil, "field": nil, // open lists: whatever stands there is a name for something
	"island": nil, "date": nil, "error": nil,
	"stale": nil, "stale_show": {"stale", "hidden"}, "stale_decision": {"confirm", "reopen"}, "digest": nil, "fresh": nil, "fresh_do": {"confirm", "change", "close"},
	"notice": nil, "hours": nil, "place": nil, "found": nil, // said by the server
	"account": nil, "mail": nil, // said by package account
	"claim": nil, "team": nil, "join": nil, // most are said by the server
	"claim_state": {"mailed", "people", "team", "proved", "denied", "refused"}, "claim_way": {"published", "domain", "people"}, "claim_button": {"published", "domain", "people"},
	"claim_told": {"mailed", "people", "team", "proved", "denied", "refused"}, "join_lead": TeamRoles, "team_role": TeamRoles, "team_become": TeamRoles,
	"role": {"member", "moderator", "admin"}, "scope": {"read", "write", "moderate"},
	"posting_kind": kinds, "own_status": {"draft", "pending", "published", "hidden"},
	"same":    {"register", "website", "mail", "phone", "name"},
	"posting": nil, "own": nil, // some are said by the server
	"complete":   {"place", "category", "entry"},
	"admin_part": {"redact", "search", "decision-mails", "reviews", "team-mails", "merges", "twins"},
	"admin":      nil, "admin_field": {"name", "territory", "tagline", "operator", "contact", "address", "about", "languages", "timezone", "accent", "licence", "signup", "review", "askAfter", "fadeAfter", "checkLinks"}, "check_links": {"true", "false"},
	"corrections": nil, "twins": nil, "pairs": nil, "broken": nil, "broken_why": {"gone", "host", "network", "timeout", "tls", "server", "moved"},
	"review": nil, "review_way": {"after", "before"},
	"signup_way": {"open", "invitation", "closed"},
	"versions":   nil, "entry_status": {"draft", "pending", "published", "hidden", "removed"},
	"queue": nil, "queue_show": {"all", "new", "changed", "correction", "report", "imported", "claim", "reply"}, "queue_type": {"new", "changed", "correction", "report", "imported", "claim", "reply"}, "decision": {"approve", "seen", "revert", "confirm", "ask", "refuse", "accept", "remove", "dismiss", "pass"},
	"merge":     nil,                                                                                                                             // some are said by the server
	"calendars": nil, "calendar_do": CalendarActions, "calendar_done": {"added", "refresh", "pause", "resume", "accept", "remove", "remove_all"}, // some are said by the server
	"calendar_wrong":   {"required", "too_long", "invalid", "scheme", "not_here", "subscribed"},
	"calendar_trouble": {"address", "host", "timeout", "network", "tls", "status", "sign_in", "gone", "type", "size", "redirects", "store", "organisation"},
	"calendar_warning": {"line", "long_line", "zone", "zone_rules", "date", "title", "private", "too_many", "rule", "rule_extra", "end", "occurrence", "following", "duplicate", "too_long", "exceptions"},
	"echoes":           nil, "echo_part": {"waiting", "shown", "refused"}, "echo_guests": {"waiting", "coming", "refused"}, "echo_do": {"show", "refuse", "always", "block", "forget"}, "echo_voice": {"show", "hide"}, // some are said by the server
	"queue_same": {"register", "website", "mail", "phone", "name"}, "report": nil, "report_category": {"wrong", "closed", "moved", "duplicate", "inappropriate", "rights", "elsewhere"},
	"posting_date": DateStates, "posting_dates": nil,
	"archipelago":       nil, // some are said by package archipelago
	"archipelago_group": {"asking", "current", "past"}, "archipelago_policy": IslandPolicies, "archipelago_where": {"all", "ours", "kept", "zones"}, "archipelago_form": {"ask", "change", "offer", "give"},
	"archipelago_lead": {"ask", "offer", "give"}, "archipelago_others": {"ask", "offer", "give"}, "archipelago_pass": {"in", "out"},
	"archipelago_in": islandStates, "archipelago_out": islandStates, "archipelago_words": {"open", "known", "rest"}, "archipelago_held": {"waiting", "aside"},
	"archipelago_do":   {"ask", "offer", "give", "accept", "refuse", "pause", "resume", "end", "withdraw", "uninvite", "decline", "now", "compare"},
	"archipelago_sure": {"pause_in", "end_in", "pause_out", "end_out"}, "archipelago_yes": {"pause_in", "end_in", "pause_out", "end_out"},
	"archipelago_done":    {"ask", "offer", "accept", "give", "refuse", "pause", "resume", "end", "withdraw", "uninvite", "decline", "policy", "now", "compare"},
	"archipelago_turned":  {"full", "large"},
	"archipelago_refusal": {"unproved", "others", "left", "blocked", "scope", "taken", "limit", "invalid", "large", "corrections", "correction", "away", "form", "server", "elsewhere", "island", "private", "over", "place"},
	"servers":             nil, "server": nil, "blocks": nil, // some are said by the server
	"server_mode": {"open", "quarantine", "allowlist"}, "server_state": {"all", "failing", "limited", "blocked", "well", "quiet"}, "server_state_hint": {"failing", "limited", "blocked", "well", "quiet"},
	"server_severity": {"suspend", "silence", "noop"}, "blocks_rule": {"suspend", "silence", "noop"}, "blocks_why": {"domain", "wide", "own", "severity", "boolean", "quotes", "rows"},
}

// islandStates are those of an agreement, with who said so where that matters.
var islandStates = []string{"offered", "asked", "asked_more", "accepted", "narrowed", "refused", "refused_us", "paused", "paused_us", "ended", "ended_us", "taken_back"}

// keysOf flattens a locale file: a table with plural forms is one key.
func keysOf(t *testing.T, name string) map[string]string {
	t.Helper()
	raw, err := fs.ReadFile(localeFiles, name)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := toml.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		if other, ok := m["other"].(string); ok && m["one"] != nil {
			out[strings.TrimSuffix(prefix, ".")] = m["one"].(string) + other
			return
		}
		for k, v := range m {
			switch v := v.(type) {
			case string:
				out[prefix+k] = v
			case map[string]any:
				walk(prefix+k+".", v)
			}
		}
	}
	walk("", tree)
	return out
}

func TestLocalesAgree(t *testing.T) {
	fr, en := keysOf(t, "locales/fr.toml"), keysOf(t, "locales/en.toml")
	holes := regexp.MustCompile(`\{\{[^}]*\.(\w*)[^}]*\}\}`)
	for key, text := range fr {
		other, ok := en[key]
		if !ok {
			t.Errorf("%s is missing in English", key)
			continue
		}
		set := func(s string) string {
			var names []string
			for _, m := range holes.FindAllStringSubmatch(s, -1) {
				names = append(names, m[1])
			}
			slices.Sort(names)
			return strings.Join(slices.Compact(names), " ")
		}
		if got, want := set(other), set(text); got != want {
			t.Errorf("%s: English fills in %q, French %q", key, got, want)
		}
		if !T("fr").Has(key) || !T("en").Has(key) {
			t.Errorf("%s is in the file and not in the catalogue", key)
		}
	}
	for key := range en {
		if _, ok := fr[key]; !ok {
			t.Errorf("%s is missing in French", key)
		}
	}
}

// TestKeys looks for every key in the templates and the Go code: each must exist, and none may be left over.
func TestKeys(t *testing.T) {
	keys := keysOf(t, "locales/fr.toml")
	used := map[string]bool{}
	call := regexp.MustCompile(`(?:Text|Plural|Has)\(\s*"([a-z_0-9.]+)"(\s*\+)?|\.date\("([a-z._]+)"|key (?::?=) "([a-z._]+)"`)
	files, err := filepath.Glob("*.templ")
	if err != nil {
		t.Fatal(err)
	}
	goFiles, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, goFiles...) {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_templ.go") {
			continue
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(raw), -1) {
			key := m[1] + m[3] + m[4]
			if m[2] != "" || strings.HasSuffix(key, ".") {
				if family := strings.SplitN(key, ".", 2)[0]; families[family] == nil && !slices.Contains([]string{"error", "island", "link", "field", "date"}, family) {
					t.Errorf("%s makes keys of %q, a family that the test does not know", name, key)
				}
				continue
			}
			used[key] = true
			if _, ok := keys[key]; !ok {
				t.Errorf("%s uses %q, which the locales do not have", name, key)
			}
		}
	}
	for family, codes := range families {
		for _, code := range codes {
			key := family + "." + code
			used[key] = true
			if _, ok := keys[key]; !ok {
				t.Errorf("%q is missing in the locales", key)
			}
		}
	}
	for key := range keys {
		family, _, _ := strings.Cut(key, ".")
		if codes, open := families[family]; !used[key] && !(open && codes == nil) {
			t.Errorf("%q is not used", key)
		}
	}
}

func TestWords(t *testing.T) {
	fr, en := T("fr"), T("en")
	now := time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
	at := func(d, h, m int) time.Time { return time.Date(2026, 11, d, h, m, 0, 0, time.UTC) }
	for _, c := range []struct{ name, got, want string }{
		{"zero in French is singular", fr.Plural("count.entries", 0), "0 fiche"},
		{"zero in English is plural", en.Plural("count.entries", 0), "0 entries"},
		{"one", fr.Plural("count.entries", 1), "1 fiche"},
		{"thousands in French", fr.Plural("count.entries", 1512), "1\u00a0512 fiches"},
		{"thousands in English", en.Plural("count.entries", 1512), "1,512 entries"},
		{"a million has its own form in French", fr.Plural("count.entries", 1000000), "1\u00a0000\u00a0000 fiches"},
		{"metres", fr.Distance(852), "850 m"}, {"few metres", fr.Distance(12), "10 m"}, {"nearly a kilometre", fr.Distance(996), "1 km"},
		{"kilometres", fr.Distance(1240), "1,2 km"}, {"kilometres in English", en.Distance(1240), "1.2 km"}, {"far", fr.Distance(35400), "35 km"}, {"none", fr.Distance(-1), ""},
		{"first of a month", fr.DateOnly(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)), "1er mars 2026"},
		{"another year", fr.Date(time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC), now), "samedi 2 janvier 2027"},
		{"today", fr.When(Occurrence{Start: at(21, 14, 0), End: at(21, 18, 30)}, now), "aujourd’hui, 14:00–18:30"},
		{"tomorrow", en.When(Occurrence{Start: at(22, 9, 0)}, now), "tomorrow, 09:00"},
		{"past midnight is one evening", fr.When(Occurrence{Start: at(27, 21, 0), End: at(28, 2, 0)}, now), "vendredi 27 novembre, 21:00–02:00"},
		{"whole days, the end exclusive", fr.When(Occurrence{Start: at(27, 0, 0), End: at(29, 0, 0), AllDay: true}, now), "du vendredi 27 novembre au samedi 28 novembre"},
		{"one whole day", en.When(Occurrence{Start: at(27, 0, 0), End: at(28, 0, 0), AllDay: true}, now), "Friday 27 November"},
		{"a list's field", fr.Field("links[1].url"), "Liens n° 2 – Adresse web"}, {"an unknown field", fr.Field("x_y"), "x_y"}, {"a broken path", fr.Field("links[]"), "Liens"},
		{"id", en.Field("id"), "Identifier"}, {"description", fr.Field("description"), "Description"},
		{"an unknown key shows itself", fr.Text("no.such"), "no.such"}, {"an unknown code", fr.Code("relation", "knows"), "knows"},
		{"an unknown language", T("xx").Lang(), "fr"}, {"a regional one", T("en-US").Lang(), "en"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
	for _, c := range []struct {
		in    Problem
		field string
		text  string
	}{
		{Problem{"summary", "too_long", map[string]any{"max": 500, "got": 1200}}, "Résumé", "1\u00a0200 caractères, c’est trop long\u00a0: 500 au plus."},
		{Problem{"bbox", "out_of_range", map[string]any{"value": "200", "min": -180, "max": 180}}, "Zone de la carte", "200 est hors limites\u00a0: de -180 à 180."},
		{Problem{"name", "invalid", nil}, "Nom", "n’a pas la forme attendue."},
		{Problem{"name", "brand_new", map[string]any{"value": strings.Repeat("é", 200)}}, "Nom", "n’a pas la forme attendue («\u00a0" + strings.Repeat("é", 79) + "…\u00a0»)."},
	} {
		if field, text := fr.ProblemText(c.in); field != c.field || text != c.text {
			t.Errorf("%v: got %q %q, want %q %q", c.in, field, text, c.field, c.text)
		}
	}
}

func TestNegotiate(t *testing.T) {
	offered := []string{"fr", "en"}
	for _, c := range []struct{ name, query, cookie, header, want string }{
		{"query first", "en", "fr", "fr", "en"}, {"then the cookie", "xx", "en", "fr", "en"}, {"then the header", "", "", "de, en-GB;q=0.8, fr;q=0.2", "en"},
		{"refused", "", "", "en;q=0", "fr"}, {"nothing fits", "", "", "de", "fr"}, {"hostile", "../..", "\x00", strings.Repeat("a-", 5000), "fr"}, {"case", "EN", "", "", "en"},
	} {
		if got := Negotiate(c.query, c.cookie, c.header, offered, "fr"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := Negotiate("en", "", "", []string{"oc"}, "fr"); got != "oc" {
		t.Errorf("got %q, want the only language offered", got)
	}
}
