package frontend

import (
	"bytes"
	"context"
	"strings"
)

// DigestView is the form of a digest by mail: to ask for one, or to change it.
type DigestView struct {
	Title, Action, Button string
	Lead, Notice, Said    string
	WithMail              bool // asks for the address
	Mail                  string
	Place, Near, Of       string // the name that was typed, and a position with the name that it is of
	Places                []Choice
	Radii, Rhythms        []Choice
	Kinds, Categories     []Choice
	Wrong                 map[string]string // by field
	Ways                  []MailLink
}

// DigestURL is the form that asks for a digest of a list.
func DigestURL(q Query) string {
	f := Query{Kinds: q.Kinds, Categories: q.Categories, Near: q.Near, Radius: q.Radius, Place: q.Place}
	if f.Place == "" {
		f.Near, f.Radius = nil, 0 // a position without a name is nobody's area
	}
	return f.URL("/digest")
}

// DigestLetter is the mail that tells what is new in an area.
type DigestLetter struct {
	Lang, Place, Radius  string
	New, Changed, Coming []DigestLine
	MoreNew, MoreChanged int    // beyond what is listed
	More, Change, Why    string // URLs of the list and of the choice; why the reader receives it
}

// DigestLine is one entry of a [DigestLetter].
type DigestLine struct{ Name, What, Town, When, Summary, URL string }

func (d DigestLine) about() string { return joinNonEmpty(" · ", d.When, d.What, d.Town) }

// digestPart is a part of the letter with its heading.
type digestPart struct {
	title, more string
	lines       []DigestLine
}

func digestParts(l *Localizer, v DigestLetter) []digestPart {
	more := func(n int) string {
		if n == 0 {
			return ""
		}
		return l.Plural("digest.more", n)
	}
	var parts []digestPart
	for _, p := range []digestPart{
		{l.Text("digest.coming"), "", v.Coming}, {l.Text("digest.new"), more(v.MoreNew), v.New}, {l.Text("digest.changed"), more(v.MoreChanged), v.Changed},
	} {
		if len(p.lines) > 0 {
			parts = append(parts, p)
		}
	}
	return parts
}

// DigestLetterText is the letter for readers of plain text; blank lines part its paragraphs.
func DigestLetterText(v DigestLetter) string {
	l := T(v.Lang)
	paragraphs := []string{l.Text("digest.mail_lead", "Place", v.Place, "Radius", v.Radius)}
	for _, p := range digestParts(l, v) {
		paragraphs = append(paragraphs, strings.ToUpper(p.title))
		for _, one := range p.lines {
			lines := []string{"* " + one.Name, one.about()}
			if one.Summary != "" {
				lines = append(lines, shorten(one.Summary, 200))
			}
			paragraphs = append(paragraphs, strings.Join(append(lines, one.URL), "\n"))
		}
		if p.more != "" {
			paragraphs = append(paragraphs, p.more)
		}
	}
	return strings.Join(append(paragraphs, l.Text("digest.see_all")+"\n"+v.More, v.Why+" "+l.Text("digest.change_choice")+"\n"+v.Change), "\n\n")
}

// DigestLetterHTML is the body of the letter as HTML. It loads nothing and counts nobody.
func DigestLetterHTML(ctx context.Context, v DigestLetter) (string, error) {
	var b bytes.Buffer
	err := digestLetter(T(v.Lang), v).Render(ctx, &b)
	return b.String(), err
}
