package frontend

import (
	"bytes"
	"context"
	"strings"
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
