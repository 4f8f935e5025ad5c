package taxonomy

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"gopkg.in/yaml.v3"

	"archipel/directory"
)

// Limits of a taxonomy.
const (
	MaxBytes      = 1 << 20 // of the file
	MaxCategories = 2000
	MaxDepth      = 5
	maxLabel      = 80  // characters
	maxText       = 500 // characters of a description
	maxList       = 100 // synonyms, tags or needs of one category
	maxProblems   = 50  // reported at once
	// MinContrast is how much a colour must stand out from white (WCAG 2.2, 1.4.11): the map shows a white icon on it.
	MinContrast = 3.0
)

// Problem is one mistake in a taxonomy.
type Problem struct {
	Line     int    // in the file, from 1; 0 when it belongs to no line
	Category string // id, or empty
	Field    string // or empty
	Message  string
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	if p.Category != "" {
		fmt.Fprintf(&b, "category %q: ", p.Category)
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	return b.String() + p.Message
}

// Error is every problem of a file; errors.As finds it.
type Error struct {
	Name     string // of the file
	Problems []Problem
	More     int // problems beyond those listed
}

func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	for _, p := range e.Problems {
		lines = append(lines, e.Name+": "+p.String())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("%s: and %d more", e.Name, e.More))
	}
	return strings.Join(lines, "\n")
}

// Load reads a taxonomy from a YAML or JSON file.
func Load(path string) (*Taxonomy, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("taxonomy: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("taxonomy: %w", err)
	}
	return Parse(path, b)
}

// Parse reads a taxonomy in YAML or JSON; name stands for it in errors. It reports every problem it finds in one *[Error].
func Parse(name string, data []byte) (*Taxonomy, error) {
	p := &parser{lines: map[string]int{}}
	t := p.parse(data)
	if len(p.problems) > 0 {
		slices.SortStableFunc(p.problems, func(a, b Problem) int { return a.Line - b.Line })
		e := &Error{Name: name, Problems: p.problems}
		if n := len(e.Problems) - maxProblems; n > 0 {
			e.Problems, e.More = e.Problems[:maxProblems], n
		}
		return nil, e
	}
	return holding(t), nil
}

type parser struct {
	problems []Problem
	lines    map[string]int // of each category
	category string
}

func (p *parser) fail(line int, field, format string, args ...any) {
	p.problems = append(p.problems, Problem{line, p.category, field, fmt.Sprintf(format, args...)})
}

func (p *parser) parse(data []byte) *tree {
	switch {
	case len(data) > MaxBytes:
		p.fail(0, "", "larger than %d bytes", MaxBytes)
		return nil
	case !utf8.Valid(data):
		p.fail(0, "", "not UTF-8 text")
		return nil
	}
	var doc yaml.Node
	if err := decode(data, &doc); err != nil {
		p.fail(0, "", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return nil
	}
	if len(doc.Content) == 0 {
		p.fail(0, "", "empty: want languages and categories")
		return nil
	}
	t := &tree{byID: map[string]*node{}}
	var list *yaml.Node
	p.fields(doc.Content[0], "the file", func(field string, v *yaml.Node) bool {
		switch field {
		case "languages":
			t.languages = p.strings(field, v)
			for _, l := range t.languages {
				if _, err := language.Parse(l); err != nil {
					p.fail(v.Line, field, "%q is not a language tag such as fr or pt-BR", l)
				}
			}
		case "categories":
			list = v
		default:
			return false
		}
		return true
	})
	if len(t.languages) == 0 {
		p.fail(0, "languages", "missing: name at least one")
	}
	switch {
	case list == nil:
		p.fail(0, "categories", "missing")
	case list.Kind != yaml.SequenceNode:
		p.fail(list.Line, "categories", "want a list, each item starting with \"- id:\"")
	case len(list.Content) == 0:
		p.fail(list.Line, "categories", "empty")
	case len(list.Content) > MaxCategories:
		p.fail(list.Line, "categories", "%d of them: at most %d", len(list.Content), MaxCategories)
	default:
		for _, n := range list.Content {
			if c, ok := p.one(n, t.languages); ok {
				t.raw = append(t.raw, c)
			}
		}
	}
	p.category = ""
	p.tree(t)
	if len(p.problems) > 0 {
		return nil
	}
	p.inherit(t)
	t.index()
	return t
}

// decode turns a panic of the YAML library on hostile input into an error.
func decode(data []byte, doc *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot be read: %v", r)
		}
	}()
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	if err := dec.Decode(doc); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		if err != nil {
			return err
		}
		return errors.New("more than one document (a line of ---)")
	}
	return nil
}

