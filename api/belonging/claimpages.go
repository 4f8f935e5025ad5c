package belonging

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/net/idna"
)

// maxText is the longest message to those who decide, in characters.
const maxText = 2000

// Routes adds the pages to a server.
func (s *Service) Routes(app fiber.Router) {
	claims := account.Require(account.EntryClaim)
	app.Get("/e/:slug/claim", s.claimPage)
	app.Post("/e/:slug/claim", claims, s.claim)
	app.Post("/e/:slug/claim/withdraw", claims, s.withdraw)
	app.Get("/claim", s.answerPage)
	app.Post("/claim", account.Require(account.MailAnswer), s.answer)
	s.teamRoutes(app)
}

// begins is a page with forms that nobody keeps, and whose address no other site learns.
func (s *Service) begins(c *fiber.Ctx) (frontend.Page, *frontend.Localizer) {
	p := s.Page(c, "")
	p.NoIndex, p.Canonical = true, ""
	p.CSRF = s.Accounts.CSRF(c)
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	return p, frontend.T(p.Lang)
}

// notice says that mails do not reach people, when so.
func (s *Service) notice(l *frontend.Localizer) string {
	if s.Accounts.Mailer.Configured() {
		return ""
	}
	return l.Text("account.mail_off")
}

// entry finds the entry of the address that the actor may see.
func (s *Service) entry(c *fiber.Ctx) (directory.Entry, error) {
	id, ok := s.Directory.BySlug(c.Params("slug"))
	if !ok {
		return directory.Entry{}, directory.ErrNotFound
	}
	e, err := s.Directory.Entry(c.UserContext(), id)
	switch {
	case err != nil:
		return directory.Entry{}, err
	case e.Status == directory.Removed:
		return directory.Entry{}, directory.ErrGone
	case account.May(account.From(c), account.EntryRead, &e) != nil:
		return directory.Entry{}, directory.ErrNotFound
	}
	return e, nil
}

// claimable finds the entry of the address, when it is one that can be claimed: a public one of ours.
func (s *Service) claimable(c *fiber.Ctx) (directory.Entry, error) {
	e, err := s.entry(c)
	if err != nil {
		return e, err
	}
	if e.Origin != "" {
		return e, &account.Refusal{Action: account.EntryClaim, Reason: account.ReasonElsewhere}
	}
	if !e.Public() {
		return e, directory.ErrNotFound
	}
	return e, nil
}

func (s *Service) claimPage(c *fiber.Ctx) error {
	e, err := s.claimable(c)
	if err != nil {
		return err
	}
	return s.showClaim(c, &e, frontend.ClaimView{})
}

// showClaim draws the page; v holds what was typed and what is wrong with it.
func (s *Service) showClaim(c *fiber.Ctx, e *directory.Entry, v frontend.ClaimView) error {
	ctx, actor := c.UserContext(), account.From(c)
	p, l := s.begins(c)
	if c.Method() == fiber.MethodPost {
		p.Path = frontend.ClaimURL(e.Slug)
	}
	p.Title = l.Text("claim.title", "Name", e.Name)
	v.Slug, v.Name, v.Town, v.Claimed = e.Slug, e.Name, e.Town(), e.Claimed
	v.Published, v.Domain, v.Notice = published(e), ownDomain(e), s.notice(l)
	team, err := s.Directory.Keepers(ctx, e)
	if err != nil {
		return err
	}
	v.Kept, v.Mine = len(team.Owners) > 0, slices.Contains(team.Owners, actor.ID) && actor.SignedIn()
	if !actor.SignedIn() {
		next := "?" + url.Values{"next": {frontend.ClaimURL(e.Slug)}}.Encode()
		v.SignInURL = "/signin" + next
		if up := s.Site().SignUp; up == account.SignUpOpen || up == "" {
			v.SignUpURL = "/signup" + next
		}
		return s.Render(c, frontend.Claim(p, v))
	}
	if v.Wrong == nil {
		claim, err := s.claimOf(ctx, actor.ID, e.ID)
		if err != nil {
			return err
		}
		s.state(&v, claim)
	}
	return s.Render(c, frontend.Claim(p, v))
}

