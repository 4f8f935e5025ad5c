package belonging

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
)

// kindInvite is the kind of the records of invitations, by entry and invitation.
const kindInvite = "team-invite"

const (
	inviteLife = 14 * 24 * time.Hour
	maxInvites = 30 // of one entry
)

// Invite asks somebody into the team of an entry.
type Invite struct {
	ID      string       `json:"id"`
	Of      directory.ID `json:"of"`
	Mail    string       `json:"mail"`
	Role    string       `json:"role"`
	By      string       `json:"by"` // account
	Lang    string       `json:"lang"`
	Created time.Time    `json:"created"`

	rev int64
}

func (i *Invite) key() string { return string(i.Of) + "/" + i.ID }

// invites lists the invitations of an entry that were not followed yet.
func (s *Service) invites(ctx context.Context, of directory.ID) ([]Invite, error) {
	prefix := string(of) + "/"
	records, err := s.Directory.Store().Records(ctx, kindInvite, prefix, maxInvites+10)
	if err != nil {
		return nil, err
	}
	var out []Invite
	for _, r := range records {
		if !strings.HasPrefix(r.Key, prefix) {
			break
		}
		if !s.now().Before(r.Expires) {
			continue
		}
		i := Invite{rev: r.Rev}
		if err := json.Unmarshal(r.Value, &i); err != nil {
			return nil, fmt.Errorf("invitation %s: %w: %w", r.Key, directory.ErrCorrupt, err)
		}
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b Invite) int { return a.Created.Compare(b.Created) })
	return out, nil
}

func (s *Service) dropInvites(ctx context.Context, of directory.ID) error {
	list, err := s.invites(ctx, of)
	for _, i := range list {
		err = errors.Join(err, s.Directory.Store().DeleteRecord(ctx, kindInvite, i.key(), 0))
	}
	return err
}

// invite asks somebody into the team. The answer is the same whether the address has an account or not.
func (s *Service) invite(c *fiber.Ctx) error {
	ctx, actor := c.UserContext(), account.From(c)
	e, err := s.kept(c, account.EntryGrant)
	if err != nil {
		return err
	}
	p, l := s.begins(c)
	v := frontend.TeamView{Mail: strings.TrimSpace(c.FormValue("mail")), Role: c.FormValue("role"), Wrong: map[string]string{}}
	if v.Role != roleOwner && v.Role != roleEditor {
		return directory.Invalid{{Field: "role", Code: directory.CodeUnknown, Params: map[string]any{"value": v.Role}}}
	}
	mail, err := account.NormalMail(v.Mail)
	var invalid directory.Invalid
	if errors.As(err, &invalid) {
		_, v.Wrong["mail"] = l.ProblemText(frontend.Problem{Field: "mail", Code: invalid[0].Code, Params: invalid[0].Params})
	}
	list, err := s.invites(ctx, e.ID)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(i Invite) bool { return i.Mail == mail && invalid == nil })
	if len(list) >= maxInvites {
		v.Wrong[""] = l.Text("team.wrong_invites")
	}
	if len(v.Wrong) > 0 {
		c.Status(http.StatusUnprocessableEntity)
		return s.showTeam(c, &e, v)
	}
	if err := s.Accounts.LimitInvitations(c); err != nil {
		return err
	}
	if err := s.Accounts.LimitMails(c, mail); err != nil {
		return err
	}
	// A new invitation takes the place of an earlier one to the same address.
	old, err := s.invites(ctx, e.ID)
	if err != nil {
		return err
	}
	for _, i := range old {
		if i.Mail == mail {
			if err := s.Directory.Store().DeleteRecord(ctx, kindInvite, i.key(), 0); err != nil {
				return err
			}
		}
	}
	i := Invite{ID: uuid.NewString(), Of: e.ID, Mail: mail, Role: v.Role, By: actor.ID, Lang: p.Lang, Created: s.now()}
	if err := s.save(ctx, kindInvite, i.key(), i, 0, i.Created.Add(inviteLife)); err != nil {
		return err
	}
	err = s.Accounts.Mailer.Send(ctx, account.Message{Key: "team invite " + i.ID, To: mail, Lang: s.language(&e, p.Lang), Template: "mail.team_invite", Maker: "team-invite", For: i.key()})
	if err != nil {
		return err
	}
	return c.Redirect(frontend.TeamURL(e.Slug)+"?done=invited", http.StatusSeeOther)
}

