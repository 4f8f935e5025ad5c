package account

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// accountsPerPage is how many accounts a page of the administrators' list has.
const accountsPerPage = 50

func (h *handlers) accountsPage(c *fiber.Ctx) error { return h.showAccounts(c, "", nil) }

// showAccounts draws the list; wrong is what was wrong with what an administrator wanted.
func (h *handlers) showAccounts(c *fiber.Ctx, said string, wrong error) error {
	p, l := h.begins(c, "")
	p.Title = l.Text("accounts.title")
	v := frontend.AccountsView{Query: strings.TrimSpace(c.Query("q")), Done: said, Notice: h.noMail(l)}
	for _, r := range Roles {
		v.Roles = append(v.Roles, string(r))
	}
	query, after := directory.Fold(v.Query), c.Query("after")
	err := h.All(c.UserContext(), func(a *Account) bool {
		v.Total++
		if a.ID <= after || query != "" && !strings.Contains(directory.Fold(a.Name+" "+a.Mail), query) {
			return true
		}
		if len(v.Rows) == accountsPerPage {
			v.Next = v.Rows[accountsPerPage-1].ID
			return true
		}
		v.Rows = append(v.Rows, frontend.AccountRow{ID: a.ID, Name: a.Name, Mail: a.Mail, Role: string(a.Role), Trusted: a.Trusted, Blocked: a.Blocked,
			Me: a.ID == From(c).ID, Created: a.Created, Seen: a.Seen, Wards: wardsText(a.Wards)})
		return true
	})
	if err != nil {
		return err
	}
	if who := c.Query("changed"); who != "" && said == "" {
		if a, err := h.Get(c.UserContext(), who); err == nil {
			v.Done = l.Text("account.standing_done", "Name", a.Name)
		}
	}
	v.Invite = frontend.Form{Title: l.Text("account.invite_title"), Lead: l.Text("account.invite_lead"), Action: "/admin/accounts/invite", Button: l.Text("account.invite_button"), Quiet: true,
		Fields: []frontend.FormField{mailField(l, "")}}
	if wrong != nil {
		var invalid directory.Invalid
		switch {
		case errors.Is(wrong, ErrLastAdmin):
			v.Wrong = l.Text("account.last_admin")
			c.Status(http.StatusConflict)
		case errors.As(wrong, &invalid):
			if invalid[0].Field == "mail" {
				wrongs(l, wrong, &v.Invite)
				v.Invite.Fields[0].Value = c.FormValue("mail")
			} else {
				field, text := l.ProblemText(frontend.Problem{Field: invalid[0].Field, Code: invalid[0].Code, Params: invalid[0].Params})
				v.Wrong = field + " – " + text
			}
			c.Status(http.StatusUnprocessableEntity)
		default:
			return wrong
		}
	}
	return h.render(c, frontend.Accounts(p, v))
}

func (h *handlers) setStanding(c *fiber.Ctx) error {
	if c.FormValue("id") == From(c).ID {
		return &Refusal{AccountsManage, ReasonRole} // nobody gives or takes a role of one's own
	}
	wards, err := parseWards(c.FormValue("wards"))
	if err != nil {
		return h.showAccounts(c, "", err)
	}
	to := Standing{Role: Role(c.FormValue("role")), Trusted: c.FormValue("trusted") == "1", Blocked: c.FormValue("blocked") == "1", Wards: wards}
	a, err := h.SetStanding(c.UserContext(), c.FormValue("id"), to)
	var invalid directory.Invalid
	if errors.Is(err, ErrLastAdmin) || errors.As(err, &invalid) {
		return h.showAccounts(c, "", err)
	}
	if err != nil {
		return err
	}
	h.Log.Info("account changed", "account", a.ID, "by", From(c).ID, "role", a.Role, "blocked", a.Blocked, "trusted", a.Trusted)
	return c.Redirect("/admin/accounts?changed="+url.QueryEscape(a.ID)+"#a"+a.ID, http.StatusSeeOther)
}

func (h *handlers) invite(c *fiber.Ctx) error {
	mail, err := NormalMail(c.FormValue("mail"))
	if err != nil {
		return h.showAccounts(c, "", err)
	}
	if err := h.mayMail(c, mail); err != nil {
		return err
	}
	l := frontend.T(h.page(c, "").Lang)
	// The role of who is invited is not for the form to say: administrators raise it afterwards.
	if err := h.askLink(c.UserContext(), link{Kind: linkInvite, Mail: mail, Lang: l.Lang(), Role: Member}); err != nil {
		return err
	}
	h.Log.Info("invitation", "by", From(c).ID)
	said := l.Text("account.invite_done", "Mail", mail)
	if !From(c).Can(AccountsManage) { // the list is for administrators
		p, l := h.begins(c, "")
		return h.formPage(c, p, frontend.FormView{Title: l.Text("account.invite_title"), Lead: []string{said}, Notice: h.noMail(l)}, http.StatusOK)
	}
	return h.showAccounts(c, said, nil)
}

// parseWards reads "category", "@zone" and "category@zone", separated by spaces.
func parseWards(text string) ([]Ward, error) {
	var out []Ward
	for _, word := range strings.Fields(text) {
		category, zone, _ := strings.Cut(word, "@")
		plain := func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}
		if category+zone == "" || strings.ContainsFunc(category+zone, plain) || len(word) > 80 {
			return nil, directory.Invalid{{Field: "wards", Code: directory.CodeInvalid, Params: map[string]any{"value": word}}}
		}
		out = append(out, Ward{Category: category, Zone: zone})
	}
	if len(out) > 50 {
		return nil, directory.Invalid{{Field: "wards", Code: directory.CodeTooMany, Params: map[string]any{"max": 50, "got": len(out)}}}
	}
	return out, nil
}

func wardsText(wards []Ward) string {
	words := make([]string, len(wards))
	for i, w := range wards {
		words[i] = w.Category
		if w.Zone != "" {
			words[i] = fmt.Sprintf("%s@%s", w.Category, w.Zone)
		}
	}
	return strings.Join(words, " ")
}
