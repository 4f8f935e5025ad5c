package islands_test

import (
	"testing"

	"archipel/federation"
	"archipel/federation/islands"
)

func (in *isle) block(host string, blocked bool) {
	in.t.Helper()
	_, err := federation.ChangePolicy(in.t.Context(), in.store, func(p *federation.Policy) error {
		if delete(p.Rules, host); blocked {
			p.Rules = map[string]federation.Rule{host: {Severity: federation.Suspend}}
		}
		return nil
	})
	if err != nil {
		in.t.Fatal(err)
	}
}

// TestUnblocked: what a blocked island said meanwhile, itself or by way of a hub, is there as soon as it is not blocked.
func TestUnblocked(t *testing.T) {
	a, b, c := newIsle(t, nil), newIsle(t, nil), newIsle(t, nil)
	own, other := b.put(farm("De b")), c.put(farm("De c"))
	b.follow(c, islands.Scope{}, islands.Show)
	b.shown(c, "De c")
	a.follow(b, islands.Scope{Others: true}, islands.Show)
	a.shown(b, "De b")
	a.shown(c, "De c")

	a.block(c.host, true)
	a.shown(c)
	other.Name = "De c, changé"
	c.put(other)
	b.shown(c, "De c, changé")
	a.block(c.host, false)
	a.shown(c, "De c, changé")

	a.block(b.host, true)
	a.shown(b)
	a.shown(c)
	own.Name = "De b, changé"
	b.put(own)
	b.put(farm("Nouveau"))
	a.block(b.host, false)
	a.shown(b, "De b, changé", "Nouveau")
	a.shown(c, "De c, changé")
}

// TestAsksWhenItBegins: what was said while a directory did not run is there soon after it runs again.
func TestAsksWhenItBegins(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	e := b.put(farm("De b"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "De b")
	a.stop()
	e.Name = "De b, changé"
	b.put(e)
	eventually(t, "b has tried to say so", func() bool {
		hosts, err := federation.Hosts(t.Context(), b.store)
		return err == nil && len(hosts) == 1 && hosts[0].Failures > 0
	})
	a.open()
	a.shown(b, "De b, changé")
}
