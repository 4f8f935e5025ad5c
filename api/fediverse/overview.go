package fediverse

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"archipel/directory"
	"archipel/federation"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

const (
	serversPage  = 25 // of the list of servers
	firstWaiting = 50 // followers who wait that the page shows
	firstFailing = 20
)

// done are the words that the page says after something was done.
var done = []string{"policy", "allowed", "disallowed", "accepted", "refused", "keys", "taken", "discarded"}

func (s *Service) overviewPage(c *fiber.Ctx) error {
	return s.showOverview(c, frontend.ServersView{})
}

// showOverview draws the page; v holds what was typed and what is wrong with it.
func (s *Service) showOverview(c *fiber.Ctx, v frontend.ServersView) error {
	ctx := c.UserContext()
	p, l := s.begins(c, "servers.title")
	servers, load, err := s.Federation.Servers(ctx)
	if err != nil {
		return err
	}
	policy := s.Federation.Policy()
	v.Mode, v.Blocks = string(policy.Mode), len(policy.Rules)
	for _, m := range []federation.Mode{federation.ModeOpen, federation.ModeQuarantine, federation.ModeAllowlist} {
		v.Modes = append(v.Modes, string(m))
	}
	if v.SignedFetch, err = s.SignedFetch(ctx); err != nil {
		return err
	}
	for _, d := range slices.Sorted(slices.Values(policy.Allowed)) {
		v.Allowed = append(v.Allowed, frontend.ServerLink{Host: d, URL: frontend.ServerURL(d)})
	}
	v.Queue, v.Inboxes, v.Incoming, v.Passing = load.Queue, load.Inboxes, load.Incoming, load.Passing
	v.IncomingTop = load.Incoming >= 100
	if err := s.listServers(c, &v, servers); err != nil {
		return err
	}
	for i := range servers {
		if servers[i].State != federation.StateFailing {
			continue
		}
		if v.FailingAll++; len(v.Failing) < firstFailing {
			v.Failing = append(v.Failing, s.row(&servers[i]))
		}
	}
	followers, err := federation.Followers(ctx, s.Directory.Store())
	if err != nil {
		return err
	}
	followers = slices.DeleteFunc(followers, func(f federation.Follower) bool { return !f.Waiting })
	slices.SortFunc(followers, func(a, b federation.Follower) int { return a.Since.Compare(b.Since) })
	v.WaitingAll = len(followers)
	if v.Waiting, err = s.people(ctx, l, followers[:min(len(followers), firstWaiting)]); err != nil {
		return err
	}
	if v.Keys, err = s.keyHolders(ctx, l); err != nil {
		return err
	}
	if v.BlocksMore, err = s.uploads(ctx); err != nil {
		return err
	}
	if said := c.Query("done"); slices.Contains(done, said) && v.Wrong == "" && c.Method() == fiber.MethodGet {
		v.Done = l.Text("servers.done_"+said, "Name", strings.ToValidUTF8(c.Query("name"), ""))
	}
	return s.Render(c, frontend.Servers(p, v))
}