// state tells where a claim stands.
func (s *Service) state(v *frontend.ClaimView, c *Claim) {
	if c == nil {
		return
	}
	v.Mail, v.At, v.Reason = c.Mail, c.Created, c.Reason
	switch {
	case c.Decision == decisionDenied || c.Decision == decisionRefused:
		v.State, v.At = c.Decision, c.Decided
	case c.Decision != "": // granted: the team's page says so
	case !c.Proved.IsZero():
		v.State = "proved"
	case c.Way == wayMail:
		v.State = "mailed"
	case v.Kept:
		v.State = "team"
	default:
		v.State = "people"
	}
}

// claim takes a claim of an entry.
func (s *Service) claim(c *fiber.Ctx) error {
	ctx, actor := c.UserContext(), account.From(c)
	e, err := s.claimable(c)
	if err != nil {
		return err
	}
	if err := account.Check(c, account.EntryClaim, &e); err != nil {
		return err
	}
	p, l := s.begins(c)
	v := frontend.ClaimView{Way: c.FormValue("way"), Typed: strings.TrimSpace(c.FormValue("mail")), Wrong: map[string]string{}}
	want := Claim{Of: e.ID, Account: actor.ID, Way: wayMail, Lang: p.Lang}
	var problem *directory.Problem
	switch v.Way {
	case "published":
		if want.Mail = published(&e); want.Mail == "" {
			problem = &directory.Problem{Field: "way", Code: directory.CodeUnknown}
		}
	case "domain":
		want.Mail, problem = s.domainMail(&e, v.Typed)
		if problem != nil && problem.Code == directory.CodeNotHere {
			v.Wrong["mail"] = l.Text("claim.wrong_domain", "Domain", ownDomain(&e))
		}
	case "people":
		want.Way = wayPeople
		want.Text, problem = message(c.FormValue("text"), "text")
		v.Text = want.Text
	default:
		problem = &directory.Problem{Field: "way", Code: directory.CodeUnknown}
	}
	if problem != nil {
		if v.Wrong[problem.Field] == "" {
			_, v.Wrong[problem.Field] = l.ProblemText(frontend.Problem{Field: problem.Field, Code: problem.Code, Params: problem.Params})
		}
		c.Status(http.StatusUnprocessableEntity)
		return s.showClaim(c, &e, v)
	}
	team, err := s.Directory.Keepers(ctx, &e)
	if err != nil {
		return err
	}
	if slices.Contains(team.Owners, actor.ID) && (!e.Claimed.IsZero() || want.Way == wayPeople && len(team.Owners) > 1) {
		return c.Redirect(frontend.TeamURL(e.Slug), http.StatusSeeOther)
	}
	if err := s.Accounts.LimitClaims(c); err != nil {
		return err
	}
	if want.Way == wayMail {
		if err := s.Accounts.LimitMails(c, want.Mail); err != nil {
			return err
		}
	}
	claim, err := s.begin(ctx, want)
	var again errAgain
	if errors.As(err, &again) {
		v.Wrong["way"] = l.Text("claim." + again.key)
		c.Status(http.StatusConflict)
		return s.showClaim(c, &e, v)
	}
	if err != nil {
		return err
	}
	if err := s.follow(ctx, claim, &e); err != nil {
		return err
	}
	return c.Redirect(frontend.ClaimURL(e.Slug), http.StatusSeeOther)
}

// follow sends the mails that a fresh claim asks for; sent again, none goes out twice.
func (s *Service) follow(ctx context.Context, claim *Claim, e *directory.Entry) error {
	if claim.Decision != "" {
		return nil
	}
	if claim.Way == wayPeople || !claim.Proved.IsZero() {
		return s.tellOwners(ctx, claim)
	}
	m := account.Message{Key: "claim " + claim.ID, To: claim.Mail, Lang: claim.Lang, Template: "mail.claim_proof", Maker: "claim-proof", For: claim.key() + " " + claim.ID}
	if claim.Mail == published(e) { // somebody else may read it: in the language of the entry
		m.Lang = s.language(e, claim.Lang)
	}
	return s.Accounts.Mailer.Send(ctx, m)
}