// withdrawInvite takes an invitation back: its link does not work any more.
func (s *Service) withdrawInvite(c *fiber.Ctx) error {
	e, err := s.kept(c, account.EntryGrant)
	if err != nil {
		return err
	}
	id, err := uuid.Parse(c.FormValue("invite"))
	if err != nil {
		return directory.Invalid{{Field: "invite", Code: directory.CodeInvalid}}
	}
	if err := s.Directory.Store().DeleteRecord(c.UserContext(), kindInvite, string(e.ID)+"/"+id.String(), 0); err != nil {
		return err
	}
	return c.Redirect(frontend.TeamURL(e.Slug)+"?done=withdrawn", http.StatusSeeOther)
}

// standing finds an invitation that still holds: who sent it may still say who is of the team.
func (s *Service) standing(ctx context.Context, key string) (*Invite, directory.Entry, *account.Account, error) {
	var i Invite
	rev, err := s.load(ctx, kindInvite, key, &i)
	if err != nil || rev == 0 {
		return nil, directory.Entry{}, nil, err
	}
	i.rev = rev
	e, err := s.Directory.Entry(ctx, i.Of)
	if err != nil {
		return nil, e, nil, err
	}
	by, err := s.Accounts.Get(ctx, i.By)
	if errors.Is(err, account.ErrNoAccount) {
		return nil, e, nil, nil
	}
	if err != nil {
		return nil, e, nil, err
	}
	may, err := s.mayAsk(ctx, &e, by)
	if err != nil || !may {
		return nil, e, nil, err
	}
	return &i, e, by, nil
}

// mayAsk reports whether an account may still ask people into the team of an entry.
func (s *Service) mayAsk(ctx context.Context, e *directory.Entry, by *account.Account) (bool, error) {
	if by.Blocked || e.Status == directory.Removed || e.Origin != "" {
		return false, nil
	}
	if by.Role == account.Moderator || by.Role == account.Admin {
		return true, nil
	}
	team, err := s.Directory.Keepers(ctx, e)
	return slices.Contains(team.Owners, by.ID), err
}

// makeInvite makes the link of an invitation when its mail is sent.
func (s *Service) makeInvite(ctx context.Context, m *account.Message) (bool, error) {
	i, e, by, err := s.standing(ctx, m.For)
	if err != nil || i == nil {
		return false, err
	}
	if a, err := s.Accounts.ByMail(ctx, i.Mail); err == nil {
		if a.Blocked {
			return false, nil
		}
		if a.Lang != "" {
			m.Lang = a.Lang
		}
	} else if !errors.Is(err, account.ErrNoAccount) {
		return false, err
	}
	token, hash := account.Secret()
	if err := s.save(ctx, kindKey, hash, opens{kindInvite, i.key(), i.ID}, 0, i.Created.Add(inviteLife)); err != nil {
		return false, err
	}
	m.Params = map[string]string{"Entry": e.Name, "Name": by.Name, "Until": frontend.T(m.Lang).DateOnly(i.Created.Add(inviteLife))}
	m.Link = s.Accounts.Base() + "/join?token=" + url.QueryEscape(token)
	return true, nil
}

// invited finds the invitation that a link opens; nil: the link does not work, or no longer.
func (s *Service) invited(c *fiber.Ctx, token string) (*Invite, directory.Entry, *account.Account, error) {
	var e directory.Entry
	if err := s.Accounts.LimitLinks(c); err != nil {
		return nil, e, nil, err
	}
	hash := account.SecretKey(token)
	if hash == "" {
		return nil, e, nil, nil
	}
	var o opens
	if rev, err := s.load(c.UserContext(), kindKey, hash, &o); err != nil || rev == 0 || o.Kind != kindInvite {
		return nil, e, nil, err
	}
	return s.standing(c.UserContext(), o.Key)
}