// fields calls set for each field of a mapping; set reports whether it knows the field.
func (p *parser) fields(n *yaml.Node, what string, set func(field string, v *yaml.Node) bool) {
	if n.Kind != yaml.MappingNode {
		p.fail(n.Line, "", "%s: want fields such as \"id: something\"", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
			p.fail(k.Line, "", "%s: a field's name must be a word", what)
		case seen[k.Value]:
			p.fail(k.Line, k.Value, "given twice")
		case v.Kind == yaml.AliasNode:
			p.fail(v.Line, k.Value, "references (*name) are not supported: write it out")
		case !set(k.Value, v):
			p.fail(k.Line, k.Value, "unknown field")
		}
		seen[k.Value] = true
	}
}

var (
	idForm     = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	colorForm  = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	tagForm    = regexp.MustCompile(`^[a-z0-9_:]+=[^=\s;][^=;]*$`)
	schemaForm = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	needForm   = regexp.MustCompile(`^[a-z0-9_]+$`)
)

func (p *parser) one(n *yaml.Node, languages []string) (c Category, ok bool) {
	p.category = ""
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "id" {
			p.category = n.Content[i+1].Value
		}
	}
	if n.Kind != yaml.MappingNode {
		p.fail(n.Line, "", "a category: want fields such as \"id: something\"")
		return c, false
	}
	p.fields(n, "a category", func(field string, v *yaml.Node) bool {
		switch field {
		case "id":
			c.ID = p.word(field, v, idForm, "lower-case letters, digits and single hyphens")
		case "parent":
			c.Parent = p.word(field, v, idForm, "the id of another category")
		case "label":
			c.Label = p.texts(field, v, maxLabel)
		case "short":
			c.Short = p.texts(field, v, maxLabel)
		case "description":
			c.Description = p.texts(field, v, maxText)
		case "icon":
			c.Icon = p.word(field, v, idForm, "the name of an icon, such as bike")
		case "color":
			c.Color = strings.ToLower(p.word(field, v, colorForm, `"#rrggbb" in quotes, because a bare # starts a comment`))
			if got := Contrast(c.Color); c.Color != "" && got < MinContrast {
				p.fail(v.Line, field, "%s is too light for a white icon: contrast %.1f, want at least %.0f", c.Color, got, MinContrast)
			}
		case "synonyms":
			c.Synonyms = p.strings(field, v)
		case "osm":
			c.OSM = p.list(field, v, tagForm, `an OpenStreetMap tag such as "amenity=cafe"`)
		case "needs":
			c.Needs = p.list(field, v, needForm, "a need in TransforMap's words, such as food")
		case "former":
			c.Former = p.list(field, v, idForm, "an id: lower-case letters, digits and single hyphens")
		case "schema":
			c.Schema = p.texts(field, v, maxLabel)
			for kind, typ := range c.Schema {
				if !slices.Contains(directory.Kinds, directory.Kind(kind)) {
					p.fail(v.Line, field, "%q is no kind of entry: want organisation, place, initiative or event", kind)
				}
				if !schemaForm.MatchString(typ) {
					p.fail(v.Line, field, "%q is no schema.org type such as Organization", typ)
				}
			}
		default:
			return false
		}
		return true
	})
	if c.ID == "" && p.category == "" {
		p.fail(n.Line, "id", "missing")
	}
	for _, l := range languages {
		if c.Label[l] == "" {
			p.fail(n.Line, "label", "no label in %q", l)
		}
	}
	for _, m := range []struct {
		field string
		texts map[string]string
	}{{"label", c.Label}, {"short", c.Short}, {"description", c.Description}} {
		for tag := range m.texts {
			if _, err := language.Parse(tag); err != nil {
				p.fail(n.Line, m.field, "%q is not a language tag such as fr or pt-BR", tag)
			}
		}
	}
	if c.ID == "" {
		return c, false
	}
	if first, twice := p.lines[c.ID]; twice {
		p.fail(n.Line, "id", "already used in line %d", first)
		return c, false
	}
	p.lines[c.ID] = n.Line
	return c, true
}

