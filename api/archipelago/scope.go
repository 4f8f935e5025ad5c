package archipelago

import (
	"encoding/json"
	"slices"
	"strings"

	"archipel/directory"
	"archipel/federation/islands"
	"archipel/frontend"
	"archipel/geo/geocode"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// typedScope is a form of a scope as it was sent.
type typedScope struct {
	scope   islands.Scope
	where   string // all, ours, kept or zones
	zone    string // a name that was looked for
	sought  bool
	policy  string
	message string
	passOn  bool
}

// many reads a field that may come several times.
func many(c *fiber.Ctx, name string) (list []string) {
	for _, b := range c.Context().PostArgs().PeekMulti(name) {
		if v := strings.TrimSpace(string(b)); v != "" && !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

// readScope reads what was typed. ours is our own territory, kept the outline that the scope had before.
func readScope(c *fiber.Ctx, ours islands.Settings, kept *directory.Shape) (typedScope, directory.Invalid) {
	t := typedScope{where: c.FormValue("where", "all"), zone: strings.TrimSpace(c.FormValue("zone")), policy: c.FormValue("policy"), passOn: c.FormValue("pass_on") != ""}
	t.scope = islands.Scope{Categories: many(c, "categories"), Languages: many(c, "languages"), Others: c.FormValue("others") != ""}
	var problems directory.Invalid
	for _, k := range many(c, "kinds") {
		t.scope.Kinds = append(t.scope.Kinds, directory.Kind(k))
	}
	zones := many(c, "zones")
	switch t.where {
	case "all":
	case "ours":
		t.scope.Zones, t.scope.Area = ours.Zones, ours.Area
		if len(ours.Zones) == 0 && ours.Area == nil {
			problems = append(problems, directory.Problem{Field: "where", Code: directory.CodeUnknown, Params: map[string]any{"value": t.where}})
		}
	case "kept":
		t.scope.Area, t.scope.Zones = kept, zones
		if kept == nil {
			problems = append(problems, directory.Problem{Field: "where", Code: directory.CodeUnknown, Params: map[string]any{"value": t.where}})
		}
	case "zones":
		if t.scope.Zones = zones; len(zones) == 0 {
			problems = append(problems, directory.Problem{Field: "zones", Code: directory.CodeRequired})
		}
	default:
		problems = append(problems, directory.Problem{Field: "where", Code: directory.CodeUnknown, Params: map[string]any{"value": t.where}})
	}
	t.message = strings.ToValidUTF8(strings.TrimSpace(strings.ReplaceAll(c.FormValue("message"), "\r\n", "\n")), "")
	if n := len([]rune(t.message)); n > 1000 {
		problems = append(problems, directory.Problem{Field: "message", Code: directory.CodeTooLong, Params: map[string]any{"max": 1000, "got": n}})
	}
	if t.policy != "" && !slices.Contains(frontend.IslandPolicies, t.policy) {
		problems = append(problems, directory.Problem{Field: "policy", Code: directory.CodeUnknown, Params: map[string]any{"value": t.policy}})
	}
	if err := t.scope.Validate(); err != nil {
		if invalid, ok := err.(directory.Invalid); ok {
			problems = append(problems, invalid...)
		}
	}
	return t, problems
}

// scopeForm draws a form. words are the categories of the directory whose entries are meant.
func (h *handlers) scopeForm(name string, t typedScope, ours islands.Settings, kept *directory.Shape, words []islands.Word, languages []string, lang string) *frontend.ScopeForm {
	f := &frontend.ScopeForm{Name: name, ZoneName: t.zone, Sought: t.sought, Others: t.scope.Others, Policy: t.policy, Message: t.message, PassOn: t.passOn}
	if f.Policy == "" {
		f.Policy = string(islands.Show)
	}
	wheres := []string{"all"}
	if len(ours.Zones) > 0 || ours.Area != nil {
		wheres = append(wheres, "ours")
		f.Ours = strings.Join(h.territory(frontend.T(lang), &islands.Scope{Zones: ours.Zones, Area: ours.Area}), ", ")
	}
	if kept != nil {
		wheres = append(wheres, "kept")
	}
	for _, w := range append(wheres, "zones") {
		f.Wheres = append(f.Wheres, frontend.Option{Value: w, Selected: w == t.where})
	}
	chosen := t.scope.Zones
	if t.where == "ours" || t.where == "all" {
		chosen = nil
	}
	f.Zones = h.zoneOptions(chosen, h.zonesNamed(t.zone, t.sought, lang), lang)
	for _, k := range directory.Kinds {
		f.Kinds = append(f.Kinds, frontend.Option{Value: string(k), Selected: slices.Contains(t.scope.Kinds, k)})
	}
	f.Categories = h.wordGroups(words, t.scope.Categories, lang)
	for _, tag := range append(slices.Clone(languages), t.scope.Languages...) {
		if _, err := language.Parse(tag); err == nil && !slices.ContainsFunc(f.Languages, func(o frontend.Option) bool { return o.Value == tag }) {
			f.Languages = append(f.Languages, frontend.Option{Value: tag, Label: languageName(tag), Selected: slices.Contains(t.scope.Languages, tag)})
		}
	}
	return f
}

// languageName is a language by its own name.
func languageName(tag string) string {
	t, err := language.Parse(tag)
	if err != nil {
		return tag
	}
	if name := display.Self.Name(t); name != "" {
		return name
	}
	return tag
}

// wordGroups are categories as a form offers them, those below one another together. One that is chosen is there, even when
// the directory does not have it.
func (h *handlers) wordGroups(words []islands.Word, chosen []string, lang string) []frontend.OptionGroup {
	var groups []frontend.OptionGroup
	at := map[string]int{}
	known := map[string]bool{}
	for _, w := range words {
		known[w.ID] = true
	}
	add := func(root string, o frontend.Option, label string) {
		i, ok := at[root]
		if !ok {
			i = len(groups)
			at[root] = i
			groups = append(groups, frontend.OptionGroup{Label: label})
		}
		if o.Value == root {
			groups[i].Label = label
			groups[i].Options = slices.Insert(groups[i].Options, 0, o)
		} else {
			groups[i].Options = append(groups[i].Options, o)
		}
	}
	for _, w := range words {
		root := w.ID
		if n := len(w.Under); n > 0 && known[w.Under[n-1]] {
			root = w.Under[n-1]
		}
		name := h.Islands.NameOf(w, lang)
		add(root, frontend.Option{Value: w.ID, Label: name, Selected: slices.Contains(chosen, w.ID)}, name)
	}
	for _, id := range chosen {
		if !known[id] {
			add(id, frontend.Option{Value: id, Label: id, Selected: true}, id)
		}
	}
	return groups
}

// ourWords are our categories, as other directories get them.
func (h *handlers) ourWords(c *fiber.Ctx) ([]islands.Word, error) {
	d, err := h.Islands.Describe(c.UserContext())
	return d.Words(), err
}

// zonesNamed are the territories of a name, the first of them chosen.
func (h *handlers) zonesNamed(name string, sought bool, lang string) (out []frontend.Option) {
	if h.Places == nil || name == "" || !sought {
		return nil
	}
	if len(name) > geocode.MaxText-10 {
		name = strings.ToValidUTF8(name[:geocode.MaxText-10], "")
	}
	for i, p := range h.Places.Complete(geocode.Query{Text: name, Language: lang, Limit: 6}) {
		if code := string(p.Zone); code != "" && !slices.ContainsFunc(out, func(o frontend.Option) bool { return o.Value == code }) {
			out = append(out, frontend.Option{Value: code, Label: p.Label, Selected: i == 0})
		}
	}
	return out
}

// zoneOptions are the zones that are chosen, and those that were found.
func (h *handlers) zoneOptions(chosen []string, found []frontend.Option, lang string) (out []frontend.Option) {
	for _, code := range chosen {
		out = append(out, frontend.Option{Value: code, Label: h.zoneName(code, lang), Selected: true})
	}
	for _, o := range found {
		if !slices.Contains(chosen, o.Value) {
			out = append(out, o)
		}
	}
	return out
}

func (s *Service) zoneName(code, lang string) string {
	if s.Places != nil {
		if z, ok := s.Places.Zone(geocode.ZoneCode(code), lang); ok {
			return z.Label
		}
	}
	return code
}

// territory is where a scope is, in words.
func (s *Service) territory(l *frontend.Localizer, scope *islands.Scope) (words []string) {
	for i, code := range scope.Zones {
		if i == 20 {
			return append(words, "…")
		}
		words = append(words, s.zoneName(code, l.Lang()))
	}
	if scope.Area != nil && scope.Area.Geometry != nil {
		words = append(words, l.Text("archipelago.area"))
	}
	return words
}

// inWords says a scope in words; names are the categories of the directory whose entries are meant.
func (s *Service) inWords(l *frontend.Localizer, scope *islands.Scope, names func(id string) string) (words []string) {
	add := func(list []string) {
		if len(list) > 0 {
			words = append(words, strings.Join(list, ", "))
		}
	}
	add(s.territory(l, scope))
	var kinds, categories, languages []string
	for _, k := range scope.Kinds {
		kinds = append(kinds, l.Code("kinds", string(k)))
	}
	for _, id := range scope.Categories {
		categories = append(categories, names(id))
	}
	for _, tag := range scope.Languages {
		languages = append(languages, languageName(tag))
	}
	add(kinds)
	add(categories)
	add(languages)
	if len(words) == 0 {
		words = []string{l.Text("archipelago.everything")}
	}
	return words
}

// namesIn finds the names of the categories of a directory.
func (s *Service) namesIn(words []islands.Word, lang string) func(string) string {
	names := map[string]string{}
	for _, w := range words {
		names[w.ID] = s.Islands.NameOf(w, lang)
	}
	return func(id string) string {
		if name := names[id]; name != "" {
			return name
		}
		return id
	}
}

// sameArea reports whether two outlines are the same.
func sameArea(a, b *directory.Shape) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(x) == string(y)
}

// stands is a scope as a form shows it.
func stands(scope islands.Scope, ours islands.Settings) (t typedScope, kept *directory.Shape) {
	t = typedScope{scope: scope, where: "all"}
	mine := (len(ours.Zones) > 0 || ours.Area != nil) && slices.Equal(scope.Zones, ours.Zones) && sameArea(scope.Area, ours.Area)
	switch {
	case mine:
		t.where = "ours"
	case scope.Area != nil:
		t.where, kept = "kept", scope.Area
	case len(scope.Zones) > 0:
		t.where = "zones"
	}
	return t, kept
}
