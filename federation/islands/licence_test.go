package islands_test

import (
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/islands"
)

// TestSiteLicence: entries without a licence of their own have that of the site. When it changes, also while the program does not
// run, islands hear of it, and what may not be passed on any more goes.
func TestSiteLicence(t *testing.T) {
	shared := &clock{}
	a, b := newIsle(t, shared), newIsle(t, shared)
	bare := farm("Sans licence")
	bare.Licence = ""
	bare = b.put(bare)
	own := b.put(farm("Avec"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Sans licence", "Avec")
	eventually(t, "the first licence is noted", func() bool { shared.forward(time.Second); return b.s.ToldLicence(t.Context()) == "ODbL-1.0" })
	if b.s.Epoch() != 0 {
		t.Fatal("an epoch began without a reason")
	}
	change := func(licence string) {
		t.Helper()
		b.licence.Store(&licence)
		eventually(t, "it is noted", func() bool { shared.forward(time.Second); return b.s.ToldLicence(t.Context()) == licence })
	}
	change("CC-BY-4.0")
	eventually(t, "the other licence arrives", func() bool { return a.entry(bare.ID).Licence == "CC-BY-4.0" })
	if e := a.entry(own.ID); e.Licence != "ODbL-1.0" {
		t.Errorf("that with its own has %s", e.Licence)
	}
	b.stop()
	closed := "CC-BY-ND-4.0"
	b.licence.Store(&closed)
	b.open()
	eventually(t, "what may not be passed on goes", func() bool { shared.forward(time.Second); return a.entry(bare.ID).Status != directory.Published })
	a.shown(b, "Avec")
}
