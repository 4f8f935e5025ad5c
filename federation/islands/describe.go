package islands

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fetch"
	"archipel/federation/vocab"
)

const typeActivity = "application/activity+json"

// Description is what a directory says of itself before anybody agrees to anything. Unknown members are left aside and
// missing ones are empty, so that different versions understand one another.
type Description struct {
	Version    int            `json:"version"` // of this form: 1
	Name       string         `json:"name"`
	Summary    string         `json:"summary,omitempty"`
	Address    string         `json:"url"`
	Actor      string         `json:"actor"` // whom to follow
	Territory  Territory      `json:"territory"`
	Languages  []string       `json:"languages,omitempty"`
	Licence    string         `json:"licence,omitempty"`  // of entries that name none
	Licences   []string       `json:"licences,omitempty"` // what it passes on
	Rules      string         `json:"rules,omitempty"`    // conditions, in the operator's words
	Contact    string         `json:"contact,omitempty"`
	Entries    map[string]int `json:"entries,omitempty"`  // its own public ones, by kind
	Mirrored   int            `json:"mirrored,omitempty"` // what it shows of others
	Software   string         `json:"software,omitempty"`
	Categories []word         `json:"categories,omitempty"`
}

// Territory is where a directory is at home.
type Territory struct {
	Name  string           `json:"name,omitempty"`
	Zones []string         `json:"zones,omitempty"`
	Shape *directory.Shape `json:"geometry,omitempty"`
	Box   *[4]float64      `json:"bbox,omitempty"` // around nearly all of its entries: west, south, east, north
}

// Words lists the categories of a directory: id, labels, and what they are elsewhere.
func (d *Description) Words() []Word {
	words := make([]Word, len(d.Categories))
	for i, w := range d.Categories {
		words[i] = Word(w)
	}
	return words
}

// Word is a category in the words of the directory it belongs to, and what it is in words that all know.
type Word word

type word struct {
	ID     string            `json:"id"`
	Under  []string          `json:"under,omitempty"` // what it lies below, the nearest first
	Label  map[string]string `json:"label,omitempty"` // by BCP 47 tag
	OSM    []string          `json:"osm,omitempty"`   // "key=value"
	Schema string            `json:"schema,omitempty"`
	Needs  []string          `json:"needs,omitempty"` // TransforMap
}

// wordOf describes one of our categories.
func (s *Service) wordOf(id string, kind directory.Kind) word {
	w := word{ID: id}
	if c, ok := s.Taxonomy.Category(id); ok {
		w.Label, w.OSM, w.Needs, w.Under = c.Label, c.OSM, c.Needs, s.Taxonomy.Ancestors(id)
		if kind != "" {
			w.Schema = c.Schema[string(kind)]
		}
	}
	return w
}

func (s *Service) wordsOf(e *directory.Entry) []word {
	words := make([]word, len(e.Categories))
	for i, id := range e.Categories {
		words[i] = s.wordOf(id, e.Kind)
	}
	return words
}

// actor is the mirror: whom other directories follow.
func (s *Service) actor(w http.ResponseWriter, r *http.Request) {
	if federation.WantsPage(r) {
		http.Redirect(w, r, s.base+"/about", http.StatusSeeOther)
		return
	}
	site, id := s.Site(), s.mirrorID()
	doc := map[string]any{
		"@context": append(vocab.ActorTerms(), map[string]any{
			"archipel": terms, "island": map[string]any{"@id": "archipel:island", "@type": "@id"},
			"changes": map[string]any{"@id": "archipel:changes", "@type": "@id"},
		}),
		"id": id, "type": "Service", "preferredUsername": actorName, "name": site.Name, "url": s.base + "/about",
		"inbox": id + "/inbox", "outbox": id + "/outbox", "followers": id + "/followers", "manuallyApprovesFollowers": true,
		"island": s.base + "/mirror/island", "changes": s.base + "/mirror/changes",
	}
	for k, v := range s.Network.KeysOf(actorName) {
		doc[k] = v
	}
	s.Network.Answer(w, typeActivity, doc)
}

// empty answers for the collections that an actor must have; what changed is read at /mirror/changes.
func (s *Service) empty(w http.ResponseWriter, r *http.Request) {
	s.Network.Answer(w, typeActivity, map[string]any{
		"@context": vocab.Context, "id": s.base + r.URL.Path, "type": "OrderedCollection", "totalItems": 0, "orderedItems": []any{},
	})
}

