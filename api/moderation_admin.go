package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// adminRoutes are the pages of those who run the instance.
func (s *Server) adminRoutes() {
	s.app.Get("/admin", account.Require(account.SiteEdit), s.adminPage)
	s.app.Post("/admin/site", account.Require(account.SiteEdit), s.changeSite)
	s.taxonomyRoutes()
	s.importRoutes()
}

// adminFields are the fields of the site that the page changes, in its order, as [Site.Change] names them.
var adminFields = []string{"name", "territory", "tagline", "operator", "contact", "address", "about", "languages", "timezone", "accent", "licence", "signup", "review", "askAfter", "fadeAfter", "checkLinks"}

// maxAdminField is the longest text of a field, in bytes.
const maxAdminField = 20_000

func (s *Server) adminPage(c *fiber.Ctx) error { return s.showAdmin(c, nil, nil, "") }

// showAdmin shows the texts of the site, or what was typed and is wrong, and how the directory fares.
func (s *Server) showAdmin(c *fiber.Ctx, typed, wrong map[string]string, said string) error {
	ctx := c.UserContext()
	value, rev, err := s.Directory.Store().Setting(ctx, SiteKey)
	if err != nil {
		return err
	}
	site, err := ParseSite(value)
	if err != nil {
		return err
	}
	p, l := s.moderationPage(c, "admin.title")
	v := frontend.AdminView{Revision: rev, Wrong: said, Fediverse: s.Operators != nil}
	if c.Query("done") == "1" && said == "" {
		v.Done = l.Text("admin.done")
	}
	stands := siteFields(&site)
	for _, name := range adminFields {
		f := frontend.AdminField{Name: name, Value: stands[name], Wrong: wrong[name], Long: name == "about" || name == "address"}
		if t, ok := typed[name]; ok {
			f.Value = t
		}
		if name == "signup" {
			for _, way := range account.SignUps {
				f.Choices = append(f.Choices, string(way))
			}
			f.Family = "signup_way"
		}
		if name == "checkLinks" {
			f.Choices, f.Family = []string{"true", "false"}, "check_links"
		}
		if name == "review" {
			for _, way := range ReviewTimes {
				f.Choices = append(f.Choices, string(way))
			}
			f.Family = "review_way"
		}
		v.Fields = append(v.Fields, f)
	}
	if v.Health, err = s.healthView(ctx, s.presenter(p.Lang)); err != nil {
		return err
	}
	return s.render(c, frontend.Admin(p, v))
}

// siteFields are the fields of a site as words, with the names of its JSON form.
func siteFields(site *Site) map[string]string {
	signup := site.SignUp
	if signup == "" {
		signup = account.SignUpOpen
	}
	review := site.Review
	if review == "" {
		review = ReviewAfter
	}
	return map[string]string{"name": site.Name, "territory": site.Territory, "tagline": site.Tagline, "operator": site.Operator, "contact": site.Contact,
		"address": site.Address, "about": site.About, "languages": strings.Join(site.Languages, ","), "timezone": site.Timezone, "accent": site.Accent,
		"licence": site.Licence, "signup": string(signup), "review": string(review),
		"askAfter": strconv.Itoa(site.AskAfter), "fadeAfter": strconv.Itoa(site.FadeAfter), "checkLinks": strconv.FormatBool(site.CheckLinks)}
}

// changeSite saves the texts of the site, with the checks of the command line. Whoever saves first wins; the other is told.
func (s *Server) changeSite(c *fiber.Ctx) error {
	ctx, l, store := c.UserContext(), frontend.T(s.lang(c)), s.Directory.Store()
	value, rev, err := store.Setting(ctx, SiteKey)
	if err != nil {
		return err
	}
	site, err := ParseSite(value)
	if err != nil {
		return err
	}
	stands, typed, wrong := siteFields(&site), map[string]string{}, map[string]string{}
	for _, name := range adminFields {
		if !c.Context().PostArgs().Has(name) {
			continue
		}
		text, problem := checkedText(c.FormValue(name), name, name == "name", maxAdminField)
		if name == "languages" {
			text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }), ",")
		}
		if problem == nil && name != "about" && name != "address" && strings.ContainsAny(text, "\n\t") {
			problem = &directory.Problem{Field: name, Code: directory.CodeControl}
		}
		typed[name] = text
		if problem == nil && text != stands[name] && site.Change([]string{name + "=" + text}) != nil {
			problem = &directory.Problem{Field: name, Code: directory.CodeInvalid, Params: map[string]any{"value": text}}
		}
		if problem != nil {
			_, wrong[name] = l.ProblemText(frontend.Problem{Field: problem.Field, Code: problem.Code, Params: problem.Params})
		}
	}
	if len(wrong) > 0 {
		c.Status(http.StatusBadRequest)
		return s.showAdmin(c, typed, wrong, l.Text("admin.wrong"))
	}
	conflict := func() error {
		c.Status(http.StatusConflict)
		return s.showAdmin(c, typed, nil, l.Text("admin.conflict"))
	}
	if c.FormValue("revision") != strconv.FormatInt(rev, 10) {
		return conflict()
	}
	b, err := json.Marshal(site)
	if err != nil {
		return err
	}
	err = store.PutSetting(ctx, SiteKey, b, rev)
	if errors.Is(err, directory.ErrStale) {
		return conflict()
	}
	if err != nil {
		return err
	}
	s.Log.Info("the site's settings changed", "author", account.From(c).Author(), "revision", rev+1)
	return c.Redirect("/admin?done=1", http.StatusSeeOther)
}

// healthView tells how the directory fares: what lags, what fails, what waits, what needs somebody to look.
func (s *Server) healthView(ctx context.Context, show presenter) (v frontend.HealthView, err error) {
	head := s.Directory.Head()
	for _, f := range s.Directory.Followers() {
		if f.Elsewhere {
			continue
		}
		line := frontend.HealthLine{Name: f.Name, Lag: int(max(0, head-f.At))}
		if f.Err != nil {
			line.Failing, line.Since = true, f.Since.In(show.zone)
		}
		v.Followers = append(v.Followers, line)
	}
	quick, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, part := range s.Parts {
		v.Parts = append(v.Parts, frontend.HealthLine{Name: part.Name(), Failing: part.Ping(quick) != nil})
	}
	count := func(kind string) (int, error) {
		list, err := s.Directory.Store().Records(ctx, kind, "", 1000)
		return len(list), err
	}
	if v.MailsWaiting, err = count("mail"); err != nil {
		return v, err
	}
	if v.MailsFailed, err = count("mail-failed"); err != nil {
		return v, err
	}
	if err := s.calendarHealth(ctx, show, &v); err != nil {
		return v, err
	}
	l := frontend.T(show.lang)
	for _, notes := range append([]HealthNotes{s.importHealth, s.linkHealth}, s.HealthNotes...) {
		list, err := notes(ctx, l)
		if err != nil {
			return v, err
		}
		v.Notes = append(v.Notes, list...)
	}
	v.Entries, v.Pending = s.Index.Len(), len(s.Waiting.Pending())
	v.Nowhere, v.Stale = s.Waiting.Health(show.fades)
	return v, nil
}
