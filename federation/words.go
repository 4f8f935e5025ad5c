package federation

import (
	"strings"
	"sync"
	"unicode"

	"github.com/microcosm-cc/bluemonday"
	nethtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// replyPolicy is what may stay of the HTML of a reply, which stands on our pages among our own words: no pictures, no
// headings, and links that search engines do not follow.
var replyPolicy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	p.AllowElements("p", "br", "strong", "em", "b", "i", "u", "del", "code", "pre", "blockquote", "ul", "ol", "li")
	p.AllowAttrs("href").OnElements("a")
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return p
})

// maxNesting is how deep elements of a reply may stand in one another.
const maxNesting = 20

// replyHTML is what may stay of a stranger's HTML on our own pages. Every element that it opens it closes, and no other: it
// cannot leave its place.
func replyHTML(foreign string) string {
	kept := replyPolicy().Sanitize(unbent(foreign))
	body := &nethtml.Node{Type: nethtml.ElementNode, Data: "div", DataAtom: atom.Div}
	nodes, err := nethtml.ParseFragment(strings.NewReader(kept), body)
	if err != nil {
		return paragraph(plain(foreign))
	}
	var b strings.Builder
	for _, n := range nodes {
		if depth(n) > maxNesting || nethtml.Render(&b, n) != nil {
			return paragraph(plain(foreign))
		}
	}
	return strings.TrimSpace(unbent(b.String())) // once more: what was a reference is a sign by now
}

// depth is how deep a tree is, as far as it matters.
func depth(n *nethtml.Node) int {
	deepest := 0
	var walk func(n *nethtml.Node, at int)
	walk = func(n *nethtml.Node, at int) {
		if deepest = max(deepest, at); deepest > maxNesting {
			return
		}
		for c := range n.ChildNodes() {
			walk(c, at+1)
		}
	}
	walk(n, 1)
	return deepest
}

// unbent is a text without the signs that turn the direction of what follows: with them a name could pass for another, and
// words of ours beside it change their order.
func unbent(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) || r != '\n' && r != '\t' && r != '\r' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}
