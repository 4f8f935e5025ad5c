package federation

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// A text that is cut stays one: what is kept is compared with what comes again.
func TestShort(t *testing.T) {
	text := strings.Repeat("é€😀a", 10)
	for most := range len(text) + 2 {
		if got := short(text, most); !utf8.ValidString(got) || !strings.HasPrefix(text, got) || len(got) > most || len(got) < min(most, len(text))-3 {
			t.Errorf("%d: %q", most, got)
		}
	}
	for _, foreign := range []string{"&#x202e;x&#133;", "\u202ex", strings.Repeat("<b>", 30) + "&#x2066;x", "<a href=\"https://a.example/&#x202e;\">x</a>"} {
		if html := replyHTML(foreign); unbent(html) != html || !strings.Contains(html, "x") {
			t.Errorf("%q becomes %q", foreign, html)
		}
	}
}
