package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/duplicates"
	"archipel/frontend"
	"archipel/geo"
	"archipel/geo/geocode"

	"github.com/gofiber/fiber/v2"
	"github.com/paulmach/orb"
)

// shown is what a form shows besides what was typed.
type shown struct {
	stay       bool // something else was asked for than going on
	place      string
	zone       string
	pictureAlt string
	places     []frontend.Option
	noPlace    bool
	townOnly   bool
	zones      []frontend.Option // found
	conflict   []frontend.FieldChange
	relations  string // entries looked for, to tie this one to
	related    bool   // they were looked for
}

// assist does what a form asks for besides being kept: it finds addresses and territories, and takes a picture.
func (s *Server) assist(c *fiber.Ctx, values, sent url.Values, show *shown) directory.Invalid {
	action := sent.Get("action")
	var problems directory.Invalid
	switch action {
	case "hours_week":
		copyMonday(values, 4)
	case "hours_all":
		copyMonday(values, 6)
	}
	switch action {
	case "find", "zone", "row", "picture", "hours", "hours_week", "hours_all":
		show.stay = true
	case "relation":
		show.relations, show.related, show.stay = strings.TrimSpace(sent.Get("relation.q")), true, true
	case "relate":
		show.stay = true
	}
	if sent.Has("address.addressLocality") && values.Get("where") != "area" {
		s.locate(c, values, sent, show, action == "find")
	}
	if action == "zone" {
		show.zones = s.zonesNamed(sent.Get("zone"), s.lang(c))
	}
	if p := s.takePicture(c, values, sent); p != nil {
		problems, show.stay = append(problems, *p), false
	} else if sent.Get("picture_alt") != "" && action != "picture" {
		show.pictureAlt = ""
	}
	return problems
}

// locate puts the place that was chosen into the form, or offers those that the address may mean.
func (s *Server) locate(c *fiber.Ctx, values, sent url.Values, show *shown, asked bool) {
	address := directory.Fold(strings.Join([]string{values.Get("address.streetAddress"), values.Get("address.postalCode"), values.Get("address.addressLocality")}, " "))
	at := values.Get("lon") + "," + values.Get("lat")
	if chosen := sent.Get("place"); chosen != "" && !asked {
		if chosen == "none" {
			values.Set("lon", "")
			values.Set("lat", "")
		} else if place, err := url.ParseQuery(chosen); err == nil {
			for key, field := range map[string]string{"lon": "lon", "lat": "lat", "approximate": "approximate", "insee": "address.municipality", "country": "address.addressCountry"} {
				values.Set(field, place.Get(key))
			}
			for key, field := range map[string]string{"postcode": "address.postalCode", "town": "address.addressLocality"} {
				if values.Get(field) == "" {
					values.Set(field, place.Get(key))
				}
			}
			if place.Get("approximate") == "" {
				values.Del("approximate")
			}
		}
		address = directory.Fold(strings.Join([]string{values.Get("address.streetAddress"), values.Get("address.postalCode"), values.Get("address.addressLocality")}, " "))
		values.Set("located", address+"|"+values.Get("lon")+","+values.Get("lat"))
		return
	}
	before, beforeAt, _ := strings.Cut(values.Get("located"), "|")
	moved := at != beforeAt // the pin was moved, or coordinates were typed
	if address == "" || !asked && (before == address || moved && at != ",") {
		return
	}
	places, missing := s.addresses(c, values)
	if !asked && (before == "" && at != "," || len(places) == 0) {
		return // an entry that has its place, or an address that nobody knows: it is no obstacle
	}
	show.stay, show.noPlace = true, len(places) == 0
	show.townOnly = missing != geocode.MissingNothing && values.Get("address.streetAddress") != ""
	for i, p := range places {
		v := url.Values{"lon": {degrees(p.Point[0])}, "lat": {degrees(p.Point[1])}, "insee": {p.Codes.INSEE}, "country": {strings.ToUpper(p.Codes.Country)}}
		if len(p.Codes.Postcodes) == 1 {
			v.Set("postcode", p.Codes.Postcodes[0])
		}
		town := p.Kind == geocode.KindCommune || p.Kind == geocode.KindVillage || p.Kind == geocode.KindDistrict
		if town {
			v.Set("town", p.Name)
		}
		if p.Approximate || town {
			v.Set("approximate", "1")
		}
		show.places = append(show.places, frontend.Option{Value: v.Encode(), Label: p.Label, Selected: i == 0})
	}
	if len(show.places) > 0 {
		show.places = append(show.places, frontend.Option{Value: "none", Label: frontend.T(s.lang(c)).Text("posting.no_place")})
	}
}