// language is that of an entry where the directory speaks it.
func (s *Service) language(e *directory.Entry, otherwise string) string {
	for _, lang := range s.Site().Languages {
		if e.Lang == lang || strings.HasPrefix(e.Lang, lang+"-") {
			return lang
		}
	}
	return otherwise
}

// domainMail reads the address at an entry's domain that a claimant gave.
func (s *Service) domainMail(e *directory.Entry, typed string) (string, *directory.Problem) {
	mail, err := account.NormalMail(typed)
	var invalid directory.Invalid
	if errors.As(err, &invalid) {
		return "", &invalid[0]
	}
	if !proves(e, mail) {
		return "", &directory.Problem{Field: "mail", Code: directory.CodeNotHere}
	}
	// The name that the network asks for: what looks the same on a screen goes nowhere else.
	local, host, _ := strings.Cut(mail, "@")
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return "", &directory.Problem{Field: "mail", Code: directory.CodeInvalid}
	}
	return local + "@" + ascii, nil
}

// message reads several lines that somebody typed.
func message(typed, field string) (string, *directory.Problem) {
	text := strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(typed, ""), "\r\n", "\n"))
	switch n := utf8.RuneCountInString(text); {
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }):
		return text, &directory.Problem{Field: field, Code: directory.CodeControl}
	case n > maxText:
		return text, &directory.Problem{Field: field, Code: directory.CodeTooLong, Params: map[string]any{"max": maxText, "got": n}}
	case text == "":
		return "", &directory.Problem{Field: field, Code: directory.CodeRequired}
	}
	return text, nil
}

// makeProof makes the link of a claim when its mail is sent.
func (s *Service) makeProof(ctx context.Context, m *account.Message) (bool, error) {
	key, id, _ := strings.Cut(m.For, " ")
	by, of, _ := strings.Cut(key, "/")
	claim, err := s.claimOf(ctx, by, directory.ID(of))
	if err != nil || claim == nil || claim.ID != id || claim.Decision != "" {
		return false, err
	}
	e, err := s.Directory.Entry(ctx, claim.Of)
	if err != nil {
		return false, err
	}
	who, err := s.Accounts.Get(ctx, claim.Account)
	if err != nil {
		return false, err
	}
	// What was true when it was asked for must still be.
	if who.Blocked || !e.Public() || e.Origin != "" || !proves(&e, claim.Mail) {
		return false, nil
	}
	token, hash := account.Secret()
	if err := s.save(ctx, kindKey, hash, opens{kindClaim, key, id}, 0, s.now().Add(proofLife)); err != nil {
		return false, err
	}
	m.Params = map[string]string{"Entry": e.Name, "Name": who.Name, "Mail": who.Mail}
	m.Link = s.Accounts.Base() + "/claim?token=" + url.QueryEscape(token)
	return true, nil
}

// withdraw takes one's own open claim back.
func (s *Service) withdraw(c *fiber.Ctx) error {
	e, err := s.claimable(c)
	if err != nil {
		return err
	}
	claim, err := s.claimOf(c.UserContext(), account.From(c).ID, e.ID)
	if err != nil {
		return err
	}
	if claim != nil && claim.Decision == "" {
		err := s.Directory.Store().DeleteRecord(c.UserContext(), kindClaim, claim.key(), claim.rev)
		if err != nil && !errors.Is(err, directory.ErrStale) { // stale: it was decided at this moment
			return err
		}
	}
	return c.Redirect(frontend.ClaimURL(e.Slug), http.StatusSeeOther)
}

