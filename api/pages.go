package api

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/subscribed"
	"archipel/directory/transfer"
	"archipel/frontend"
	"archipel/geo"

	"github.com/gofiber/fiber/v2"
	"github.com/paulmach/orb"
)

// maxEntryZoom is the deepest zoom of the map of entries: a tile there is some 150 metres wide.
const maxEntryZoom = 18

// page is what every page shares.
func (s *Server) page(c *fiber.Ctx, title string) frontend.Page {
	base := s.base(c)
	lang := s.lang(c)
	if asked := c.Query("lang"); asked == lang && c.Cookies("lang") != lang {
		c.Cookie(&fiber.Cookie{Name: "lang", Value: lang, Path: "/", MaxAge: 365 * 24 * 3600, SameSite: fiber.CookieSameSiteLaxMode, HTTPOnly: true})
	}
	light := c.Cookies("light") == "1" || c.Get("Save-Data") == "on"
	if asked := c.Query("light"); asked == "1" || asked == "0" { // a visitor's own choice stands above Save-Data
		light = asked == "1"
		c.Cookie(&fiber.Cookie{Name: "light", Value: asked, Path: "/", MaxAge: 365 * 24 * 3600, SameSite: fiber.CookieSameSiteLaxMode, HTTPOnly: true})
	} else if c.Cookies("light") == "0" {
		light = false
	}
	path := c.Path()
	if q := c.Request().URI().QueryString(); len(q) > 0 {
		path += "?" + string(q)
	}
	p := frontend.Page{
		Lang: lang, Path: path, Title: title, Canonical: base + c.Path(), ImageURL: base + "/map.png", Now: s.presenter(lang).now,
		Site: s.pageSite(base), Light: light,
	}
	if s.Accounts != nil {
		p.Visitor = s.Accounts.Visitor(c)
		if p.Visitor.SignedIn {
			p.CSRF = s.Accounts.CSRF(c) // others get one where there is a form
		}
	}
	return p
}

// home is the list beside the map.
func (s *Server) home(c *fiber.Ctx) error {
	r, err := s.parse(c)
	if err != nil {
		return err
	}
	p := s.page(c, "")
	show := s.presenter(p.Lang)
	v := frontend.HomeView{
		Query: r.query, Directory: s.Index.Len(), Labels: map[string]string{}, Sorts: []string{"name", "updated", "start"}, Command: command(), DataDir: s.DataDir,
	}
	if err := s.understand(c.UserContext(), &r, p.Lang); err != nil {
		return err
	}
	if r.filter.Near != nil {
		v.Sorts = append([]string{"distance"}, v.Sorts...)
	}
	if r.query.Q != "" && !r.away && s.Search != nil {
		v.Sorts = append([]string{"relevance"}, v.Sorts...)
	}
	exact := r
	exact.spelling = "" // told with a link
	v.Notices = append(v.Notices, s.wordNotices(c, &exact, p.Lang)...)
	if z, ok := s.zoneOf(&r, p.Lang); ok {
		v.Labels[string(z.Code)] = z.Label
	}
	found, err := s.find(c, &r)
	if err != nil {
		return err
	}
	v.Cards = show.cards(found.entries, found.distance)
	s.mark(v.Cards, found.entries, &r, show)
	v.Total, v.Next = found.matched, found.next
	v.Found = s.offerPlaces(c, &r, found.matched, p.Lang)
	v.Found.Corrected = correctedWords(&r)
	facets, err := s.Index.Facets(r.filter, s.parentOf)
	if err != nil {
		return err
	}
	v.Categories = s.categoryChips(&r, facets, show)
	if v.OpenNow, err = s.openNow(&r); err != nil {
		return err
	}
	if v.OnlyHere, err = s.onlyHere(&r, v.Total); err != nil {
		return err
	}
	for _, kind := range directory.Kinds {
		v.Kinds = append(v.Kinds, frontend.Chip{
			Category: frontend.Category{ID: string(kind)}, Count: open(facets.Kinds, string(kind)), Selected: contains(r.query.Kinds, string(kind)),
		})
	}
	for _, id := range r.query.Categories {
		v.Labels[id] = s.Taxonomy.Label(id, p.Lang)
	}
	if v.Total == 0 {
		if err := s.helpEmpty(c, &r, &v, show); err != nil {
			return err
		}
	}
	v.Map = s.listMapView(&r, show)
	if c.Query("fragment") == "1" {
		p.NoIndex = true
		c.Set("X-Robots-Tag", "noindex")
		return s.render(c, frontend.HomeFragment(p, v))
	}
	if r.query.Filtered() || r.query.After != "" {
		p.NoIndex = true // lists of lists are no use to search engines
	}
	if r.query.Filtered() {
		p.ImageURL = r.query.Filters().URL(s.base(c) + "/map.png")
	}
	return s.render(c, frontend.Home(p, v))
}

