package search

import (
	"cmp"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"

	"archipel/directory"
)

// Document is the part of a public entry that is searched. Nothing private is in it.
type Document struct {
	ID       directory.ID   `json:"id"`
	Kind     directory.Kind `json:"kind"`
	Name     string         `json:"name"`
	Lang     string         `json:"lang,omitempty"`
	Summary  string         `json:"summary,omitempty"`
	Text     string         `json:"text,omitempty"` // the description without its Markdown
	Names    []Translated   `json:"names,omitempty"`
	Texts    []Translated   `json:"texts,omitempty"`
	Other    string         `json:"other,omitempty"` // street, alternative names of links and people
	Category []string       `json:"category,omitempty"`
	Under    []string       `json:"under,omitempty"` // the categories and their ancestors, each once
	Labels   string         `json:"labels,omitempty"`
	Tags     []string       `json:"tags,omitempty"`
	Town     string         `json:"town,omitempty"`
	Place    string         `json:"place,omitempty"` // postal code, region
	Sites    []orb.Point    `json:"sites,omitempty"`
	Zones    []string       `json:"zones,omitempty"`

	Schedule *directory.Schedule `json:"schedule,omitempty"`
	Updated  time.Time           `json:"updated"`
	Version  directory.Seq       `json:"version"`
}

// Translated is a text in another language than the entry's.
type Translated struct {
	Lang string `json:"lang"`
	Text string `json:"text"`
}

// maxBody is how many bytes of a description are searched.
const maxBody = 20_000

// Builder makes documents. Its zero value knows no categories' names and no zones.
type Builder struct {
	Taxonomy Taxonomy // may be nil
	Zoner    Zoner    // may be nil
	Lang     string   // of entries that name no language, default fr
}