// island is this directory's description.
func (s *Service) island(w http.ResponseWriter, r *http.Request) {
	d, err := s.Describe(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	s.Network.Answer(w, "application/json", d)
}

// Describe is what this directory says of itself.
func (s *Service) Describe(ctx context.Context) (Description, error) {
	settings, err := LoadSettings(ctx, s.store)
	if err != nil {
		return Description{}, err
	}
	site := s.Site()
	d := Description{
		Version: 1, Name: site.Name, Summary: site.Summary, Address: s.base + "/", Actor: s.mirrorID(), Languages: site.Languages,
		Licence: site.Licence, Licences: settings.Licences, Rules: settings.Rules, Contact: site.Contact, Software: "archipel " + s.Version,
		Territory: Territory{Name: site.Territory, Zones: settings.Zones, Shape: settings.Area}, Entries: map[string]int{},
	}
	counts, box := s.Mirrors.ours()
	for kind, n := range counts {
		d.Entries[string(kind)] = n
	}
	d.Territory.Box = box
	d.Mirrored = s.Mirrors.Len()
	for _, c := range s.Taxonomy.All() {
		d.Categories = append(d.Categories, s.wordOf(c.ID, ""))
	}
	return d, nil
}

// Find looks at another directory by its address: what it says of itself, before anything is agreed.
func (s *Service) Find(ctx context.Context, island string) (Description, error) {
	host, err := HostOf(island)
	if err != nil {
		return Description{}, err
	}
	if host == s.host {
		return Description{}, directory.Invalid{{Field: "island", Code: directory.CodeTaken, Params: map[string]any{"value": host}}}
	}
	actor, err := s.findActor(ctx, host)
	if err != nil {
		return Description{}, err
	}
	d, _, err := s.describe(ctx, actor)
	return d, err
}

// findActor asks WebFinger for the mirror of a host. A server that has no WebFinger may have its mirror where ours is.
func (s *Service) findActor(ctx context.Context, host string) (string, error) {
	base := s.scheme + "://" + host
	a, err := s.Network.FetchAs(ctx, actorName, base+"/.well-known/webfinger?resource="+url.QueryEscape("acct:"+actorName+"@"+host), fetch.JRD)
	if err != nil {
		if federation.MayPass(err) {
			return "", err
		}
		return base + "/ap/" + actorName, nil
	}
	doc, err := fetch.Object(a.Body)
	if err != nil {
		return "", err
	}
	for _, v := range asList(doc["links"]) {
		link, _ := v.(map[string]any)
		href, _ := link["href"].(string)
		if link["rel"] == "self" && vocab.Host(href) == host {
			return href, nil
		}
	}
	return "", fmt.Errorf("%s has no mirror: %w", host, errNoIsland)
}

// describe reads the description of an actor that must be a mirror, and its inbox.
func (s *Service) describe(ctx context.Context, actor string) (d Description, inbox string, err error) {
	doc, err := s.Network.RemoteActor(ctx, actor)
	if err != nil {
		return d, "", err
	}
	if !isMirror(doc) {
		return d, "", fmt.Errorf("%.200q is no directory of the archipelago: %w", actor, errNoIsland)
	}
	a, err := s.Network.FetchAs(ctx, actorName, vocab.Text(doc, "island"), []fetch.MediaType{{Type: "application/json"}})
	if errors.Is(err, fetch.ErrTooLarge) {
		err = fmt.Errorf("%w: %w", err, errTalkative)
	}
	if err != nil {
		return d, "", err
	}
	if _, err := fetch.Object(a.Body); err != nil && len(a.Body) > fetch.MaxBody {
		return d, "", err
	}
	if err := json.Unmarshal(a.Body, &d); err != nil {
		return d, "", fmt.Errorf("the description of %s: %w: %w", vocab.Host(actor), fetch.ErrJSON, err)
	}
	d.clean(actor)
	if b, err := encode(d); err != nil || len(b) > maxDescription {
		return Description{}, "", fmt.Errorf("%s: %w", vocab.Host(actor), cmp.Or(err, errTalkative))
	}
	return d, vocab.Text(doc, "inbox"), nil
}

// isMirror tells the mirror of a directory from other actors.
func isMirror(doc map[string]any) bool {
	return vocab.Text(doc, "type") == "Service" && vocab.SameOrigin(vocab.Text(doc, "island"), vocab.Text(doc, "id"))
}

// clean bounds what a stranger says of itself before it is kept.
func (d *Description) clean(actor string) {
	d.Actor = actor
	for s, most := range map[*string]int{&d.Name: 200, &d.Summary: 500, &d.Rules: 5000, &d.Contact: 300, &d.Software: 100, &d.Territory.Name: 200, &d.Licence: 100} {
		*s = cut(tidy(*s), most)
	}
	if d.Name == "" {
		d.Name = vocab.Host(actor)
	}
	if vocab.Host(d.Address) != vocab.Host(actor) || len(d.Address) > 500 {
		d.Address = ""
	}
	for list, most := range map[*[]string]int{&d.Languages: 50, &d.Licences: 100, &d.Territory.Zones: 200} {
		*list = slices.DeleteFunc((*list)[:min(len(*list), most)], func(v string) bool { return v == "" || len(v) > 80 || tidy(v) != v })
	}
	if b := d.Territory.Box; b != nil && !(b[0] >= -180 && b[2] <= 180 && b[0] <= 180 && b[2] >= -180 && b[1] >= -90 && b[1] <= b[3] && b[3] <= 90) {
		d.Territory.Box = nil
	}
	d.Mirrored = max(0, d.Mirrored)
	d.Categories = cleanWords(d.Categories, 2000)
	if g := d.Territory.Shape; g != nil {
		scope := Scope{Area: g}
		if g.Geometry == nil || scope.Validate() != nil {
			d.Territory.Shape = nil
		}
	}
	for kind, n := range d.Entries {
		if len(d.Entries) > 10 || len(kind) > 40 || n < 0 {
			d.Entries = nil
			break
		}
	}
}

func cleanWords(words []word, most int) []word {
	words = words[:min(len(words), most)]
	for i := range words {
		w := &words[i]
		w.ID, w.Schema = cut(w.ID, 80), cut(w.Schema, 80) // as it is: entries name it so
		w.Under, w.OSM, w.Needs = cutAll(w.Under, 10, 80), cutAll(w.OSM, 20, 200), cutAll(w.Needs, 20, 80)
		if len(w.Label) > 20 {
			w.Label = nil
		}
		for lang, text := range w.Label {
			if w.Label[lang] = cut(tidy(text), 100); len(lang) > 20 {
				delete(w.Label, lang)
			}
		}
	}
	return words
}

// cutAll shortens a list, and each of its texts, to so many bytes.
func cutAll(list []string, most, bytes int) []string {
	list = list[:min(len(list), most)]
	for i := range list {
		list[i] = cut(list[i], bytes)
	}
	return list
}

// tidy is a text of a stranger without what would garble the page that shows it: control characters, but for new lines,
// and those that turn the direction of what follows.
func tidy(s string) string {
	return cut(strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\ufeff' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))), 5000)
}

// cut shortens a text to so many bytes, at the end of a character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

func asList(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return nil
}

// errNoIsland is a server that is no directory of the archipelago.
var errNoIsland = fmt.Errorf("this server cannot be followed: %w", directory.ErrNotFound)

// SettingsKey is the setting of the store that holds the [Settings].
const SettingsKey = "islands"

// Settings are what an operator says to all islands.
type Settings struct {
	Licences []string         `json:"licences"`           // SPDX; what else there is, is not sent on
	Rules    string           `json:"rules,omitempty"`    // conditions, plain text
	Zones    []string         `json:"zones,omitempty"`    // the territory of this directory
	Area     *directory.Shape `json:"geometry,omitempty"` // and as a polygon
}

// LoadSettings reads the settings; without any, every licence of [directory.Licences] that lets others adapt a work is
// sent on: what is mirrored is translated and shortened.
func LoadSettings(ctx context.Context, store directory.Store) (Settings, error) {
	value, _, err := store.Setting(ctx, SettingsKey)
	if err != nil {
		return Settings{}, err
	}
	set := Settings{}
	for _, l := range directory.Licences {
		if !strings.Contains(l, "-ND") {
			set.Licences = append(set.Licences, l)
		}
	}
	if value == nil {
		return set, nil
	}
	if err := json.Unmarshal(value, &set); err != nil {
		return Settings{}, fmt.Errorf("setting %s: %w: %w", SettingsKey, directory.ErrCorrupt, err)
	}
	return set, nil
}

// SaveSettings writes the settings. A running server notices within seconds; what may no longer be sent on is withdrawn
// when the islands compare next, at most a day later.
func SaveSettings(ctx context.Context, store directory.Store, set Settings) error {
	for _, l := range set.Licences {
		if !directory.KnownLicence(l) {
			return directory.Invalid{{Field: "licences", Code: directory.CodeUnknown, Params: map[string]any{"value": l}}}
		}
	}
	if err := (&Scope{Zones: set.Zones, Area: set.Area}).Validate(); err != nil {
		return err
	}
	b, err := encode(set)
	if err != nil {
		return err
	}
	for {
		_, rev, err := store.Setting(ctx, SettingsKey)
		if err != nil {
			return err
		}
		if err = store.PutSetting(ctx, SettingsKey, b, rev); !isStale(err) {
			return err
		}
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