// wordNotices tell how words were understood, where that is not what was typed.
func (s *Server) wordNotices(c *fiber.Ctx, r *request, lang string) (notices []string) {
	words := frontend.T(lang)
	if r.away {
		notices = append(notices, words.Text("notice.search_away"))
	}
	if lag := s.searchLag(c); r.query.Q != "" && !r.away && lag >= manyChanges {
		notices = append(notices, words.Text("notice.search_behind", "Count", words.Number(lag)))
	}
	if len(r.dropped) > 0 {
		notices = append(notices, words.Text("notice.dropped", "Words", strings.Join(r.dropped, ", ")))
	}
	if r.spelling != "" {
		notices = append(notices, words.Text("notice.spelling", "Words", r.spelling))
	}
	return notices
}

// manyChanges is how far the search index may be behind without a word about it: a second or two of work.
const manyChanges = 1000

// searchLag is how many changes the search index has yet to read.
func (s *Server) searchLag(c *fiber.Ctx) int {
	if s.Search == nil {
		return 0
	}
	return int(s.Directory.Head() - s.Search.Status(c.UserContext()).At)
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// command is how this program was called, for the instructions of the first page.
func command() string {
	if strings.Contains(os.Args[0], string(filepath.Separator)+"go-build") && filepath.Ext(os.Args[0]) != ".test" {
		return "go run ." // from the sources: there is no program yet to call by its name
	}
	name := filepath.Base(os.Args[0])
	if name == "main" || name == "archipel" || filepath.Ext(name) == ".test" {
		return "archipel"
	}
	return name
}

// parentOf is the category above one, or empty.
func (s *Server) parentOf(id string) string {
	c, _ := s.Taxonomy.Category(id)
	if c.ID != id {
		return c.ID // a former id counts with what it means today
	}
	return c.Parent
}

// open is how many would match if a value were chosen as well.
func open(facets []geo.Facet, value string) int {
	for _, f := range facets {
		if f.Value == value {
			return f.Open
		}
	}
	return 0
}

// categoryChips counts every category with all that is below it.
func (s *Server) categoryChips(r *request, facets geo.Facets, show presenter) []frontend.Chip {
	chip := func(id string) frontend.Chip {
		ch := frontend.Chip{Category: show.category(id), Count: open(facets.Categories, id), Selected: contains(r.query.Categories, id)}
		if short := s.Taxonomy.ShortLabel(id, show.lang); short != "" {
			ch.Label = short
		}
		return ch
	}
	var chips []frontend.Chip
	for _, root := range s.Taxonomy.Roots() {
		ch := chip(root)
		for _, child := range s.Taxonomy.Children(root) {
			if sub := chip(child); sub.Count > 0 || sub.Selected {
				ch.Children = append(ch.Children, sub)
			}
		}
		if ch.Count > 0 || ch.Selected {
			chips = append(chips, ch)
		}
	}
	return chips
}

// listMapView is what the map beside a list starts from.
func (s *Server) listMapView(r *request, show presenter) frontend.MapView {
	v := s.mapView(show)
	v.Bounds = s.area(r, show.lang)
	return v
}

// mapView is what every map of a page needs.
func (s *Server) mapView(show presenter) frontend.MapView {
	info := s.Basemap.Info()
	v := frontend.MapView{Categories: show.categories(), MaxZoom: maxEntryZoom, BaseMinZoom: info.MinZoom, BaseMaxZoom: info.MaxZoom, DarkImage: true}
	v.Islands = s.islandNames()
	if !info.Vector() {
		v.BaseTiles = "/tiles/base/{z}/{x}/{y}.png"
	}
	for _, credit := range info.Attribution {
		v.Credits = append(v.Credits, frontend.Credit{Name: credit})
	}
	return v
}

// area is what a map of the list shows: the box asked for, the zone, else what matches, else the operator's territory.
func (s *Server) area(r *request, lang string) Bounds {
	if r.query.BBox != nil {
		return *r.query.BBox
	}
	if z, ok := s.zoneOf(r, lang); ok && !z.Box.IsZero() {
		return Bounds{West: z.Box[0], South: z.Box[1], East: z.Box[2], North: z.Box[3]}
	}
	now := s.Index.Snapshot()
	if b, ok, err := now.Core(r.filter); err == nil && ok {
		return s.padded(b)
	}
	if b := s.Site().Bounds; b != nil {
		return *b
	}
	if b, ok, err := now.Core(geo.Filter{}); err == nil && ok {
		return s.padded(b)
	}
	return Bounds{West: -5.5, South: 41, East: 10, North: 51.5}
}

// padded leaves room for the markers at the edge, and keeps a single point from filling the map.
func (s *Server) padded(b orb.Bound) Bounds {
	least := 0.02 // degrees: some streets
	if s.Basemap.Info().MaxZoom < 13 {
		least = 0.16 // a basemap without streets: the towns around tell where one is
	}
	w, h := b.Max[0]-b.Min[0], b.Max[1]-b.Min[1]
	dx, dy := max(w*0.06, (least-w)/2), max(h*0.06, (least-h)/2)
	return Bounds{West: max(-180, b.Min[0]-dx), South: max(-85, b.Min[1]-dy), East: min(180, b.Max[0]+dx), North: min(85, b.Max[1]+dy)}
}

// bySlug finds an entry that the visitor may see by its address; a former address leads to the present one.
func (s *Server) bySlug(c *fiber.Ctx, suffix string) (e directory.Entry, redirected bool, err error) {
	slug := c.Params("slug")
	id, ok := s.Directory.BySlug(slug)
	if !ok {
		return e, false, directory.ErrNotFound
	}
	e, err = s.Directory.Entry(c.UserContext(), id)
	if err != nil {
		return e, false, err
	}
	if e.Status == directory.Removed {
		if into, moved, err := s.moved(c, &e, func(into *directory.Entry) string { return "/e/" + url.PathEscape(into.Slug) + suffix }); moved || err != nil {
			return into, true, err
		}
		if was, err := s.everPublic(c.UserContext(), e.ID); err != nil {
			return e, false, err
		} else if !was && !s.mayRead(c, &e) {
			return e, false, directory.ErrNotFound // of what was never shown nobody learns that it was here
		}
		return e, false, goneError{}
	}
	if !e.Public() {
		if !s.mayRead(c, &e) {
			if home := e.Home(); home != "" {
				return e, true, leadHome(c, home)
			}
			return e, false, directory.ErrNotFound
		}
		c.Set("X-Robots-Tag", "noindex")
	}
	if e.Slug != slug {
		return e, true, c.Redirect("/e/"+url.PathEscape(e.Slug)+suffix, http.StatusMovedPermanently)
	}
	return e, false, nil
}

func (s *Server) entryPage(c *fiber.Ctx) error {
	e, redirected, err := s.bySlug(c, "")
	if err != nil || redirected {
		return err
	}
	p := s.page(c, e.Name)
	show := s.presenter(p.Lang)
	v, err := show.entry(c.UserContext(), &e)
	if err != nil {
		return err
	}
	p.Title, p.Description = v.Name, v.Summary
	p.ImageURL = p.Site.PublicURL + "/e/" + url.PathEscape(e.Slug) + "/map.png"
	v.Map = s.mapView(show)
	v.Map.ImageURL = "/e/" + url.PathEscape(e.Slug) + "/map.png"
	if len(e.Sites) > 0 {
		v.Map.Bounds = s.padded(orb.MultiPoint(e.Sites).Bound())
	} else {
		v.Map.ImageURL = "/map.png" // it has no place of its own: the region
	}
	v.Back = back(c)
	if led, err := s.leadTwin(c, &e, &v); led || err != nil {
		return err
	}
	s.postingLinks(c, &e, &v)
	if s.isle(c, &e, &v); v.Origin != nil {
		p.Canonical = v.Origin.URL
	}
	s.fediverseLinks(c, &e, &v)
	if c.Query("fragment") == "1" {
		return s.render(c, frontend.EntryFragment(p, v))
	}
	return s.render(c, frontend.Entry(p, v))
}

// back is the list that the visitor came from, when it is one of ours.
func back(c *fiber.Ctx) string {
	u, err := url.Parse(c.Get(fiber.HeaderReferer))
	if err != nil || u.Host != string(c.Request().Host()) || u.Path != "/" {
		return ""
	}
	if u.RawQuery == "" {
		return "/"
	}
	return "/?" + u.RawQuery
}

// byID leads from an entry's immutable id to its page.
func (s *Server) byID(c *fiber.Ctx) error {
	if e, err := s.Directory.Entry(c.UserContext(), directory.ID(c.Params("id"))); err == nil {
		if home := e.Home(); home != "" {
			return leadHome(c, home)
		}
		if _, moved, err := s.moved(c, &e, func(into *directory.Entry) string { return frontend.EntryURL(into.Slug) }); moved || err != nil {
			return err
		}
	}
	e, err := s.public(c, directory.ID(c.Params("id")))
	if err != nil {
		return err
	}
	return c.Redirect("/e/"+url.PathEscape(e.Slug), http.StatusSeeOther)
}

// historyPage shows what happened to an entry: what was public, in public fields.
func (s *Server) historyPage(c *fiber.Ctx) error {
	e, redirected, err := s.bySlug(c, "/history")
	if err != nil || redirected {
		return err
	}
	const perPage = 20
	before := directory.Seq(0)
	if raw := c.Query("before"); raw != "" {
		n, err := strconv.ParseInt(raw, 10, 64)
		if err != nil || n < 1 {
			return invalidParam("before", directory.CodeInvalid, raw)
		}
		before = directory.Seq(n)
	}
	changes, err := s.Directory.History(c.UserContext(), e.ID, before, perPage+1)
	if err != nil {
		return err
	}
	p := s.page(c, e.Name)
	p.NoIndex = true
	show, l := s.presenter(p.Lang), frontend.T(p.Lang)
	v := frontend.HistoryView{Slug: e.Slug, Name: e.Name}
	if s.Waiting != nil && account.May(account.From(c), account.HistoryPrivate, &e) == nil {
		v.AllURL = frontend.VersionsURL(e.Slug)
	}
	for i := range changes[:min(len(changes), perPage)] {
		ch := &changes[i]
		line := frontend.Change{Seq: int64(ch.Seq), At: ch.Time.In(show.zone), Author: s.authorName(l, ch.Author), Operation: string(ch.Op), Note: ch.Note, Redacted: ch.Redacted}
		var prior *directory.Entry
		if i+1 < len(changes) {
			prior = &changes[i+1].Entry
		}
		// What was written before it was published, or while hidden, stays out of the public history.
		if !ch.Redacted && ch.Entry.Public() && (prior == nil || prior.Public()) {
			if prior != nil {
				for _, f := range directory.Diff(prior, &ch.Entry) {
					line.Fields = append(line.Fields, frontend.FieldChange{Field: f.Field, Old: f.Before, New: f.After})
				}
			}
		} else if !ch.Entry.Public() {
			line.Note = ""
		}
		line.Fields = show.readable(line.Fields)
		v.Changes = append(v.Changes, line)
	}
	if len(changes) > perPage {
		v.Older = strconv.FormatInt(int64(changes[perPage-1].Seq), 10)
	}
	return s.render(c, frontend.History(p, v))
}

// authorName is what the public learns of an author: islands by name, what no person wrote by what it is, people not at all.
func (s *Server) authorName(l *frontend.Localizer, author string) string {
	switch host, island := strings.CutPrefix(author, "island:"); {
	case island:
		return s.island(host)
	case author == transfer.Author || author == subscribed.Author || author == "demo":
		return l.Code("history_author", author)
	}
	return ""
}

func (s *Server) aboutPage(c *fiber.Ctx) error {
	p := s.page(c, frontend.T(s.lang(c)).Text("about.title"))
	site := s.Site()
	v := frontend.AboutView{
		Operator: site.Operator, OperatorHTML: renderMarkdown(site.About), Contact: site.Contact, Address: site.Address,
		Entries: s.Index.Len(), Version: s.Version, APIURL: "/api/", Sources: s.credits(s.lang(c)), Kept: s.Accounts != nil && s.Waiting != nil, ReviewFirst: site.Review == ReviewBefore,
	}
	for _, credit := range s.Basemap.Info().Attribution {
		v.Basemap = append(v.Basemap, frontend.Credit{Name: credit})
	}
	if s.Locator != nil {
		v.Addresses = s.Locator.HasServer()
		for _, credit := range s.Locator.Credits() {
			v.Finding = append(v.Finding, frontend.Credit{Name: credit.Name, URL: credit.URL, Licence: credit.Licence, LicenceURL: credit.LicenceURL})
		}
	}
	v.Fediverse, v.Islands = s.Fediverse != nil, s.Islands.On()
	return s.render(c, frontend.About(p, v))
}
