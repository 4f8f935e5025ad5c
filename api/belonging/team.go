package belonging

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

func (s *Service) teamRoutes(app fiber.Router) {
	grant, leave := account.Require(account.EntryGrant), account.Require(account.EntryLeave)
	app.Get("/e/:slug/team", account.Require(account.EntryTeam), s.teamPage)
	app.Post("/e/:slug/team/invite", grant, s.invite)
	app.Post("/e/:slug/team/withdraw", grant, s.withdrawInvite)
	app.Post("/e/:slug/team/role", grant, s.changeRole)
	app.Post("/e/:slug/team/remove", grant, s.remove)
	app.Post("/e/:slug/team/claims", grant, s.answerClaim)
	app.Post("/e/:slug/team/handover", grant, s.handOver)
	app.Post("/e/:slug/team/giveback", grant, s.giveBack)
	app.Post("/e/:slug/team/leave", leave, s.leave)
	app.Get("/join", s.joinPage)
	app.Post("/join", account.Require(account.MailAnswer), s.join)
}

// kept finds the entry of the address for somebody who may do something with its team. To others it is as if there was none,
// unless it is public.
func (s *Service) kept(c *fiber.Ctx, action account.Action) (directory.Entry, error) {
	e, err := s.entry(c)
	if err != nil {
		return e, err
	}
	return e, account.Check(c, action, &e)
}

// said are the words that the page says after something was done, by the parameter "done".
var said = []string{"invited", "withdrawn", "role", "removed", "handed_over", "claim", "joined"}

func (s *Service) teamPage(c *fiber.Ctx) error {
	e, err := s.kept(c, account.EntryTeam)
	if err != nil {
		return err
	}
	return s.showTeam(c, &e, frontend.TeamView{})
}

// showTeam draws the page; v holds what was typed and what is wrong with it.
func (s *Service) showTeam(c *fiber.Ctx, e *directory.Entry, v frontend.TeamView) error {
	ctx, actor := c.UserContext(), account.From(c)
	p, l := s.begins(c)
	if c.Method() == fiber.MethodPost {
		p.Path = frontend.TeamURL(e.Slug)
	}
	p.Title = l.Text("team.title", "Name", e.Name)
	v.Slug, v.Name, v.Public, v.Claimed, v.Notice = e.Slug, e.Name, e.Public(), e.Claimed, s.notice(l)
	v.MayGrant = account.May(actor, account.EntryGrant, e) == nil
	if done := c.Query("done"); slices.Contains(said, done) && v.Wrong == nil {
		v.Done = l.Text("team.done_" + done)
	}
	if v.Public && e.Claimed.IsZero() && account.May(actor, account.EntryClaim, e) == nil && account.May(actor, account.EntryLeave, e) == nil {
		v.ClaimURL = frontend.ClaimURL(e.Slug)
	}
	var own directory.Private
	if e.Private != nil {
		own = *e.Private
	}
	switch {
	case slices.Contains(own.Owners, actor.ID):
		v.Member, v.LastOwner = roleOwner, len(own.Owners) == 1 && own.Team == ""
	case slices.Contains(own.Editors, actor.ID):
		v.Member = roleEditor
	}
	if err := s.members(ctx, &v, own.Owners, roleOwner, actor, false, own.Team != ""); err != nil {
		return err
	}
	if err := s.members(ctx, &v, own.Editors, roleEditor, actor, false, true); err != nil {
		return err
	}
	if own.Team != "" {
		org, err := s.Directory.Team(ctx, e)
		if err != nil {
			return err
		}
		if org.Private != nil {
			v.Org = &frontend.MailLink{URL: frontend.TeamURL(org.Slug), Text: org.Name}
			if err := s.members(ctx, &v, org.Private.Owners, roleOwner, actor, true, true); err != nil {
				return err
			}
			if err := s.members(ctx, &v, org.Private.Editors, roleEditor, actor, true, true); err != nil {
				return err
			}
		}
	}
	if s.Broken != nil {
		broken, err := s.Broken(ctx, e)
		if err != nil {
			return err
		}
		v.Broken = broken
	}
	invites, err := s.invites(ctx, e.ID)
	if err != nil {
		return err
	}
	for _, i := range invites {
		v.Invites = append(v.Invites, frontend.TeamInvite{ID: i.ID, Mail: i.Mail, Role: i.Role, Until: i.Created.Add(inviteLife)})
	}
	claims, err := s.openOf(ctx, e.ID)
	if err != nil {
		return err
	}
	for _, one := range claims {
		who, err := s.Accounts.Get(ctx, one.Account)
		if errors.Is(err, account.ErrNoAccount) {
			continue
		}
		if err != nil {
			return err
		}
		v.Claims = append(v.Claims, frontend.TeamClaim{ID: one.ID, Name: who.Name, Mail: who.Mail, Text: one.Text, At: one.Created, Proved: !one.Proved.IsZero()})
	}
	return s.Render(c, frontend.Team(p, v))
}

