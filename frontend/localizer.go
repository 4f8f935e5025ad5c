package frontend

import "time"

// Localizer speaks one language. T returns it.
type Localizer struct {
	lang string
}

// T returns the localizer of a language tag; an unknown one falls back to French.
func T(lang string) *Localizer { return &Localizer{lang: lang} }

// Lang is the language really spoken.
func (l *Localizer) Lang() string { return l.lang }

// Text is the text of a key; args are pairs of placeholder and value.
func (l *Localizer) Text(key string, args ...any) string { return key }

// Plural is the text of a key for a number, which it receives as {{.Count}}, written as the language writes numbers.
func (l *Localizer) Plural(key string, n int, args ...any) string { return key }

// Number writes a whole number with the language's separators.
func (l *Localizer) Number(n int) string { return "" }

// Distance writes metres as people say them: "850 m", "1,2 km", "35 km".
func (l *Localizer) Distance(metres float64) string { return "" }

// Date writes a day: "samedi 22 novembre 2026", without the year when it is the one of now.
func (l *Localizer) Date(t, now time.Time) string { return "" }

// ProblemText is a field's label and what is wrong with it.
func (l *Localizer) ProblemText(p Problem) (field, message string) { return p.Field, p.Code }

// Negotiate chooses the language of a page among those offered: the lang
// parameter, then the cookie, then Accept-Language, then def. It never returns
// a language that is not offered.
func Negotiate(query, cookie, acceptLanguage string, offered []string, def string) string { return def }
