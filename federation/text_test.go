package federation

import (
	"strings"
	"testing"

	"archipel/federation/vocab"

	"golang.org/x/net/html"
)

// allowedHTML are the elements and attributes that may be left of a stranger's text.
var allowedHTML = map[string]string{
	"p": "", "br": "", "strong": "", "em": "", "b": "", "i": "", "u": "", "del": "", "code": "", "pre": "", "blockquote": "", "ul": "", "ol": "", "li": "", "h3": "", "h4": "",
	"a": "href rel",
}

// harmful says what of a text that was sanitised could still do harm, or "".
func harmful(text string) string {
	for z := html.NewTokenizer(strings.NewReader(text)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return ""
		case html.CommentToken, html.DoctypeToken:
			return "a comment"
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			t := z.Token()
			attributes, ok := allowedHTML[t.Data]
			if !ok {
				return "<" + t.Data + ">"
			}
			for _, a := range t.Attr {
				switch {
				case !strings.Contains(" "+attributes+" ", " "+a.Key+" "):
					return a.Key + " of <" + t.Data + ">"
				case a.Key == "href" && vocab.Host(a.Val) == "" && !webAddress(a.Val):
					return "a link to " + a.Val
				}
			}
		}
	}
}

// webAddress is what a browser would take for an address of http, https or mailto, and for no other.
func webAddress(address string) bool {
	lower := strings.ToLower(address)
	return strings.HasPrefix(lower, "https:") || strings.HasPrefix(lower, "http:") || strings.HasPrefix(lower, "mailto:")
}

// attacks are texts that try to get through.
var attacks = []string{
	`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `<a href="javascript:alert(1)">x</a>`, `<a href=" jav&#x09;ascript:alert(1)">x</a>`,
	`<svg><script>alert(1)</script></svg>`, `<math><mi xlink:href="data:x,<script>alert(1)</script>">`, `<p onclick=alert(1)>x`, `<p style="background:url(javascript:x)">`,
	`<iframe srcdoc="<script>x</script>">`, `<scr<script>ipt>alert(1)</scr</script>ipt>`, `<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>`, `<!--><script>x</script>-->`,
	`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`, `<template><script>x</script></template>`, `<a href="vbscript:x">x</a>`, `&lt;script&gt;x&lt;/script&gt;`,
	`<textarea></textarea><script>x</script>`, `<style>@import 'https://evil.example/x.css';</style>`, `<form action="https://evil.example/"><input name=q></form>`,
	"<a href=\"https://a.example/\x00\">x</a>", `<a href="//evil.example/">x</a>`, `<base href="https://evil.example/">`, `<meta http-equiv=refresh content="0;url=javascript:x">`,
	`<p>Bonjour <a href="https://a.example/?a=1&amp;b=2" class="u-url mention">@anne</a>, c'est &lt;3 &amp; &quot;bien&quot;</p><br/><ul><li>un</ul>`, "<plaintext>x", "<xmp><script>", `<a href=https://a.example/ target=_blank onmouseover=x>`,
	`<object data="x"></object><embed src=x>`, `<isindex action=javascript:x type=image>`, `<p id="main">x</p>`, `<title></title><img src=//x>`, `<select><style></select><img src=x onerror=alert(1)></style>`,
	`<a href="https://a.example/?x&nbsp;#">x</a>`, "<a href='mailto:x\u3000#'>x</a>", `<a href="https:x&#8232;#">x</a>`, `<a href="https://a.example/?x#&nbsp;">x</a>`, `<a><a href="https://a.example/">x</a></a>`, "&#13;x&#133;&nbsp;", `<a href="https:////evil.example/">x</a>`,
}

func TestForeignHTML(t *testing.T) {
	for _, a := range attacks {
		got := cleanHTML(a)
		if what := harmful(got); what != "" {
			t.Errorf("%q becomes %q, which has %s", a, got, what)
		}
	}
	kept := `<p>Bonjour <a href="https://a.example/?a=1&amp;b=2" rel="nofollow">@anne</a> &lt;3</p>`
	if got := cleanHTML(`<p class="x">Bonjour <a href="https://a.example/?a=1&amp;b=2" class="u-url">@anne</a> &lt;3</p>`); got != kept {
		t.Errorf("an honest text becomes %q, want %q", got, kept)
	}
	if got := plain("a \u202e\u200f b&#x202e;c\u0085d"); got != "a bc d" {
		t.Errorf("%q", got)
	}
	if got := plain("<p>Un <b>signalement</b> &amp; plus</p><script>x</script>"); got != "Un signalement & plus" {
		t.Errorf("plain words become %q", got)
	}
}

// TestFactNames: the lines of a profile have names in the language of the site, where the interface has it.
func TestFactNames(t *testing.T) {
	for lang, want := range map[string]string{"fr": "Site web, Adresse", "fr-CA": "Site web, Adresse", "en": "Website, Address", "de": "Website, Address", "": "Website, Address"} {
		if n := factNames(lang); n.website+", "+n.address != want {
			t.Errorf("in %q: %v", lang, n)
		}
	}
}

// FuzzHTML lets nothing through that runs, frames, styles or loads, and changes nothing that passed once.
func FuzzHTML(f *testing.F) {
	for _, a := range attacks {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, foreign string) {
		once := cleanHTML(foreign)
		if what := harmful(once); what != "" {
			t.Errorf("%q becomes %q, which has %s", foreign, once, what)
		}
		if twice := cleanHTML(once); twice != once {
			t.Errorf("%q becomes %q, then %q", foreign, once, twice)
		}
		if strings.ContainsAny(plain(foreign), "\r\n\x00") {
			t.Errorf("%q becomes more than one line: %q", foreign, plain(foreign))
		}
	})
}

// FuzzHandle reads what people type as their address: what is taken leads to one server, and to a name without surprises.
func FuzzHandle(f *testing.F) {
	for _, typed := range []string{"@maud@bruyere.example", "acct:maud@bruyere.example:8443", "maud@BÜCHER.example", "@maud@[::1]:80", "maud@a.example/x", "@@", "maud@127.0.0.1", "maud@a.example?x=@b.example", "maud@a.example#@b.example",
		"maud@a..", "maud@*.*.a.example", "maud@a\u3002", "maud@a.example:0443", "maud@localhost:443", "maud@[0::1]", strings.Repeat("m", 64) + "@" + strings.Repeat("\u00e9.", 30) + "example"} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		user, host, err := parseHandle(typed)
		if err != nil {
			return
		}
		if strings.ContainsAny(user, "/?#@: \\%\r\n") || user == "" || vocab.Host("https://"+host+"/") != host || strings.ContainsAny(host, "/?#@ \\%\r\n") {
			t.Errorf("%q is %q at %q", typed, user, host)
		}
		if u, h, err := parseHandle(user + "@" + host); err != nil || u != user || h != host {
			t.Errorf("%q is %q at %q, and that is %q at %q, %v", typed, user, host, u, h, err)
		}
	})
}