// Document returns what is searched of e, which must be public.
func (b *Builder) Document(e *directory.Entry) Document {
	d := Document{
		ID: e.ID, Kind: e.Kind, Name: e.Name, Lang: primary(e.Lang), Summary: e.Summary, Text: Plain(cut(e.Description, maxBody)),
		Category: e.Categories, Tags: e.Tags, Sites: e.Sites, Updated: e.Updated, Version: e.Version,
	}
	if d.Lang == "" {
		d.Lang = cmp.Or(primary(b.Lang), "fr")
	}
	for lang, t := range e.Translations {
		if t.Name != "" {
			d.Names = append(d.Names, Translated{primary(lang), t.Name})
		}
		if text := strings.TrimSpace(t.Summary + "\n" + Plain(cut(t.Description, maxBody))); text != "" {
			d.Texts = append(d.Texts, Translated{primary(lang), text})
		}
	}
	d.Under = e.Categories
	if b.Taxonomy != nil {
		d.Under = nil
		var labels []string
		seen := map[string]bool{}
		for _, c := range e.Categories {
			for _, id := range append([]string{c}, b.Taxonomy.Ancestors(c)...) {
				if !seen[id] {
					seen[id] = true
					d.Under = append(d.Under, id)
					labels = append(labels, b.Taxonomy.Labels(id)...)
				}
			}
		}
		d.Labels = strings.Join(labels, "\n")
	}
	var other []string
	if a := e.Address; a != nil {
		d.Town = a.Locality
		d.Place = strings.TrimSpace(a.PostalCode + "\n" + a.Region)
		other = append(other, a.Street)
	}
	if e.Contact != nil {
		other = append(other, e.Contact.Name)
	}
	for _, l := range e.Links {
		other = append(other, l.Title)
	}
	d.Other = strings.TrimSpace(strings.Join(other, "\n"))
	zones := map[string]bool{}
	zone := func(codes []string) {
		for _, z := range codes {
			if !zones[z] {
				zones[z] = true
				d.Zones = append(d.Zones, z)
			}
		}
	}
	if e.Area != nil {
		zone(e.Area.Zones)
		if len(d.Sites) == 0 && e.Area.Shape != nil && e.Area.Shape.Geometry != nil {
			// An entry that only acts somewhere is found in the middle of where it acts.
			if c, _ := planar.CentroidArea(e.Area.Shape.Geometry); c[0] == c[0] && c[1] == c[1] {
				d.Sites = []orb.Point{c}
			}
		}
	}
	if b.Zoner != nil {
		zone(b.Zoner.Zones(e))
	}
	if e.Kind == directory.Event {
		d.Schedule = e.Event
	}
	return d
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

var (
	markupLink = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	markupTag  = regexp.MustCompile(`</?[a-zA-Z!][^<>]*>`)
	markupLine = regexp.MustCompile(`(?m)^[ \t]*(?:#{1,6}|>+|[-*+]|\d+[.)]|` + "```" + `.*)[ \t]*`)
	markupMark = strings.NewReplacer("**", "", "__", "", "`", "", "~~", "")
	blanks     = regexp.MustCompile(`\s+`)
)

// Plain returns the words of a Markdown text on one line.
func Plain(md string) string {
	if md == "" {
		return ""
	}
	if strings.ContainsRune(md, '[') {
		md = markupLink.ReplaceAllString(md, "$1")
	}
	if strings.ContainsRune(md, '<') {
		md = markupTag.ReplaceAllString(md, " ")
	}
	md = markupMark.Replace(markupLine.ReplaceAllString(md, ""))
	return strings.TrimSpace(blanks.ReplaceAllString(md, " "))
}

// Field is a part of a document, in the order of its weight.
type Field int

// Fields, the weightiest first.
const (
	InName Field = iota
	InCategory
	InPlace
	InText
	Fields // how many there are
)

// Marks that set derived terms of the embedded index apart from words as they are written.
const (
	MarkStem   = "\x01" // before a stem
	MarkPrefix = "\x02" // before the first letters of a word
)

// ShortPrefix is the longest beginning of a word, in bytes, that is a term of its own; in texts only this length is.
const ShortPrefix = 3

// beginnings puts the first letters of a word.
func (s *termSet) beginnings(w string, short bool) {
	for n := 1; n <= min(len(w), ShortPrefix); n++ {
		if (short || n == ShortPrefix) && (n == len(w) || utf8.RuneStart(w[n])) {
			s.put(MarkPrefix + w[:n])
		}
	}
}

// maxJoined is the longest pair of neighbours, in bytes, that is one word as well inside of texts: "fab lab".
const maxJoined = 10

// Terms returns the terms of d for each field, each once: every word as written (folded), its stem behind [MarkStem] where it is another one,
// the first letters behind [MarkPrefix], and neighbours written as one word.
func (d *Document) Terms() [Fields][]string {
	var sets [Fields]termSet
	sets[InName].add(d.Name, d.Lang, true)
	for _, n := range d.Names {
		sets[InName].add(n.Text, n.Lang, true)
	}
	for line := range strings.SplitSeq(d.Labels, "\n") {
		sets[InCategory].add(line, d.Lang, true)
	}
	for _, t := range d.Tags {
		sets[InCategory].add(t, d.Lang, true)
	}
	sets[InPlace].add(d.Town, d.Lang, true)
	for line := range strings.SplitSeq(d.Place, "\n") {
		sets[InPlace].add(line, d.Lang, true)
	}
	sets[InText].add(d.Summary, d.Lang, false)
	sets[InText].add(d.Text, d.Lang, false)
	sets[InText].add(d.Other, d.Lang, false)
	for _, t := range d.Texts {
		sets[InText].add(t.Text, t.Lang, false)
	}
	var out [Fields][]string
	for f := range sets {
		out[f] = sets[f].list
	}
	return out
}

type termSet struct {
	seen map[string]struct{}
	list []string
}

func (s *termSet) put(t string) bool {
	if s.seen == nil {
		s.seen = make(map[string]struct{}, 32)
	}
	if _, ok := s.seen[t]; ok {
		return false
	}
	s.seen[t] = struct{}{}
	s.list = append(s.list, t)
	return true
}

func (s *termSet) add(text, lang string, short bool) {
	last, lastStop := "", true
	for _, t := range Tokens(text) {
		stop := isStop(lang, t.Text)
		if s.put(t.Text) {
			if stem := stemmed(lang, t.Text); stem != t.Text {
				s.put(MarkStem + stem)
			}
			s.beginnings(t.Text, short)
		}
		if !stop && !lastStop && (short || len(last)+len(t.Text) <= maxJoined) {
			if joined := last + t.Text; s.put(joined) {
				s.beginnings(joined, short)
			}
		}
		last, lastStop = t.Text, stop
	}
}

// Latest returns what changes leave behind: the documents of entries that are public after them, and the ids of those
// that are not. Of several changes of one entry the last one counts. An entry whose content was erased is not public.
func Latest(changes []directory.Change, b *Builder) (docs []Document, gone []directory.ID) {
	last := make(map[directory.ID]int, len(changes))
	for i := range changes {
		last[changes[i].Entry.ID] = i
	}
	for i := range changes {
		c := &changes[i]
		if last[c.Entry.ID] != i {
			continue
		}
		if c.Entry.Shown() && !c.Redacted {
			docs = append(docs, b.Document(&c.Entry))
		} else {
			gone = append(gone, c.Entry.ID)
		}
	}
	return docs, gone
}

// Joined returns neighbours of a text written as one word, folded: "Fab Lab" is "fablab" as well.
func Joined(text, lang string) []string {
	var out []string
	last, lastStop := "", true
	for _, t := range Tokens(text) {
		stop := isStop(lang, t.Text)
		if !stop && !lastStop {
			out = append(out, last+t.Text)
		}
		last, lastStop = t.Text, stop
	}
	return out
}
