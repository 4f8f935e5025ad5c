package api

import (
	"bytes"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
)

// renderer turns what people write into HTML that is safe to show.
type renderer struct {
	markdown goldmark.Markdown
	policy   *bluemonday.Policy
	strict   *bluemonday.Policy
}

var text = sync.OnceValue(func() renderer {
	p := bluemonday.NewPolicy()
	p.AllowStandardURLs()
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowRelativeURLs(false)
	p.AllowElements("p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "hr", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("href").OnElements("a")
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return renderer{
		markdown: goldmark.New(goldmark.WithExtensions(extension.Linkify, extension.Strikethrough, extension.Table), goldmark.WithRendererOptions(html.WithHardWraps())),
		policy:   p,
		strict:   bluemonday.StrictPolicy(),
	}
})

// renderMarkdown gives sanitised HTML. Raw HTML in the source is left out; headings start at h3, below the page's own.
func renderMarkdown(source string) string {
	if strings.TrimSpace(source) == "" {
		return ""
	}
	var b bytes.Buffer
	if err := text().markdown.Convert([]byte(source), &b); err != nil {
		return ""
	}
	out := b.String()
	out = strings.NewReplacer("<h2", "<h3", "</h2>", "</h3>", "<h1", "<h3", "</h1>", "</h3>").Replace(out)
	return text().policy.Sanitize(out)
}