// members lists accounts as the team's page shows them. An account that is being erased is not there.
func (s *Service) members(ctx context.Context, v *frontend.TeamView, ids []string, role string, actor *account.Actor, through, free bool) error {
	for _, id := range ids {
		if slices.ContainsFunc(v.Members, func(m frontend.TeamMember) bool { return m.ID == id }) {
			continue
		}
		a, err := s.Accounts.Get(ctx, id)
		if errors.Is(err, account.ErrNoAccount) {
			continue
		}
		if err != nil {
			return err
		}
		v.Members = append(v.Members, frontend.TeamMember{ID: id, Name: a.Name, Mail: a.Mail, Role: role, Me: id == actor.ID, Last: role == roleOwner && len(ids) == 1 && !free, Through: through})
	}
	return nil
}

// errLast is the only owner who would be gone.
var errLast = errors.New("the entry would have no owner left")

// alter changes a team and leads back to its page. member is the account that the form names; it must be of the entry's own
// team, or nothing is done.
func (s *Service) alter(c *fiber.Ctx, note, done string, f func(p *directory.Private, member string) error) error {
	e, err := s.kept(c, account.EntryGrant)
	if err != nil {
		return err
	}
	member := c.FormValue("account")
	_, err = s.change(c.UserContext(), e.ID, account.From(c).Author(), s.note(note, ""), func(now *directory.Entry) error {
		// The entry as it stands at the moment of writing is what counts.
		if err := account.May(account.From(c), account.EntryGrant, now); err != nil {
			return err
		}
		if !slices.Contains(now.Private.Owners, member) && !slices.Contains(now.Private.Editors, member) {
			return directory.ErrNotFound
		}
		had := len(now.Private.Owners) > 0
		if err := f(now.Private, member); err != nil {
			return err
		}
		if had && len(now.Private.Owners) == 0 && now.Private.Team == "" {
			return errLast
		}
		return nil
	})
	if errors.Is(err, errLast) {
		_, l := s.begins(c)
		c.Status(http.StatusConflict)
		return s.showTeam(c, &e, frontend.TeamView{Wrong: map[string]string{"": l.Text("team.wrong_last")}})
	}
	if err != nil {
		return err
	}
	after, err := s.Directory.Entry(c.UserContext(), e.ID)
	if err != nil {
		return err
	}
	if account.May(account.From(c), account.EntryTeam, &after) != nil { // the actor is not of it any more
		if !after.Public() {
			return c.Redirect("/me/entries", http.StatusSeeOther)
		}
		return c.Redirect(frontend.EntryURL(e.Slug), http.StatusSeeOther)
	}
	return c.Redirect(frontend.TeamURL(e.Slug)+"?done="+done, http.StatusSeeOther)
}

// changeRole makes an owner an editor, or an editor an owner.
func (s *Service) changeRole(c *fiber.Ctx) error {
	role := c.FormValue("role")
	if role != roleOwner && role != roleEditor {
		return directory.Invalid{{Field: "role", Code: directory.CodeUnknown, Params: map[string]any{"value": role}}}
	}
	return s.alter(c, "note_role", "role", func(p *directory.Private, member string) error {
		setRole(p, member, role)
		return nil
	})
}

func setRole(p *directory.Private, member, role string) {
	from, to := &p.Owners, &p.Editors
	if role == roleOwner {
		from, to = to, from
	}
	*from = without(*from, member)
	if !slices.Contains(*to, member) {
		*to = append(*to, member)
	}
}

// remove takes somebody out of the team.
func (s *Service) remove(c *fiber.Ctx) error {
	return s.alter(c, "note_removed", "removed", func(p *directory.Private, member string) error {
		p.Owners, p.Editors = without(p.Owners, member), without(p.Editors, member)
		return nil
	})
}

