package frontend

import (
	"bytes"
	"context"
	"strings"
	"time"
)

// Visitor is who reads a page, as the page shows it.
type Visitor struct {
	SignedIn    bool
	Name        string // how the person is called; only the person sees it
	Role        string // member, moderator or admin; empty for nobody
	Moderates   bool   // sees the way to the moderation queue
	Administers bool   // sees the way to the administration pages
}

// MailView is a mail before it becomes text and HTML.
type MailView struct {
	Lang, Site, Subject string
	Paragraphs          []string
	HTML                string // between the paragraphs and the links; sanitised by the caller
	Links               []MailLink
	Unsubscribe         string // URL
}

// MailLink is a link of a mail with its words.
type MailLink struct{ URL, Text string }

// MailText is a mail for readers of plain text.
func MailText(v MailView) string {
	l := T(v.Lang)
	var b strings.Builder
	for _, p := range v.Paragraphs {
		b.WriteString(p + "\n\n")
	}
	for _, one := range v.Links {
		b.WriteString(one.Text + "\n" + one.URL + "\n\n")
	}
	b.WriteString("-- \n" + v.Site + "\n")
	if v.Unsubscribe != "" {
		b.WriteString(l.Text("mail.unsubscribe") + " " + v.Unsubscribe + "\n")
	}
	return b.String()
}

// MailHTML is a mail as a small page without pictures or styles from elsewhere.
func MailHTML(ctx context.Context, v MailView) (string, error) {
	var b bytes.Buffer
	err := mailPage(v).Render(ctx, &b)
	return b.String(), err
}

// FormView is a page that is one form, or a few.
type FormView struct {
	Title   string
	Lead    []string // paragraphs above
	Notice  string   // what the visitor should know: mail is not configured
	Problem string   // what is wrong with the whole of it
	Forms   []Form
	Ways    []MailLink     // links below
	Passkey *PasskeyButton // signs in without any of the forms
}

// Form is a form that is sent by POST.
type Form struct {
	Title  string // heading, when a page has several
	Lead   string
	Action string // path
	Button string
	Danger bool // it takes something away
	Quiet  bool // the button is not the main one of the page
	Fields []FormField
}

// FormField is a field of a form, its words in the page's language.
type FormField struct {
	Name  string
	Kind  string // text, email, password, checkbox, select, hidden
	Label string
	Value string
	Hint  string
	Auto  string // the autocomplete attribute
	Must  bool
	On    bool // of a checkbox
	Long  int  // most characters; 0: as usual
	List  []Choice
	Wrong string // what is wrong with it
}

// Choice is one of the values of a select field.
type Choice struct {
	Value, Label string
	Chosen       bool
}

// TokenRow is an API token in a list.
type TokenRow struct {
	ID, Name      string
	Scopes        []string
	Created, Seen time.Time
}

// SessionRow is a place where somebody is signed in.
type SessionRow struct {
	ID, Device    string
	Created, Seen time.Time
	Current       bool
}

// AccountView is the page of one's own account.
type AccountView struct {
	Name, Mail string
	Done       string // what was just done, in the page's language
	Notice     string
	NewToken   string // the secret of a token that was just made
	Forms      []Form // name and language, mail, password, in this order
	TokenForm  Form
	Delete     Form
	Sessions   []SessionRow
	Tokens     []TokenRow
	Passkeys   *PasskeysView
	Admin      []MailLink // pages that the account's role opens
}

// AccountRow is an account in the administrators' list.
type AccountRow struct {
	ID, Name, Mail, Role string
	Trusted, Blocked     bool
	Me                   bool
	Created, Seen        time.Time
	Wards                string // "category@zone", separated by spaces
}

// AccountsView is the administrators' list of accounts.
type AccountsView struct {
	Query  string
	Rows   []AccountRow
	Total  int    // accounts in all
	Next   string // value of "after" for the next page
	Roles  []string
	Done   string
	Notice string
	Wrong  string
	Invite Form
}