// joinPage shows what one is invited to, and asks for an account first where there is none.
func (s *Service) joinPage(c *fiber.Ctx) error {
	ctx, token := c.UserContext(), c.Query("token")
	i, e, by, err := s.invited(c, token)
	if err != nil {
		return err
	}
	if i == nil {
		return s.dead(c)
	}
	p, l := s.begins(c)
	p.Path, p.Title = "/", l.Text("join.title", "Name", e.Name)
	next := "?" + url.Values{"next": {"/join?token=" + url.QueryEscape(token)}}.Encode()
	v := frontend.JoinView{Token: token, Slug: e.Slug, Name: e.Name, Town: e.Town(), Role: i.Role, By: by.Name, Mail: i.Mail, SignInURL: "/signin" + next}
	if actor := account.From(c); actor.SignedIn() {
		a, err := s.Accounts.Get(ctx, actor.ID)
		if err != nil {
			return err
		}
		v.Account = a.Mail
		team, err := s.Directory.Keepers(ctx, &e)
		if err != nil {
			return err
		}
		v.Already = slices.Contains(team.Owners, actor.ID) || i.Role == roleEditor && slices.Contains(team.Editors, actor.ID)
	} else if s.Site().SignUp != account.SignUpClosed {
		// Who has the link reads that mail: it is the reader's own address whose account is asked about.
		_, err := s.Accounts.ByMail(ctx, i.Mail)
		if err != nil && !errors.Is(err, account.ErrNoAccount) {
			return err
		}
		v.Make = err != nil
	}
	return s.Render(c, frontend.Join(p, v))
}

// join follows an invitation, or declines it.
func (s *Service) join(c *fiber.Ctx) error {
	ctx, token := c.UserContext(), c.FormValue("token")
	i, e, by, err := s.invited(c, token)
	if err != nil {
		return err
	}
	if i == nil {
		return s.dead(c)
	}
	p, l := s.begins(c)
	p.Path = "/"
	switch c.FormValue("answer") {
	case "no":
		if err := s.spend(ctx, i, token); err != nil && !errors.Is(err, directory.ErrStale) {
			return err
		}
		p.Title = l.Text("join.declined_title")
		return s.Render(c, frontend.ClaimAnswer(p, frontend.ClaimAnswerView{Title: p.Title, Done: l.Text("join.declined", "Name", e.Name)}))
	case "account":
		if s.Site().SignUp == account.SignUpClosed {
			return &account.Refusal{Action: account.SignIn, Reason: account.ReasonRole}
		}
		to, err := s.Accounts.OwnLink(ctx, i.Mail, p.Lang, "/join?token="+url.QueryEscape(token))
		if err != nil {
			return err
		}
		return c.Redirect(to, http.StatusSeeOther)
	case "yes":
	default:
		return directory.Invalid{{Field: "answer", Code: directory.CodeUnknown}}
	}
	if err := account.Check(c, account.TeamJoin, nil); err != nil {
		return err
	}
	actor := account.From(c)
	// Of several who follow the link at once, one is let in.
	if err := s.spend(ctx, i, token); errors.Is(err, directory.ErrStale) {
		return s.dead(c)
	} else if err != nil {
		return err
	}
	_, err = s.change(ctx, e.ID, actor.Author(), s.note("note_joined", ""), func(now *directory.Entry) error {
		may, err := s.mayAsk(ctx, now, by)
		if err != nil {
			return err
		}
		if !may {
			return account.ErrLink
		}
		join(now, actor.ID, i.Role)
		return nil
	})
	if errors.Is(err, account.ErrLink) {
		return s.dead(c)
	}
	if err != nil {
		return err
	}
	return c.Redirect(frontend.TeamURL(e.Slug)+"?done=joined", http.StatusSeeOther)
}

// spend uses an invitation up, or reports [directory.ErrStale] when somebody else did.
func (s *Service) spend(ctx context.Context, i *Invite, token string) error {
	store := s.Directory.Store()
	if err := store.DeleteRecord(ctx, kindInvite, i.key(), i.rev); err != nil {
		return err
	}
	return store.DeleteRecord(ctx, kindKey, account.SecretKey(token), 0)
}