// listServers puts the servers that the address asks for on the page.
func (s *Service) listServers(c *fiber.Ctx, v *frontend.ServersView, servers []federation.Server) error {
	v.Query, v.State = strings.TrimSpace(strings.ToValidUTF8(c.Query("q"), "")), c.Query("state", "all")
	states := append([]string{"all"}, federation.ServerStates...)
	if !slices.Contains(states, v.State) {
		return unknown("state", v.State)
	}
	from, err := strconv.Atoi(c.Query("from", "0"))
	if err != nil || from < 0 {
		return directory.Invalid{{Field: "from", Code: directory.CodeInvalid, Params: map[string]any{"value": c.Query("from")}}}
	}
	counts := map[string]int{}
	query := strings.ToLower(v.Query)
	if d, err := federation.Domain(query); err == nil {
		query = d // names in other scripts are kept in ASCII
	}
	var found []federation.Server
	for i := range servers {
		if !strings.Contains(servers[i].Host.Host, query) {
			continue
		}
		counts["all"]++
		counts[servers[i].State]++
		if v.State == "all" || v.State == servers[i].State {
			found = append(found, servers[i])
		}
	}
	address := func(state string, from int) string {
		q := url.Values{}
		if v.Query != "" {
			q.Set("q", v.Query)
		}
		if state != "all" {
			q.Set("state", state)
		}
		if from > 0 {
			q.Set("from", strconv.Itoa(from))
		}
		if len(q) == 0 {
			return frontend.ServersURL + "#servers"
		}
		return frontend.ServersURL + "?" + q.Encode() + "#servers"
	}
	for _, state := range states {
		v.Tabs = append(v.Tabs, frontend.QueueTab{Show: state, URL: address(state, 0), Count: counts[state], On: state == v.State})
	}
	from = min(from, len(found))
	to := min(from+serversPage, len(found))
	for i := range found[from:to] {
		v.Rows = append(v.Rows, s.row(&found[from+i]))
	}
	if from > 0 {
		v.Prev = address(v.State, max(0, from-serversPage))
	}
	if to < len(found) {
		v.Next = address(v.State, to)
	}
	return nil
}

func (s *Service) row(one *federation.Server) frontend.ServerRow {
	return frontend.ServerRow{Host: one.Host.Host, URL: frontend.ServerURL(one.Host.Host), State: one.State, Followers: one.Followers, Waiting: one.Waiting,
		Queue: one.Queue, Reports: one.Reports, RefusedBy: one.Refused, Contact: s.in(one.Contact), Failing: s.in(one.Failing), Next: s.in(one.Next), Error: one.LastError}
}

