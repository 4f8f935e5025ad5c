package frontend

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

//go:embed locales/*.toml
var localeFiles embed.FS

// catalogue is every text of every language, read once from the embedded files.
type catalogue struct {
	localizers map[string]*Localizer
	tags       []string
}

var loadCatalogue = sync.OnceValue(func() catalogue {
	names, err := fs.Glob(localeFiles, "locales/*.toml")
	if err != nil {
		panic(err)
	}
	bundle := i18n.NewBundle(language.French)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	c := catalogue{localizers: map[string]*Localizer{}}
	for _, name := range names {
		file, err := bundle.LoadMessageFileFS(localeFiles, name)
		if err != nil {
			panic(err) // the files are embedded: only a build that no test has seen comes here
		}
		tag := file.Tag.String()
		l := &Localizer{lang: tag, printer: message.NewPrinter(file.Tag), text: i18n.NewLocalizer(bundle, tag), known: map[string]bool{}}
		for _, m := range file.Messages {
			l.known[m.ID] = true
		}
		c.localizers[tag] = l
		c.tags = append(c.tags, tag)
	}
	return c
})

// Localizer speaks one language. T returns it; it may be used concurrently.
type Localizer struct {
	lang    string
	printer *message.Printer
	text    *i18n.Localizer
	known   map[string]bool
}

// T returns the localizer of a language tag; an unknown one falls back to its base language, then to French.
func T(lang string) *Localizer {
	c := loadCatalogue()
	base, _, _ := strings.Cut(lang, "-")
	for _, tag := range []string{lang, base} {
		if l, ok := c.localizers[tag]; ok {
			return l
		}
	}
	return c.localizers["fr"]
}

// Locales lists the languages whose texts are complete, as tags.
func Locales() []string { return loadCatalogue().tags }

// Lang is the language really spoken.
func (l *Localizer) Lang() string { return l.lang }

// Has reports whether the language has a text of that key.
func (l *Localizer) Has(key string) bool { return l.known[key] }

// Text is the text of a key; args are pairs of placeholder and value.
func (l *Localizer) Text(key string, args ...any) string {
	s, err := l.text.Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: pairs(args)})
	if err != nil && s == "" {
		return key // a missing text shows its key rather than nothing
	}
	return s
}

// Plural is the text of a key for a number, which it receives as {{.Count}}, written as the language writes numbers.
func (l *Localizer) Plural(key string, n int, args ...any) string {
	data := pairs(args)
	if _, ok := data["Count"]; !ok {
		data["Count"] = l.Number(n)
	}
	s, err := l.text.Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: data, PluralCount: n})
	if err != nil {
		// French has a third form for millions; where the file has none, the usual one serves.
		if s, err = l.text.Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: data, PluralCount: 2}); err != nil {
			return key
		}
	}
	return s
}

// Code is the text of prefix.code, or the code itself when the language has no word for it.
func (l *Localizer) Code(prefix, code string) string {
	if key := prefix + "." + code; l.Has(key) {
		return l.Text(key)
	}
	return code
}

// Number writes a whole number with the language's separators.
func (l *Localizer) Number(n int) string { return l.printer.Sprint(number.Decimal(n)) }

// Distance writes metres as people say them: "850 m", "1,2 km", "35 km".
func (l *Localizer) Distance(metres float64) string {
	switch {
	case metres < 0:
		return ""
	case metres < 995:
		step := 10.0
		if metres < 50 {
			step = 5
		}
		n := int(metres/step+0.5) * int(step)
		return l.Text("distance.m", "N", l.Number(n))
	case metres < 9950:
		return l.Text("distance.km", "N", l.printer.Sprint(number.Decimal(metres/1000, number.MaxFractionDigits(1))))
	default:
		return l.Text("distance.km", "N", l.Number(int(metres/1000+0.5)))
	}
}

// Date writes a day: "samedi 22 novembre", with the year when it is not that of now.
func (l *Localizer) Date(t, now time.Time) string {
	key := "date.day"
	if t.Year() != now.Year() {
		key = "date.day_year"
	}
	return l.date(key, t)
}

// DateOnly writes a day with its year and without its weekday: "22 novembre 2026".
func (l *Localizer) DateOnly(t time.Time) string { return l.date("date.plain", t) }

// Month writes a month and its year: "mars 2026".
func (l *Localizer) Month(t time.Time) string { return l.date("date.month_year", t) }

// Day writes a day as one would say it now: "aujourd’hui", "demain", "samedi 28 novembre".
func (l *Localizer) Day(t, now time.Time) string {
	now = now.In(t.Location())
	switch days(t) - days(now) {
	case 0:
		return l.Text("date.today")
	case 1:
		return l.Text("date.tomorrow")
	}
	return l.Date(t, now)
}