// addresses are the places that the address of a form may mean.
func (s *Server) addresses(c *fiber.Ctx, values url.Values) ([]geocode.Place, geocode.Missing) {
	if s.Locator == nil {
		return nil, geocode.MissingServer
	}
	q := geocode.Query{
		Street: cut(values.Get("address.streetAddress")), Postcode: cut(values.Get("address.postalCode")), City: cut(values.Get("address.addressLocality")),
		Language: s.lang(c), Limit: 6,
	}
	if country := values.Get("address.addressCountry"); len(country) == 2 {
		q.Countries = []string{strings.ToLower(country)}
	}
	if b, ok, err := s.Index.Snapshot().Core(geo.Filter{}); err == nil && ok {
		q.View = &geocode.Box{b.Min[0], b.Min[1], b.Max[0], b.Max[1]}
	}
	found, err := s.Locator.Find(c.UserContext(), q)
	if errors.Is(err, geocode.ErrNotFound) && q.Postcode != "" && q.City != "" {
		q.Postcode = "" // often mistyped, or the one of a post box
		found, err = s.Locator.Find(c.UserContext(), q)
	}
	if err != nil {
		if !errors.Is(err, geocode.ErrNotFound) && !errors.Is(err, geocode.ErrBadQuery) {
			s.Log.Warn("an address could not be looked for", "err", err)
		}
		return nil, geocode.MissingNothing
	}
	return found.Places, found.Missing
}

func cut(s string) string {
	if len(s) > geocode.MaxText-10 {
		return strings.ToValidUTF8(s[:geocode.MaxText-10], "")
	}
	return s
}

// zonesNamed are the territories of a name.
func (s *Server) zonesNamed(name, lang string) []frontend.Option {
	if s.Places == nil || strings.TrimSpace(name) == "" {
		return nil
	}
	var out []frontend.Option
	for i, p := range s.Places.Complete(geocode.Query{Text: cut(name), Language: lang, Limit: 6}) {
		code := string(p.Zone)
		if code != "" && !slices.ContainsFunc(out, func(o frontend.Option) bool { return o.Value == code }) {
			out = append(out, frontend.Option{Value: code, Label: p.Label, Selected: i == 0})
		}
	}
	return out
}

func (s *Server) validZone(code string) bool {
	if s.Places == nil {
		return true
	}
	_, ok := s.Places.Zone(geocode.ZoneCode(code), "")
	return ok
}

// showStep draws a step of a new entry.
func (s *Server) showStep(c *fiber.Ctx, d *draft, step string, problems directory.Invalid, show *shown) error {
	v := frontend.PostingView{Step: slices.Index(steps, step) + 1, Action: "/add", Name: d.Values.Get("name"), Suggestion: !account.From(c).SignedIn()}
	if d.rev > 0 {
		v.Action = d.url(step)
	}
	if v.Step > 1 {
		v.Back = d.url(steps[v.Step-2])
	}
	if v.Suggestion {
		v.SignInURL = "/signin?" + url.Values{"next": {c.Path()}}.Encode()
	}
	e, _ := s.build(d)
	same, err := s.sameAs(c, d, &e)
	if err != nil {
		return err
	}
	if d.rev > 0 {
		v.Same = s.sameViews(same, s.lang(c))
	}
	return s.showForm(c, v, d.Values, problems, show)
}

