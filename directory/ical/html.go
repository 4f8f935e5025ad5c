package ical

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

var tagForm = regexp.MustCompile(`(?i)</?(p|br|div|a|b|i|u|strong|em|ul|ol|li|span|h[1-6]|html|body|table|img|blockquote|font|script|style)(\s[^<>]*)?/?>`)

func looksLikeHTML(s string) bool { return tagForm.MatchString(s) }

// markdownSigns are what Markdown would take for itself. Underscores are left, since addresses have them.
var markdownSigns = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "[", `\[`, "]", `\]`, "<", `\<`)

var (
	manyBreaks = regexp.MustCompile(`\n{3,}`)
	blankEnds  = regexp.MustCompile(`[ \t]+\n`)
)

// fromHTML gives the words of HTML as Markdown: paragraphs, lists, headings, emphasis and links to the web. Everything else
// of it is left aside, whatever it is.
func fromHTML(s string) string {
	w := &markdown{}
	t := html.NewTokenizer(strings.NewReader(s))
	t.SetMaxBuf(maxLine)
	for {
		switch t.Next() {
		case html.ErrorToken:
			out := blankEnds.ReplaceAllString(w.out.String(), "\n")
			return strings.TrimSpace(manyBreaks.ReplaceAllString(out, "\n\n"))
		case html.TextToken:
			if w.hidden == 0 {
				w.text(string(t.Text()))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			token := t.Token()
			w.start(&token)
		case html.EndTagToken:
			token := t.Token()
			w.end(&token)
		}
	}
}

type markdown struct {
	out    strings.Builder
	hidden int      // depth of what nobody reads
	links  []string // targets of the links that are open
	lists  []int    // number of the last item, -1 in lists without numbers
	last   byte
}

func (w *markdown) write(s string) {
	if s != "" {
		w.out.WriteString(s)
		w.last = s[len(s)-1]
	}
}

func (w *markdown) text(s string) {
	words := strings.Join(strings.Fields(s), " ")
	if words == "" {
		if s != "" && w.last != '\n' && w.last != ' ' && w.last != 0 {
			w.write(" ")
		}
		return
	}
	if strings.ContainsRune(" \n\t\r", rune(s[0])) && w.last != '\n' && w.last != 0 && w.last != ' ' {
		w.write(" ")
	}
	w.write(markdownSigns.Replace(words))
	if strings.ContainsRune(" \n\t\r", rune(s[len(s)-1])) {
		w.write(" ")
	}
}

func (w *markdown) start(t *html.Token) {
	switch t.DataAtom {
	case atom.Script, atom.Style, atom.Head, atom.Title, atom.Template, atom.Noscript, atom.Iframe, atom.Object, atom.Svg, atom.Math, atom.Textarea, atom.Select:
		if t.Type == html.StartTagToken {
			w.hidden++
		}
	}
	if w.hidden > 0 {
		return
	}
	switch t.DataAtom {
	case atom.Br:
		w.write("\n")
	case atom.P, atom.Div, atom.Blockquote, atom.Table, atom.Section, atom.Article:
		w.write("\n\n")
	case atom.Tr:
		w.write("\n\n")
	case atom.Td, atom.Th:
		w.write(" ")
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.write("\n\n### ")
	case atom.Ul, atom.Ol:
		if len(w.lists) == 0 {
			w.write("\n\n")
		}
		if len(w.lists) < 8 {
			w.lists = append(w.lists, -1)
		}
	case atom.Li:
		w.write("\n" + strings.Repeat("  ", max(len(w.lists)-1, 0)) + "- ")
	case atom.A:
		if t.Type == html.SelfClosingTagToken || len(w.links) >= 4 {
			return
		}
		target := ""
		for _, a := range t.Attr {
			if a.Key == "href" {
				target = webLink(a.Val)
			}
		}
		if strings.ContainsAny(target, "()\\") {
			target = strings.NewReplacer("(", "%28", ")", "%29", `\`, "%5C").Replace(target)
		}
		w.links = append(w.links, target)
		if target != "" {
			w.write("[")
		}
	}
}

func (w *markdown) end(t *html.Token) {
	switch t.DataAtom {
	case atom.Script, atom.Style, atom.Head, atom.Title, atom.Template, atom.Noscript, atom.Iframe, atom.Object, atom.Svg, atom.Math, atom.Textarea, atom.Select:
		w.hidden = max(w.hidden-1, 0)
		return
	}
	if w.hidden > 0 {
		return
	}
	switch t.DataAtom {
	case atom.P, atom.Div, atom.Blockquote, atom.Table, atom.Section, atom.Article, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.write("\n\n")
	case atom.Ul, atom.Ol:
		if n := len(w.lists); n > 0 {
			w.lists = w.lists[:n-1]
		}
		if len(w.lists) == 0 {
			w.write("\n\n")
		}
	case atom.A:
		if n := len(w.links); n > 0 {
			if target := w.links[n-1]; target != "" {
				w.write("](" + target + ")")
			}
			w.links = w.links[:n-1]
		}
	}
}

// plainSigns are what Markdown would take for a heading or a rule at the beginning of a line.
var plainSigns = regexp.MustCompile(`^(#{1,6}|={3,}|-{3,}|~{3,}|_{3,}|\*{3,})`)

// fromPlain keeps the words and lines of a text that knows nothing of Markdown. Lines stay apart where it is shown.
func fromPlain(s string) string {
	lines := strings.Split(strings.TrimSpace(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)), "\n")
	for i, l := range lines {
		l = strings.TrimSpace(l)
		if plainSigns.MatchString(l) {
			l = `\` + l
		}
		lines[i] = l
	}
	return strings.Join(lines, "\n")
}