// Clock writes the time of day: "19:00".
func (l *Localizer) Clock(t time.Time) string {
	return l.Text("date.clock", "H", fmt.Sprintf("%02d", t.Hour()), "M", fmt.Sprintf("%02d", t.Minute()))
}

// Stamp writes a day and a time: "22 novembre 2026, 19:00".
func (l *Localizer) Stamp(t time.Time) string { return l.DateOnly(t) + ", " + l.Clock(t) }

// When writes an occurrence: "samedi 28 novembre, 10:00–12:00".
func (l *Localizer) When(o Occurrence, now time.Time) string {
	day := l.Day(o.Start, now)
	end := o.End
	if o.AllDay && !end.IsZero() {
		end = end.Add(-time.Second) // the end of an all-day event is exclusive
	}
	several := !end.IsZero() && days(end.In(o.Start.Location())) > days(o.Start) &&
		!(days(end.In(o.Start.Location())) == days(o.Start)+1 && end.In(o.Start.Location()).Hour() < 6)
	switch {
	case several && o.AllDay:
		return l.Text("date.range", "From", l.Date(o.Start, now), "To", l.Date(end, now))
	case several:
		return l.Text("date.range", "From", l.Date(o.Start, now)+", "+l.Clock(o.Start), "To", l.Date(end, now)+", "+l.Clock(end))
	case o.AllDay:
		return day
	case end.IsZero():
		return day + ", " + l.Clock(o.Start)
	}
	return day + ", " + l.Clock(o.Start) + "–" + l.Clock(end.In(o.Start.Location()))
}

// Weekday names a day of the week.
func (l *Localizer) Weekday(d time.Weekday) string {
	return l.Text(fmt.Sprintf("date.weekday_%d", int(d)))
}

func (l *Localizer) date(key string, t time.Time) string {
	day := fmt.Sprint(t.Day())
	if t.Day() == 1 {
		day = l.Text("date.first")
	}
	return l.Text(key, "Weekday", l.Weekday(t.Weekday()), "Day", day, "Month", l.Text(fmt.Sprintf("date.month_%d", int(t.Month()))), "Year", fmt.Sprint(t.Year()))
}

// ProblemText is a field's label and what is wrong with it.
func (l *Localizer) ProblemText(p Problem) (field, text string) {
	field = l.Field(p.Field)
	args := make([]any, 0, 2*len(p.Params))
	for k, v := range p.Params {
		switch n := v.(type) {
		case int:
			v = l.Number(n)
		case string:
			v = shorten(n, 80)
		}
		args = append(args, strings.ToUpper(k[:min(1, len(k))])+k[min(1, len(k)):], v)
	}
	if key := "problem." + p.Code; l.Has(key) {
		return field, l.Text(key, args...)
	}
	return field, l.Text("problem.invalid", args...)
}

// Field is the label of a field's path: "links[1].url" is "Liens, n° 2 : adresse".
func (l *Localizer) Field(path string) string {
	if key := "field." + path; l.Has(key) {
		return l.Text(key)
	}
	var parts []string
	for _, part := range strings.Split(path, ".") {
		name, index, indexed := strings.Cut(part, "[")
		label := l.Code("field", name)
		var n int
		if indexed {
			if _, err := fmt.Sscanf(index, "%d]", &n); err == nil {
				label = l.Text("field_n", "Field", label, "N", n+1)
			}
		}
		parts = append(parts, label)
	}
	return strings.Join(parts, " – ")
}

// Negotiate chooses the language of a page among those offered: the lang
// parameter, then the cookie, then Accept-Language, then def. It never returns
// a language that is not offered.
func Negotiate(query, cookie, acceptLanguage string, offered []string, def string) string {
	if len(offered) == 0 {
		return "fr"
	}
	for _, want := range []string{query, cookie} {
		for _, have := range offered {
			if strings.EqualFold(want, have) {
				return have
			}
		}
	}
	if len(acceptLanguage) > 512 {
		acceptLanguage = acceptLanguage[:512]
	}
	if wants, weights, err := language.ParseAcceptLanguage(acceptLanguage); err == nil {
		for i, want := range wants {
			base, _ := want.Base()
			for _, have := range offered {
				if tag, err := language.Parse(have); err == nil && weights[i] > 0 {
					if b, _ := tag.Base(); b == base {
						return have
					}
				}
			}
		}
	}
	for _, have := range offered {
		if strings.EqualFold(def, have) {
			return have
		}
	}
	return offered[0]
}

// days counts calendar days, so that two moments can be compared by date.
func days(t time.Time) int {
	return int(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

func pairs(args []any) map[string]any {
	m := make(map[string]any, len(args)/2+1)
	for i := 0; i+1 < len(args); i += 2 {
		m[fmt.Sprint(args[i])] = args[i+1]
	}
	return m
}

func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