// people are followers as the page shows them, with what they say of themselves.
func (s *Service) people(ctx context.Context, l *frontend.Localizer, followers []federation.Follower) ([]frontend.WaitingFollower, error) {
	var list []frontend.WaitingFollower
	for _, f := range followers {
		w := frontend.WaitingFollower{Actor: f.Actor, Since: s.in(f.Since), Follows: !f.Waiting}
		if d := federation.HostOf(f.Actor); d != "" {
			w.Host, w.HostURL = d, frontend.ServerURL(d)
		}
		about, err := s.Federation.ProfileOf(ctx, f.Actor)
		if err != nil {
			return nil, err
		}
		w.Name, w.Handle, w.About = about.Name, about.Handle, about.Summary
		if w.Of, w.OfURL, err = s.whom(ctx, l, f.Of); err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, nil
}

// policyPage asks before a mode shuts followers out.
func (s *Service) policyPage(c *fiber.Ctx) error {
	mode := federation.Mode(c.Query("mode"))
	loses, err := s.losesBy(c.UserContext(), mode)
	if err != nil {
		return err
	}
	p, _ := s.begins(c, "servers.policy_title")
	policy := s.Federation.Policy()
	return s.Render(c, frontend.PolicySure(p, frontend.PolicyView{Mode: string(mode), SignedFetch: c.Query("signed_fetch") != "", Loses: loses, None: len(policy.Allowed) == 0}))
}

// removePage asks before a server that is taken from the list of allowed ones takes its followers with it.
func (s *Service) removePage(c *fiber.Ctx) error {
	domain, _ := s.Federation.Blockable(c.Query("domain"))
	if domain == "" {
		return unknown("domain", c.Query("domain"))
	}
	loses, err := s.losesWithout(c.UserContext(), domain)
	if err != nil {
		return err
	}
	if loses == 0 { // nothing to ask about: whoever followed left meanwhile
		return c.Redirect(frontend.ServersURL+"#policy", http.StatusSeeOther)
	}
	p, _ := s.begins(c, "servers.remove_title")
	return s.Render(c, frontend.RemovalSure(p, domain, loses))
}

// losesWithout is how many followers are shut out when a server is not allowed any more.
func (s *Service) losesWithout(ctx context.Context, domain string) (int, error) {
	after := s.Federation.Policy()
	after.Allowed = without(after.Allowed, domain)
	return s.loses(ctx, &after)
}

func without(domains []string, domain string) []string {
	return slices.DeleteFunc(slices.Clone(domains), func(d string) bool { return d == domain })
}

// losesBy is how many followers another mode shuts out.
func (s *Service) losesBy(ctx context.Context, mode federation.Mode) (int, error) {
	if !slices.Contains([]federation.Mode{federation.ModeOpen, federation.ModeAllowlist, federation.ModeQuarantine}, mode) {
		return 0, unknown("mode", string(mode))
	}
	after := s.Federation.Policy()
	after.Mode = mode
	return s.loses(ctx, &after)
}

// loses is how many followers another policy shuts out. They cannot be had back.
func (s *Service) loses(ctx context.Context, after *federation.Policy) (n int, err error) {
	before := s.Federation.Policy()
	servers, _, err := s.Federation.Servers(ctx)
	for i := range servers {
		if host := servers[i].Host.Host; !before.Blocked(host) && after.Blocked(host) {
			n += servers[i].Followers
		}
	}
	return n, err
}

// changePolicy says who may take part, and to whom posts are shown.
func (s *Service) changePolicy(c *fiber.Ctx) error {
	ctx := c.UserContext()
	mode, signed := federation.Mode(c.FormValue("mode")), c.FormValue("signed_fetch") != ""
	loses, err := s.losesBy(ctx, mode)
	if err != nil {
		return err
	}
	if loses > 0 && c.FormValue("sure") != "1" {
		q := url.Values{"mode": {string(mode)}}
		if signed {
			q.Set("signed_fetch", "1")
		}
		return c.Redirect(frontend.ServersURL+"/policy?"+q.Encode(), http.StatusSeeOther)
	}
	if _, err := s.Federation.ChangePolicy(ctx, func(p *federation.Policy) error { p.Mode = mode; return nil }); err != nil {
		return err
	}
	if err := s.SetSignedFetch(ctx, signed); err != nil {
		return err
	}
	s.Log.Info("the policy of the fediverse changed", "author", author(c), "mode", mode, "signed fetch", signed)
	return back(c, frontend.ServersURL, "policy")
}

// changeAllowed changes the list of allowed servers.
func (s *Service) changeAllowed(c *fiber.Ctx) error {
	typed, action := field(c, "domain", 300), c.FormValue("action")
	if action != "add" && action != "remove" {
		return unknown("action", action)
	}
	domain, why := s.Federation.Blockable(typed)
	if why != "" && (action == "add" || domain == "") {
		l := frontend.T(s.Page(c, "").Lang)
		c.Status(http.StatusUnprocessableEntity)
		return s.showOverview(c, frontend.ServersView{AllowTyped: typed, AllowSaid: l.Code("blocks_why", why)})
	}
	if asked, err := s.allow(c, domain, action == "add"); asked || err != nil {
		return err
	}
	return back(c, frontend.ServersURL, map[string]string{"add": "allowed", "remove": "disallowed"}[action], "name", domain)
}

// allow puts a server on the list of allowed ones or takes it away. When that would shut out followers, they are asked about
// first: then the answer is written.
func (s *Service) allow(c *fiber.Ctx, domain string, yes bool) (asked bool, err error) {
	if !yes && c.FormValue("sure") != "1" {
		if loses, err := s.losesWithout(c.UserContext(), domain); err != nil {
			return false, err
		} else if loses > 0 {
			return true, c.Redirect(frontend.ServersURL+"/allowed?"+url.Values{"domain": {domain}}.Encode(), http.StatusSeeOther)
		}
	}
	_, err = s.Federation.ChangePolicy(c.UserContext(), func(p *federation.Policy) error {
		p.Allowed = without(p.Allowed, domain)
		if yes {
			p.Allowed = append(p.Allowed, domain)
		}
		return nil
	})
	if err == nil {
		s.Log.Info("the list of allowed servers changed", "author", author(c), "domain", domain, "allowed", yes)
	}
	return false, err
}

// decideFollower says yes or no to somebody who waits, or no to somebody who follows.
func (s *Service) decideFollower(c *fiber.Ctx) error {
	decision, actor := c.FormValue("decision"), c.FormValue("actor")
	if decision != "accept" && decision != "refuse" {
		return unknown("decision", decision)
	}
	err := s.Federation.Decide(c.UserContext(), actor, decision == "accept")
	page := frontend.ServersURL
	if host, err := federation.Domain(c.FormValue("back")); err == nil {
		page = frontend.ServerURL(host)
	}
	var invalid directory.Invalid
	if errors.As(err, &invalid) || errors.Is(err, directory.ErrStale) {
		l := frontend.T(s.Page(c, "").Lang)
		c.Status(http.StatusConflict)
		return s.showOverview(c, frontend.ServersView{Wrong: l.Text("servers.decided")})
	}
	if err != nil {
		return err
	}
	s.Log.Info("a follower was decided about", "author", author(c), "actor", actor, "decision", decision)
	return back(c, page, map[string]string{"accept": "accepted", "refuse": "refused"}[decision])
}

// keyHolders are the actors of this instance whose keys can be replaced.
func (s *Service) keyHolders(ctx context.Context, l *frontend.Localizer) ([]frontend.KeyHolder, error) {
	handles, err := federation.Handles(ctx, s.Directory.Store())
	if err != nil {
		return nil, err
	}
	list := []frontend.KeyHolder{{Value: "relay", Label: l.Text("servers.keys_relay")}}
	var own []frontend.KeyHolder
	for handle := range handles {
		own = append(own, frontend.KeyHolder{Value: handle, Label: "@" + handle + "@" + s.Federation.Host()})
	}
	slices.SortFunc(own, func(a, b frontend.KeyHolder) int { return strings.Compare(a.Value, b.Value) })
	if list = append(list, own...); len(own) > 0 {
		list = append(list, frontend.KeyHolder{Value: "all", Label: l.Text("servers.keys_all")})
	}
	return list, nil
}

func (s *Service) keyHolder(c *fiber.Ctx, whose string) (frontend.KeyHolder, error) {
	list, err := s.keyHolders(c.UserContext(), frontend.T(s.Page(c, "").Lang))
	if err != nil {
		return frontend.KeyHolder{}, err
	}
	for _, k := range list {
		if k.Value == whose {
			return k, nil
		}
	}
	return frontend.KeyHolder{}, unknown("whose", whose)
}

// keysPage asks before keys are replaced.
func (s *Service) keysPage(c *fiber.Ctx) error {
	k, err := s.keyHolder(c, c.Query("whose", "relay"))
	if err != nil {
		return err
	}
	p, _ := s.begins(c, "servers.keys_title")
	return s.Render(c, frontend.Keys(p, frontend.KeysView{Whose: k.Value, Label: k.Label}))
}

func (s *Service) rotateKeys(c *fiber.Ctx) error {
	k, err := s.keyHolder(c, c.FormValue("whose"))
	if err != nil {
		return err
	}
	if c.FormValue("sure") != "1" {
		return c.Redirect(frontend.ServersURL+"/keys?"+url.Values{"whose": {k.Value}}.Encode(), http.StatusSeeOther)
	}
	names, err := s.Federation.RotateKeys(c.UserContext(), k.Value)
	if len(names) > 0 {
		s.Log.Info("keys were replaced", "author", author(c), "of", names)
	}
	if err != nil {
		return err
	}
	return back(c, frontend.ServersURL, "keys", "name", k.Label)
}
