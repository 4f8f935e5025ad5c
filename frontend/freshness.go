package frontend

import (
	"bytes"
	"context"
	"strings"
	"time"
)

// FreshLetter is the mail that asks whether entries are still true.
type FreshLetter struct {
	Lang    string
	Lead    []string
	Entries []FreshEntry
	Why     string // the reader receives it
}

// FreshEntry is one entry of a [FreshLetter].
type FreshEntry struct {
	Name, URL string
	Facts     []string
	Age       string     // when somebody looked at it last, as a sentence
	Links     []MailLink // the answers
}

// FreshLetterText is the letter for readers of plain text; blank lines part its paragraphs.
func FreshLetterText(v FreshLetter) string {
	paragraphs := append([]string{}, v.Lead...)
	for _, e := range v.Entries {
		lines := append([]string{"* " + e.Name, e.URL}, e.Facts...)
		paragraphs = append(paragraphs, strings.Join(append(lines, e.Age), "\n"))
		for _, one := range e.Links {
			paragraphs = append(paragraphs, one.Text+"\n"+one.URL)
		}
	}
	return strings.Join(append(paragraphs, v.Why), "\n\n")
}

// FreshLetterHTML is the body of the letter as HTML.
func FreshLetterHTML(ctx context.Context, v FreshLetter) (string, error) {
	var b bytes.Buffer
	err := freshLetter(v).Render(ctx, &b)
	return b.String(), err
}

// StaleView lists entries that moderators look after: unconfirmed for long, or hidden.
type StaleView struct {
	Lead  string
	Tabs  []QueueTab
	Rows  []StaleRow
	Total int
	Next  string // URL of the next page
	Done  string
	Wrong string
}

// StaleRow is one entry of a [StaleView].
type StaleRow struct {
	Name, Kind, Town string
	Category         Category
	URL, VersionsURL string
	Action           string // path of the form
	Decision         string // confirm or reopen
	Version          int64
	Said             string // when it was confirmed or changed last, or hidden
	Note             string // why it was hidden
}

// Age says how long ago something was, as roughly as people do: "aujourd’hui", "il y a 3 mois".
func (l *Localizer) Age(t, now time.Time) string {
	if days(now.In(t.Location()))-days(t) < 1 {
		return l.Text("age.today")
	}
	return l.Text("age.ago", "Age", l.Span(t, now))
}

// Span is the time between two moments in whole days, months or years: "12 jours", "3 mois", "2 ans".
func (l *Localizer) Span(t, now time.Time) string {
	now = now.In(t.Location())
	months := 12*(now.Year()-t.Year()) + int(now.Month()) - int(t.Month())
	if now.Day() < t.Day() {
		months--
	}
	switch {
	case months >= 24:
		return l.Plural("age.years", months/12)
	case months >= 1:
		return l.Plural("age.months", months)
	}
	return l.Plural("age.days", max(0, days(now)-days(t)))
}