// showForm draws a form with everything that was typed.
func (s *Server) showForm(c *fiber.Ctx, v frontend.PostingView, values url.Values, problems directory.Invalid, show *shown) error {
	if show == nil {
		show = &shown{}
	}
	p := s.page(c, "")
	p.NoIndex, p.Canonical = true, ""
	v.Form = frontend.EntryForm{Values: url.Values{}, CSRF: s.csrf(c)}
	for key, list := range values {
		v.Form.Values[key] = list
	}
	v.Form.Values.Set("zone", show.zone)
	v.Form.Values.Set("picture_alt", show.pictureAlt)
	if v.Form.Values.Get("lang") == "" && v.Version == 0 {
		v.Form.Values.Set("lang", p.Lang)
	}
	if v.Form.Values.Get("event.timezone") == "" {
		v.Form.Values.Set("event.timezone", s.Site().Timezone)
	}
	for _, one := range problems {
		v.Form.Problems = append(v.Form.Problems, frontend.Problem{Field: one.Field, Code: one.Code, Params: one.Params})
	}
	v.Event = values.Get("kind") == string(directory.Event)
	if !values.Has("hours.mode") {
		hoursOf(v.Form.Values, values.Get("openingHours"))
	}
	v.Hours = s.hoursView(v.Form.Values, p.Lang)
	v.Categories = s.categoriesWith(p.Lang, values["categories"])
	v.Places, v.NoPlace, v.TownOnly, v.Conflict = show.places, show.noPlace, show.townOnly, show.conflict
	v.Zones = s.zoneOptions(values["area.zones"], show.zones, p.Lang)
	for i := range maxImages {
		u := values.Get("images[" + string(rune('0'+i)) + "].url")
		if u == "" {
			break
		}
		picture := frontend.Image{URL: thumbnail(u)}
		if k, ok, err := s.measure(c.UserContext(), u); ok && err == nil {
			picture.Width, picture.Height = k.width, k.height
		}
		v.Images = append(v.Images, picture)
	}
	if s.Media != nil && v.Island == "" { // pictures do not travel with corrections
		v.ImageLimit = maxImages
	}
	if v.Version == 0 {
		var err error
		if v.Organisers, err = s.organisers(c, directory.Kind(values.Get("kind")), values.Get("organiser")); err != nil {
			return err
		}
	}
	if v.Version > 0 && !v.Suggestion {
		var err error
		if v.Relations, err = s.relationsView(c, values, show); err != nil {
			return err
		}
	}
	v.Map = s.mapView(s.presenter(p.Lang))
	v.Map.Bounds = s.aroundForm(values, p.Lang)
	p.Title = frontend.PostingTitle(p.Lang, v)
	switch {
	case len(v.Conflict) > 0:
		c.Status(http.StatusConflict)
	case len(problems) > 0:
		c.Status(http.StatusUnprocessableEntity)
	}
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	return s.render(c, frontend.Posting(p, v))
}

// aroundForm is what the map of a form shows first: the position, else where the entries are.
func (s *Server) aroundForm(values url.Values, lang string) Bounds {
	x, okX := parseDegrees(values.Get("lon"))
	y, okY := parseDegrees(values.Get("lat"))
	if okX && okY && x >= -180 && x <= 180 && y >= -85 && y <= 85 {
		return s.padded(orb.Point{x, y}.Bound())
	}
	return s.area(&request{}, lang)
}

func (s *Server) csrf(c *fiber.Ctx) string {
	if s.Accounts == nil {
		return ""
	}
	return s.Accounts.CSRF(c)
}

// categoriesWith are the categories to choose from. What an entry has stays among them, also when the taxonomy lost it.
func (s *Server) categoriesWith(lang string, chosen []string) []frontend.OptionGroup {
	gone := frontend.OptionGroup{Label: frontend.T(lang).Text("posting.category_gone")}
	for _, id := range chosen {
		if id != "" && !s.Taxonomy.Valid(id) && !slices.ContainsFunc(gone.Options, func(o frontend.Option) bool { return o.Value == id }) {
			gone.Options = append(gone.Options, frontend.Option{Value: id, Label: s.Taxonomy.Label(id, lang)})
		}
	}
	if len(gone.Options) == 0 {
		return s.categoryOptions(lang)
	}
	return append([]frontend.OptionGroup{gone}, s.categoryOptions(lang)...)
}

func (s *Server) categoryOptions(lang string) []frontend.OptionGroup {
	var groups []frontend.OptionGroup
	for _, root := range s.Taxonomy.Roots() {
		g := frontend.OptionGroup{Label: s.Taxonomy.Label(root, lang), Options: []frontend.Option{{Value: root, Label: s.Taxonomy.Label(root, lang)}}}
		for _, id := range s.Taxonomy.Descendants(root) {
			if id != root {
				g.Options = append(g.Options, frontend.Option{Value: id, Label: s.Taxonomy.Label(id, lang)})
			}
		}
		groups = append(groups, g)
	}
	return groups
}

func (s *Server) zoneOptions(chosen []string, found []frontend.Option, lang string) []frontend.Option {
	var out []frontend.Option
	for _, code := range chosen {
		if code == "" {
			continue
		}
		o := frontend.Option{Value: code, Label: code, Selected: true}
		if s.Places != nil {
			if z, ok := s.Places.Zone(geocode.ZoneCode(code), lang); ok {
				o.Label = z.Label
			}
		}
		out = append(out, o)
	}
	for _, o := range found {
		if !slices.Contains(chosen, o.Value) {
			out = append(out, o)
		}
	}
	return out
}

