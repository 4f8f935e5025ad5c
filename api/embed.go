package api

import (
	"errors"
	"net/url"
	"slices"
	"strconv"

	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// embedPolicy is the only one that lets a page stand in a frame of any site. There is nothing on it that a click could
// be stolen for: it has no form, and nobody is signed in on it.
const embedPolicy = "default-src 'self'; frame-ancestors *; base-uri 'self'; form-action 'none'"

// embed is a list, a map or an agenda for a frame of another site. It sets no cookie.
func (s *Server) embed(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentSecurityPolicy, embedPolicy)
	err := s.embedPage(c)
	if err != nil {
		err = s.fail(c, err) // in the frame as well
	}
	c.Response().Header.DelAllCookies()
	return err
}

// maxEmbedded is how many entries a frame lists at once.
const maxEmbedded = 100

func (s *Server) embedPage(c *fiber.Ctx) error {
	v, err := values(c)
	if err != nil {
		return err
	}
	view, theme, problems := embedChoices(v)
	v.Del("view")
	var r request
	var a period
	if view == "agenda" {
		r, a, err = s.parseAgenda(v)
	} else {
		r, err = s.parseValues(v)
	}
	if err = withProblems(err, problems); err != nil {
		return err
	}
	r.limit = min(r.limit, maxEmbedded)
	p := s.page(c, "")
	show := s.presenter(p.Lang)
	out := frontend.EmbedView{Query: r.query.Filters(), View: view, Theme: theme, Sources: s.credits(p.Lang)}
	out.Sources = out.Sources[:min(len(out.Sources), maxCredits)]
	if view == "agenda" {
		agenda, err := s.agendaView(c, &r, a, p.Lang)
		if err != nil {
			return err
		}
		out.Agenda = &agenda
		return s.render(c, frontend.Embed(p, out))
	}
	if err := s.understand(c.UserContext(), &r, p.Lang); err != nil {
		return err
	}
	found, err := s.find(c, &r)
	if err != nil {
		return err
	}
	out.Cards, out.Total, out.Next = show.cards(found.entries, found.distance), found.matched, found.next
	out.Map = s.listMapView(&r, show)
	return s.render(c, frontend.Embed(p, out))
}

// embedChoices reads how a list is to be shown.
func embedChoices(v url.Values) (view, theme string, problems directory.Invalid) {
	choose := func(field string, among []string) string {
		s := v.Get(field)
		if s == "" {
			return among[0]
		}
		if !slices.Contains(among, s) {
			problems = append(problems, invalidParam(field, directory.CodeUnknown, s)...)
		}
		return s
	}
	return choose("view", frontend.EmbedViews), choose("theme", frontend.EmbedThemes), problems
}

// withProblems adds to what is wrong with a request.
func withProblems(err error, more directory.Invalid) error {
	var invalid directory.Invalid
	if err != nil && !errors.As(err, &invalid) {
		return err
	}
	if invalid = append(invalid, more...); len(invalid) > 0 {
		return invalid
	}
	return nil
}

// embedNew shows the lines to copy for a list.
func (s *Server) embedNew(c *fiber.Ctx) error {
	v, err := values(c)
	if err != nil {
		return err
	}
	view, theme, problems := embedChoices(v)
	size := func(field string, usual, most int) int {
		raw := v.Get(field)
		if raw == "" {
			return usual
		}
		n, err := strconv.Atoi(raw)
		if err != nil || n < 200 || n > most {
			problems = append(problems, directory.Problem{Field: field, Code: directory.CodeOutOfRange, Params: map[string]any{"value": raw, "min": 200, "max": most}})
		}
		return n
	}
	width, height := size("width", 0, 2000), size("height", 600, 3000)
	lang := v.Get("frame_lang")
	if lang != "" && !slices.Contains(s.Site().Languages, lang) {
		problems = append(problems, invalidParam("frame_lang", directory.CodeUnknown, lang)...)
	}
	v.Del("view")
	r, err := s.parseValues(v)
	if err = withProblems(err, problems); err != nil {
		return err
	}
	p := s.page(c, frontend.T(s.lang(c)).Text("embed.title"))
	p.NoIndex = true
	out := frontend.EmbedNewView{Query: r.query.Filters(), View: view, Theme: theme, Lang: lang, Width: width, Height: height, Labels: map[string]string{}}
	if z, ok := s.zoneOf(&r, p.Lang); ok {
		out.Labels[string(z.Code)] = z.Label
	}
	for _, id := range r.query.Categories {
		out.Labels[id] = s.Taxonomy.Label(id, p.Lang)
	}
	return s.render(c, frontend.EmbedNew(p, out))
}