func (p *parser) text(field string, v *yaml.Node, max int) string {
	s := strings.TrimSpace(v.Value)
	switch {
	case v.Kind != yaml.ScalarNode:
		p.fail(v.Line, field, "want a text")
		return ""
	case s == "" || v.Tag == "!!null":
		p.fail(v.Line, field, "empty (put quotes around a text that holds a comma or begins with #)")
		return ""
	case utf8.RuneCountInString(s) > max:
		p.fail(v.Line, field, "longer than %d characters", max)
		return ""
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' || r == 0xfffe || r == 0xffff }):
		// An escape ("\x85") says them, but YAML does not read them, or reads a line break, in what is written of this.
		p.fail(v.Line, field, "holds control characters")
		return ""
	}
	return s
}

func (p *parser) word(field string, v *yaml.Node, form *regexp.Regexp, want string) string {
	if v.Kind == yaml.ScalarNode && v.Tag == "!!null" {
		p.fail(v.Line, field, "empty: want %s", want)
		return ""
	}
	s := p.text(field, v, maxLabel)
	if s != "" && !form.MatchString(s) {
		p.fail(v.Line, field, "%q: want %s", s, want)
		return ""
	}
	return s
}

func (p *parser) texts(field string, v *yaml.Node, max int) map[string]string {
	if v.Kind != yaml.MappingNode {
		p.fail(v.Line, field, "want one text per key, such as {fr: Jardin, en: Garden}")
		return nil
	}
	m := map[string]string{}
	p.fields(v, field, func(key string, v *yaml.Node) bool {
		if len(key) > maxLabel { // no language's tag; YAML reads no key of over 1024 characters in what is written of this
			p.fail(v.Line, field, "%.20q…: longer than %d bytes", key, maxLabel)
			return true
		}
		if s := p.text(field+"."+key, v, max); s != "" {
			m[key] = s
		}
		return true
	})
	if len(m) == 0 {
		return nil // as when the field is not there, which is how it is written
	}
	return m
}

func (p *parser) strings(field string, v *yaml.Node) []string { return p.list(field, v, nil, "") }

func (p *parser) list(field string, v *yaml.Node, form *regexp.Regexp, want string) []string {
	switch {
	case v.Kind != yaml.SequenceNode:
		p.fail(v.Line, field, "want a list: [one, two]")
		return nil
	case len(v.Content) > maxList:
		p.fail(v.Line, field, "more than %d items", maxList)
		return nil
	}
	var out []string
	for i, n := range v.Content {
		name := field + "[" + strconv.Itoa(i) + "]"
		s := p.text(name, n, maxLabel)
		switch {
		case s == "":
		case form != nil && !form.MatchString(s):
			p.fail(n.Line, name, "%q: want %s", s, want)
		case slices.Contains(out, s):
			p.fail(n.Line, name, "%q is in the list twice", s)
		default:
			out = append(out, s)
		}
	}
	return out
}

// Contrast is the contrast ratio of a colour ("#rrggbb") with white, from 1 to 21 (WCAG 2.2); 0 for anything else.
func Contrast(color string) float64 {
	if !colorForm.MatchString(color) {
		return 0
	}
	v, _ := strconv.ParseUint(color[1:], 16, 32)
	channel := func(shift uint) float64 {
		c := float64(v>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 1.05 / (0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0) + 0.05)
}