// candidate is an entry that may be the same, and that the actor may see.
type candidate struct {
	duplicates.Candidate
	entry directory.Entry
}

// likely reports whether one of the candidates is so like that one should look at it before going on.
func likely(list []candidate) bool {
	return slices.ContainsFunc(list, func(c candidate) bool { return c.Score >= 0.8 })
}

// kindNotSame is the kind of the records that say that two entries are not the same; a key is both ids.
const kindNotSame = "not-same"

func pairKey(a, b directory.ID) string { return string(min(a, b)) + "~" + string(max(a, b)) }

func (s *Server) rememberNotSame(ctx context.Context, id directory.ID, others []directory.ID, author string) error {
	for _, other := range others {
		err := s.Directory.Store().PutRecord(ctx, kindNotSame, directory.Record{Key: pairKey(id, other), Value: []byte(`{}`)})
		if err != nil && !errors.Is(err, directory.ErrStale) {
			return err
		}
	}
	return nil
}

// sameAs are the entries that may be the same as e, without those of which somebody said that they are not.
func (s *Server) sameAs(c *fiber.Ctx, d *draft, e *directory.Entry) ([]candidate, error) {
	if s.Duplicates == nil || e.Name == "" {
		return nil, nil
	}
	found := s.Duplicates.Find(e, 6+len(d.NotSame))
	found = slices.DeleteFunc(found, func(f duplicates.Candidate) bool { return d.isNotSame(f.ID) })
	ids := make([]directory.ID, 0, len(found))
	for _, f := range found {
		ids = append(ids, f.ID)
	}
	entries, err := s.Directory.Entries(c.UserContext(), ids)
	if err != nil {
		return nil, err
	}
	var out []candidate
	for _, one := range entries {
		r, err := s.Directory.Store().Record(c.UserContext(), kindNotSame, pairKey(one.ID, e.ID))
		if err != nil {
			return nil, err
		}
		if r.Rev > 0 || !s.mayRead(c, &one) {
			continue
		}
		i := slices.IndexFunc(found, func(f duplicates.Candidate) bool { return f.ID == one.ID })
		out = append(out, candidate{found[i], one})
	}
	return out[:min(len(out), 4)], nil
}

// mayRead reports whether the actor may see an entry, public or not.
func (s *Server) mayRead(c *fiber.Ctx, e *directory.Entry) bool {
	return account.May(account.From(c), account.EntryRead, e) == nil
}

func (s *Server) sameViews(list []candidate, lang string) []frontend.Same {
	show := s.presenter(lang)
	var out []frontend.Same
	for i := range list {
		one := frontend.Same{Card: show.card(&list[i].entry, list[i].Distance)}
		for _, r := range list[i].Reasons {
			one.Reasons = append(one.Reasons, string(r))
		}
		out = append(out, one)
	}
	return out
}

// suspicious takes what a program filled in for a suggestion and forgets it, and limits how many people send.
func (s *Server) suspicious(c *fiber.Ctx, v url.Values, name string) (done bool, err error) {
	if v.Get("fax") != "" {
		return true, c.Redirect("/add/thanks?"+url.Values{"name": {name}}.Encode(), http.StatusSeeOther)
	}
	if s.Accounts != nil {
		return false, s.Accounts.LimitSuggestions(c)
	}
	return false, nil
}

// sameFragment is the entries that may be the same as what is being typed, for the island.
func (s *Server) sameFragment(c *fiber.Ctx) error {
	v, err := values(c)
	if err != nil {
		return err
	}
	d := &draft{Values: url.Values{}}
	if token := v.Get("draft"); tokenForm.MatchString(token) {
		if have, err := s.readDraft(c.UserContext(), draftOwner(account.From(c))+"/"+token); err != nil {
			return err
		} else if have != nil {
			d = have
		}
	}
	for _, key := range []string{"kind", "name", "contact.phone", "contact.email", "contact.website", "lon", "lat", "address.addressLocality"} {
		if v.Has(key) && len(v.Get(key)) < 300 {
			d.Values.Set(key, v.Get(key))
		}
	}
	e, _ := s.build(d)
	same, err := s.sameAs(c, d, &e)
	if err != nil {
		return err
	}
	p := s.page(c, "")
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	return s.render(c, frontend.PostingSame(p, frontend.PostingView{Same: s.sameViews(same, p.Lang)}))
}
