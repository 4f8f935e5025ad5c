package archipelago

import (
	"testing"

	"archipel/federation/islands"
	"archipel/frontend"
)

// TestRefusals: every reason for which something is not taken is said in the reader's language.
func TestRefusals(t *testing.T) {
	codes := map[string]bool{}
	for _, why := range islands.Reasons() {
		code := refusalCodes[why]
		if code == "" || codes[code] {
			t.Errorf("%q has the code %q", why, code)
		}
		codes[code] = true
	}
	if len(refusalCodes) != len(codes) {
		t.Errorf("%d codes for %d reasons", len(refusalCodes), len(codes))
	}
	for _, lang := range []string{"fr", "en"} {
		for _, r := range refusals(frontend.T(lang), map[string]int{"over": 1, "too many corrections": 2}) {
			if r.Why == "over" || r.Why == "too many corrections" || r.Why == "" {
				t.Errorf("in %s it is said as %q", lang, r.Why)
			}
		}
	}
}