// handOver makes another member the owner in one's own place; one stays as an editor, or goes.
func (s *Service) handOver(c *fiber.Ctx) error {
	actor, going := account.From(c), c.FormValue("leave") == "1"
	return s.alter(c, "note_handed_over", "handed_over", func(p *directory.Private, member string) error {
		if member == actor.ID || !slices.Contains(p.Owners, actor.ID) {
			return directory.Invalid{{Field: "account", Code: directory.CodeInvalid}}
		}
		setRole(p, member, roleOwner)
		setRole(p, actor.ID, roleEditor)
		if going {
			p.Editors = without(p.Editors, actor.ID)
		}
		return nil
	})
}

// leave takes oneself out of the team. The last owner hands over first, or gives the entry back.
func (s *Service) leave(c *fiber.Ctx) error {
	e, err := s.kept(c, account.EntryLeave)
	if err != nil {
		return err
	}
	actor := account.From(c)
	_, err = s.change(c.UserContext(), e.ID, actor.Author(), s.note("note_left", ""), func(now *directory.Entry) error {
		p := now.Private
		if !slices.Contains(p.Owners, actor.ID) && !slices.Contains(p.Editors, actor.ID) {
			return errUnchanged // through an organisation: one leaves there
		}
		if slices.Equal(p.Owners, []string{actor.ID}) && p.Team == "" {
			return errLast
		}
		p.Owners, p.Editors = without(p.Owners, actor.ID), without(p.Editors, actor.ID)
		return nil
	})
	if errors.Is(err, errLast) {
		_, l := s.begins(c)
		c.Status(http.StatusConflict)
		return s.showTeam(c, &e, frontend.TeamView{Wrong: map[string]string{"": l.Text("team.wrong_last")}})
	}
	if err != nil {
		return err
	}
	return c.Redirect("/me/entries", http.StatusSeeOther)
}

// giveBack ends the team: the entry is kept by nobody and can be claimed again.
func (s *Service) giveBack(c *fiber.Ctx) error {
	e, err := s.kept(c, account.EntryGrant)
	if err != nil {
		return err
	}
	actor := account.From(c)
	if !e.Public() {
		return directory.ErrNotFound // nobody would find it again
	}
	if c.FormValue("sure") != "1" {
		_, l := s.begins(c)
		c.Status(http.StatusUnprocessableEntity)
		return s.showTeam(c, &e, frontend.TeamView{Wrong: map[string]string{"": l.Text("team.wrong_sure")}})
	}
	_, err = s.change(c.UserContext(), e.ID, actor.Author(), s.note("note_given_back", ""), func(now *directory.Entry) error {
		if err := account.May(actor, account.EntryGrant, now); err != nil {
			return err
		}
		if !now.Public() {
			return directory.ErrNotFound
		}
		now.Private.Owners, now.Private.Editors, now.Private.Team = nil, nil, ""
		now.Claimed = time.Time{}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.dropInvites(c.UserContext(), e.ID); err != nil {
		return err
	}
	return c.Redirect(frontend.EntryURL(e.Slug), http.StatusSeeOther)
}

// answerClaim is what the team says to somebody who asks to be of it.
func (s *Service) answerClaim(c *fiber.Ctx) error {
	ctx := c.UserContext()
	e, err := s.kept(c, account.EntryGrant)
	if err != nil {
		return err
	}
	open, err := s.openOf(ctx, e.ID)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(open, func(one Claim) bool { return one.ID == c.FormValue("claim") })
	if at < 0 {
		return directory.ErrNotFound
	}
	decision, role := decisionApproved, c.FormValue("decision")
	reason, problem := "", (*directory.Problem)(nil)
	if c.FormValue("reason") != "" || role == "refuse" {
		reason, problem = message(c.FormValue("reason"), "reason")
	}
	switch {
	case role == "refuse":
		decision, role = decisionRefused, ""
	case role != roleOwner && role != roleEditor:
		return directory.Invalid{{Field: "decision", Code: directory.CodeUnknown, Params: map[string]any{"value": role}}}
	}
	if problem != nil {
		_, l := s.begins(c)
		_, text := l.ProblemText(frontend.Problem{Field: problem.Field, Code: problem.Code, Params: problem.Params})
		c.Status(http.StatusUnprocessableEntity)
		return s.showTeam(c, &e, frontend.TeamView{Wrong: map[string]string{"": l.Text("team.claim_reason") + " " + text}})
	}
	err = s.decide(ctx, &open[at], decision, role, account.From(c).Author(), reason)
	if errors.Is(err, directory.ErrStale) {
		return directory.ErrNotFound // somebody answered at the same moment
	}
	if err != nil {
		return err
	}
	return c.Redirect(frontend.TeamURL(e.Slug)+"?"+url.Values{"done": {"claim"}}.Encode(), http.StatusSeeOther)
}
