package fediverse

import (
	"net/http"
	"slices"

	"archipel/directory"
	"archipel/federation"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

const (
	firstPeople  = 50
	firstReports = 50
)

// openServer leads to the page of the server that somebody typed.
func (s *Service) openServer(c *fiber.Ctx) error {
	typed := field(c, "domain", 300)
	domain, err := federation.Domain(typed)
	if err != nil {
		l := frontend.T(s.Page(c, "").Lang)
		c.Status(http.StatusUnprocessableEntity)
		return s.showOverview(c, frontend.ServersView{Typed: typed, TypedWrong: l.Code("blocks_why", "domain")})
	}
	return c.Redirect(frontend.ServerURL(domain), http.StatusSeeOther)
}

// host is the server of the address.
func host(c *fiber.Ctx) (string, error) {
	domain, err := federation.Domain(c.Params("host"))
	if err != nil || domain != c.Params("host") {
		return "", directory.ErrNotFound
	}
	return domain, nil
}

// serverDone are the words that the page says after something was done.
var serverDone = []string{"blocked", "unblocked", "allowed", "disallowed", "refused"}

func (s *Service) serverPage(c *fiber.Ctx) error {
	domain, err := host(c)
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	p, l := s.begins(c, "server.title", "Name", domain)
	page, err := s.Federation.Server(ctx, domain)
	if err != nil {
		return err
	}
	policy := s.Federation.Policy()
	own := policy.Rules[domain]
	v := frontend.ServerView{ServerRow: s.row(&page.Server), RuleOf: page.RuleOf, Allowed: page.Allowed, Allowlist: policy.Mode == federation.ModeAllowlist,
		Listed: slices.Contains(policy.Allowed, domain), Severity: string(own.Severity), RejectMedia: own.RejectMedia, RejectReports: own.RejectReports, Comment: own.Comment, Private: own.Private,
		Actors: page.Actors, ActorsMore: page.More, Replies: page.Replies, PeopleAll: len(page.Following),
		RefusedCount: page.Refused, LastRefusal: page.LastRefusal, RefusedAt: s.in(page.RefusedAt)}
	for _, severity := range []federation.Severity{federation.Suspend, federation.Silence, federation.Noop} {
		v.Severities = append(v.Severities, string(severity))
	}
	if page.RuleOf != "" && page.RuleOf != domain {
		v.RuleURL = frontend.ServerURL(page.RuleOf)
	}
	if _, why := s.Federation.Blockable(domain); why != "" {
		v.Unblockable = l.Code("blocks_why", why)
	}
	if v.People, err = s.people(ctx, l, page.Following[:min(len(page.Following), firstPeople)]); err != nil {
		return err
	}
	for _, i := range page.Inboxes {
		v.Inboxes = append(v.Inboxes, frontend.ServerInbox{Address: i.Inbox, Queue: i.Queue, Since: s.in(i.Since), Next: s.in(i.Next), Reason: i.Reason})
	}
	for _, r := range page.Received[:min(len(page.Received), firstReports)] {
		one := frontend.ServerReport{At: s.in(r.Received), Text: r.Content, Decision: r.Decision}
		for _, address := range r.Objects {
			name, url, err := s.whom(ctx, l, address)
			if err != nil {
				return err
			}
			if url != "" {
				one.About = append(one.About, frontend.ServerLink{Host: name, URL: url})
			}
		}
		v.Received = append(v.Received, one)
	}
	for _, r := range page.Passed[:min(len(page.Passed), firstReports)] {
		about := r.Objects
		if len(about) == 0 {
			about = []string{r.Actor}
		}
		v.Passed = append(v.Passed, frontend.ServerPassed{At: s.in(r.At), Sent: s.in(r.Sent), Next: s.in(r.Next), Text: r.Text, About: about, Ended: r.Ended, Why: r.Why})
	}
	if said := c.Query("done"); slices.Contains(serverDone, said) {
		v.Done = l.Text("server.done_"+said, "Name", domain)
	}
	return s.Render(c, frontend.ServerOne(p, v))
}

// changeServer blocks a server, or takes that back, or puts it on the list of those that are allowed.
func (s *Service) changeServer(c *fiber.Ctx) error {
	domain, err := host(c)
	if err != nil {
		return err
	}
	action := c.FormValue("action")
	switch action {
	case "allow", "disallow":
		if _, why := s.Federation.Blockable(domain); why != "" && action == "allow" {
			return unknown("action", action)
		}
		if asked, err := s.allow(c, domain, action == "allow"); asked || err != nil {
			return err
		}
		return back(c, frontend.ServerURL(domain), action+"ed")
	case "block", "unblock":
	default:
		return unknown("action", action)
	}
	rule := federation.Rule{Severity: federation.Severity(c.FormValue("severity")), RejectMedia: c.FormValue("reject_media") != "", RejectReports: c.FormValue("reject_reports") != "",
		Comment: field(c, "comment", 2000), Private: field(c, "private", 2000)}
	if action == "block" {
		if _, why := s.Federation.Blockable(domain); why != "" {
			return unknown("action", action)
		}
		if !slices.Contains([]federation.Severity{federation.Suspend, federation.Silence, federation.Noop}, rule.Severity) {
			return unknown("severity", string(rule.Severity))
		}
	}
	_, err = s.Federation.ChangePolicy(c.UserContext(), func(p *federation.Policy) error {
		if action == "unblock" {
			delete(p.Rules, domain)
			return nil
		}
		rule.Obfuscate = p.Rules[domain].Obfuscate
		p.Rules[domain] = rule
		return nil
	})
	if err != nil {
		return err
	}
	s.Log.Info("the rule about a server changed", "author", author(c), "domain", domain, "action", action, "severity", rule.Severity)
	return back(c, frontend.ServerURL(domain), action+"ed")
}