// opened finds the claim that a link opens; nil: the link does not work, or no longer.
func (s *Service) opened(ctx context.Context, token string) (*Claim, error) {
	hash := account.SecretKey(token)
	if hash == "" {
		return nil, nil
	}
	var o opens
	if rev, err := s.load(ctx, kindKey, hash, &o); err != nil || rev == 0 || o.Kind != kindClaim {
		return nil, err
	}
	by, of, _ := strings.Cut(o.Key, "/")
	claim, err := s.claimOf(ctx, by, directory.ID(of))
	if err != nil || claim == nil || claim.ID != o.ID {
		return nil, err
	}
	if claim.Decision != "" && !claim.Done { // it was followed, and the program died
		if err := s.finish(ctx, claim); err != nil {
			return nil, err
		}
	}
	if claim.Decision != "" || !claim.Proved.IsZero() {
		return nil, nil
	}
	return claim, nil
}

// dead is the page of a link that does not work.
func (s *Service) dead(c *fiber.Ctx) error {
	p, l := s.begins(c)
	p.Path, p.Title = "/", l.Text("claim.dead_title")
	c.Status(http.StatusGone)
	return s.Render(c, frontend.ClaimAnswer(p, frontend.ClaimAnswerView{Title: p.Title, Done: l.Text("claim.dead")}))
}

// about gathers what the question of a link is about; ok is false when it cannot be asked any more.
func (s *Service) about(c *fiber.Ctx, token string) (claim *Claim, e directory.Entry, who *account.Account, err error) {
	ctx := c.UserContext()
	if err := s.Accounts.LimitLinks(c); err != nil {
		return nil, e, nil, err
	}
	if claim, err = s.opened(ctx, token); err != nil || claim == nil {
		return nil, e, nil, err
	}
	if e, err = s.Directory.Entry(ctx, claim.Of); err != nil {
		return nil, e, nil, err
	}
	who, err = s.Accounts.Get(ctx, claim.Account)
	if errors.Is(err, account.ErrNoAccount) || err == nil && (who.Blocked || !e.Public() || e.Origin != "" || !proves(&e, claim.Mail)) {
		return nil, e, nil, nil
	}
	return claim, e, who, err
}

// answerPage asks who reads the place's mail. Mail programs look ahead, so nothing happens before a button.
func (s *Service) answerPage(c *fiber.Ctx) error {
	claim, e, who, err := s.about(c, c.Query("token"))
	if err != nil {
		return err
	}
	if claim == nil {
		return s.dead(c)
	}
	p, l := s.begins(c)
	p.Path, p.Title = "/", l.Text("claim.answer_title", "Name", e.Name) // the links to other languages do not carry the secret
	return s.Render(c, frontend.ClaimAnswer(p, frontend.ClaimAnswerView{Token: c.Query("token"), Slug: e.Slug, Name: e.Name, Town: e.Town(), Claimant: who.Name, ClaimantAt: who.Mail}))
}

// answer takes what who reads the place's mail says. Whoever follows the link, and whatever session the browser has: it is
// the claimant who gets the entry.
func (s *Service) answer(c *fiber.Ctx) error {
	ctx, token := c.UserContext(), c.FormValue("token")
	claim, e, who, err := s.about(c, token)
	if err != nil {
		return err
	}
	if claim == nil {
		return s.dead(c)
	}
	decision := map[string]string{"yes": decisionProved, "no": decisionDenied}[c.FormValue("answer")]
	if decision == "" {
		return directory.Invalid{{Field: "answer", Code: directory.CodeUnknown}}
	}
	err = s.decide(ctx, claim, decision, "", account.AuthorPrefix+claim.Account, "")
	if errors.Is(err, directory.ErrStale) { // the same link, followed twice at once
		return s.dead(c)
	}
	if err != nil {
		return err
	}
	if err := s.Directory.Store().DeleteRecord(ctx, kindKey, account.SecretKey(token), 0); err != nil {
		return err
	}
	p, l := s.begins(c)
	said := "claim.answered_yes"
	switch {
	case decision == decisionDenied:
		said = "claim.answered_no"
	case claim.Decision == "":
		said = "claim.answered_team"
	}
	p.Path, p.Title = "/", l.Text("claim.answered_title")
	return s.Render(c, frontend.ClaimAnswer(p, frontend.ClaimAnswerView{Title: p.Title, Slug: e.Slug, Done: l.Text(said, "Name", e.Name, "Who", who.Name)}))
}
