package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/mongostore/mongotest"
	"archipel/federation/islands"
)

// trio is three directories that are programs of their own: a follows b for the food of the Loire, with what b shows of
// others; b follows c, and may pass it on.
type trio struct {
	t       *testing.T
	wall    *wall
	a, b, c *islet
	began   time.Time
}

func newTrio(t *testing.T) *trio {
	w := &wall{path: filepath.Join(t.TempDir(), "clock")}
	if err := os.WriteFile(w.path, []byte("0s"), 0o600); err != nil {
		t.Fatal(err)
	}
	mongo := ""
	if os.Getenv("TEST_MONGODB_URI") != "" || os.Getenv("CI") == "true" {
		mongo = mongotest.Fresh(t)
	} else {
		t.Log("TEST_MONGODB_URI is not set: all three are on SQLite")
	}
	w.now()
	all := &trio{t: t, wall: w, began: time.Now()}
	all.a, all.b, all.c = newIslet(t, w, "a", "127.0.0.1", ""), newIslet(t, w, "b", "127.0.0.2", mongo), newIslet(t, w, "c", "127.0.0.3", "")
	return all
}

func (x *trio) all() []*islet { return []*islet{x.a, x.b, x.c} }

// scope is what a asks b for.
var scope = islands.Scope{Zones: []string{"FR-42"}, Categories: []string{"alimentation"}, Others: true}

func (x *trio) ask(of *islet) {
	x.t.Helper()
	from, args := x.a, []string{"ask", "http://" + of.host, "-zones", "FR-42", "-categories", "alimentation", "-others"}
	if of == x.c {
		from, args = x.b, args[:2]
	}
	from.run("islands", args...)
	x.eventually(of.name+" is asked", func() bool { return of.status(from).Out.State == islands.Asked })
	of.run("islands", "accept", from.host)
	x.eventually(from.name+" knows", func() bool { return from.status(of).In.Active() })
}

// eventually waits for what programs do, on a machine that may be busy.
func (x *trio) eventually(what string, ok func() bool) {
	x.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, i := range x.all() {
				x.t.Logf("%s: %s", i.name, i.run("islands", "list"))
			}
			x.t.Fatalf("never: %s", what)
		}
	}
}

// inScope says by itself what of an island's entries another one is to show.
func inScope(e *directory.Entry, wide bool) bool {
	if e.Status != directory.Published {
		return false
	}
	if wide {
		return true
	}
	food := slices.ContainsFunc(e.Categories, func(c string) bool { return c == "alimentation" || c == "ferme" || c == "amap" })
	loire := len(e.Sites) > 0 && e.Sites[0][0] > 3.8 && e.Sites[0][0] < 4.6
	return food && loire
}

// due is what a mirror is to show, by the stores of the origins: of b what is in the scope, of c what b shows.
func (x *trio) due(mirror *islet) map[directory.ID]string {
	due := map[directory.ID]string{}
	for _, origin := range []*islet{x.b, x.c} {
		if origin == mirror {
			continue
		}
		for id, e := range origin.entries() {
			if e.Origin == "" && inScope(&e, mirror == x.b) {
				due[id] = line(&e, origin.host, e.Version)
			}
		}
	}
	return due
}

// line is an entry as both sides have to have it.
func line(e *directory.Entry, origin string, version directory.Seq) string {
	shared := e.Clone()
	shared.Origin, shared.Version, shared.Slug, shared.Aliases, shared.Private, shared.Source, shared.Licence = origin, version, "", nil, nil, nil, ""
	shared.Created, shared.Updated = e.Created.UTC(), e.Updated.UTC()
	b, err := directory.EncodeStored(&shared)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// has is what a mirror has of others and shows, by its store.
func (x *trio) has(mirror *islet) map[directory.ID]string {
	has := map[directory.ID]string{}
	for id, e := range mirror.entries() {
		if e.Origin == "" || e.Status != directory.Published {
			continue
		}
		if m := e.Private.Mirror; m != nil {
			has[id] = line(&e, e.Origin, m.Version)
		}
	}
	return has
}

// differences are what a mirror does not show as its origins have it: in its store, or to everybody who asks.
func (x *trio) differences(mirror *islet) []string {
	due, has, shows := x.due(mirror), x.has(mirror), mirror.shows()
	own := mirror.entries()
	var wrong []string
	for id, want := range due {
		switch got, there := has[id]; {
		case !there:
			wrong = append(wrong, "lacks "+want)
		case got != want:
			wrong = append(wrong, "has "+got+" for "+want)
		}
		if shown := shows[id]; shown == nil {
			wrong = append(wrong, "does not show "+want)
		} else if name, _ := shown["properties"].(map[string]any); !strings.Contains(want, fmt.Sprintf("%q", name["name"])) {
			wrong = append(wrong, fmt.Sprintf("shows %v for %s", name["name"], want))
		}
	}
	for id, got := range has {
		if _, there := due[id]; !there {
			wrong = append(wrong, "has too much: "+got)
		}
	}
	for id := range shows {
		if _, there := due[id]; !there && own[id].Origin != "" {
			e := own[id]
			wrong = append(wrong, "shows too much: "+e.Name)
		}
	}
	slices.Sort(wrong)
	return wrong
}

// equal waits until each mirror shows exactly its scope of its origins, and lets them compare their sums.
func (x *trio) equal(stage string) {
	x.t.Helper()
	for _, mirror := range []*islet{x.b, x.a} {
		var wrong []string
		deadline := time.Now().Add(patience)
		for {
			if wrong = x.differences(mirror); len(wrong) == 0 {
				break
			}
			if time.Now().After(deadline) {
				for _, i := range x.all() {
					x.t.Logf("%s: %s", i.name, i.run("islands", "list"))
				}
				x.t.Fatalf("%s: %s is not equal: %s", stage, mirror.name, joined(wrong))
			}
			time.Sleep(250 * time.Millisecond)
		}
	}
	for mirror, origin := range map[*islet]*islet{x.b: x.c, x.a: x.b} {
		var st islands.Status
		for try := range 3 { // a comparison that began while entries were still coming counts these
			asked := x.wall.now().UTC()
			mirror.run("islands", "sync", origin.host)
			x.eventually(stage+": "+mirror.name+" compares with "+origin.name, func() bool {
				st = mirror.status(origin)
				return st.Sync.Compared.After(asked) && st.Sync.Error == ""
			})
			if st.Sync.Differed == 0 {
				break
			}
			x.t.Logf("%s: comparison %d of %s with %s set %d entries right", stage, try+1, mirror.name, origin.name, st.Sync.Differed)
		}
		if st.Sync.Differed > 0 {
			x.t.Errorf("%s: the sums of %s and %s differed in %d entries, and a comparison of all of them did not", stage, mirror.name, origin.name, st.Sync.Differed)
		}
	}
	for _, mirror := range []*islet{x.a, x.b} {
		if wrong := x.differences(mirror); len(wrong) > 0 {
			x.t.Errorf("%s: after the comparison %s is not equal: %s", stage, mirror.name, joined(wrong))
		}
	}
	x.t.Logf("%5.1f s  %s: a shows %d, b %d of others", time.Since(x.began).Seconds(), stage, len(x.due(x.a)), len(x.due(x.b)))
}

// none waits until an island shows nothing of another one.
func (x *trio) none(where, of *islet) {
	x.t.Helper()
	x.eventually(where.name+" shows nothing of "+of.name, func() bool {
		entries := where.entries()
		for id := range where.shows() {
			if e := entries[id]; e.Origin == of.host {
				return false
			}
		}
		return true
	})
}

// TestScenario is a year of three islands: they agree, change, part and come back, break down, are restored and are cut off.
// After each stage every mirror is its scope of the origin, exactly, and the sums by which they compare agree.
func TestScenario(t *testing.T) {
	if testing.Short() || os.Getenv("ARCHIPEL_TEST_LARGE") == "" {
		t.Skip("takes some minutes: set ARCHIPEL_TEST_LARGE=1")
	}
	x := newTrio(t)
	a, b, c := x.a, x.b, x.c
	x.churn(b, "avant")
	x.churn(c, "avant")
	x.ask(c)
	x.ask(b)
	x.equal("agreed")

	x.churn(b, "ordinaire")
	x.churn(c, "ordinaire")
	x.equal("created, changed, moved, deleted")

	one, two := b.put(farm("Ferme des Deux Rives")), b.put(farm("La ferme des deux rives"))
	x.equal("two that are one")
	if _, err := b.beside.Merge(t.Context(), directory.Merge{Author: "test", Kept: one.ID, Other: two.ID, KeptVersion: one.Version, OtherVersion: two.Version}); err != nil {
		t.Fatal(err)
	}
	x.equal("merged")
	if e := a.entries()[two.ID]; e.Status != directory.Removed {
		t.Errorf("what was merged is %s", e.Status)
	}

	x.blocking()
	x.parting()
	x.killing()
	x.restoring()
	x.losing()
	x.renewing()
	x.cutting()
	t.Logf("%.1f s in all", time.Since(x.began).Seconds())
}

// blocking: what came from a blocked island is gone at once, and comes back.
func (x *trio) blocking() {
	a, b, c := x.a, x.b, x.c
	a.run("federation", "block", c.host)
	x.none(a, c)
	a.run("federation", "block", b.host)
	x.none(a, b)
	x.churn(b, "bloquée")
	x.churn(c, "bloquée")
	a.run("federation", "unblock", b.host)
	a.run("federation", "unblock", c.host)
	x.equal("blocked, and not any more")
}

// parting: whoever pauses or leaves sees the other gone, and is welcome again.
func (x *trio) parting() {
	a, b, c := x.a, x.b, x.c
	a.run("islands", "pause", b.host, "in")
	x.none(a, b)
	x.none(a, c)
	x.churn(b, "en pause")
	x.churn(c, "en pause")
	x.eventually("b knows of the pause", func() bool { return b.status(a).Out.State == islands.Paused })
	a.run("islands", "resume", b.host, "in")
	x.equal("paused by who follows, and resumed")

	b.run("islands", "pause", a.host, "out")
	x.none(a, b)
	x.churn(b, "en pause aussi")
	b.run("islands", "resume", a.host, "out")
	x.equal("paused by who is followed, and resumed")

	a.run("islands", "end", b.host, "in")
	x.none(a, b)
	x.none(a, c)
	x.eventually("b knows that a left", func() bool { return b.status(a).Out.State == islands.Ended })
	x.churn(b, "sans a")
	x.churn(c, "sans a")
	x.ask(b)
	x.equal("left, and followed again")
}

// killing: each dies in its turn while all of them are changing. What was answered stands.
func (x *trio) killing() {
	for _, i := range x.all() {
		i.enters()
	}
	for _, victim := range x.all() {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		var mu sync.Mutex
		saved := map[*islet]map[directory.ID]string{}
		for _, i := range x.all() {
			wg.Go(func() {
				done := i.burst(stop, "Rafale de "+i.name+" quand meurt "+victim.name)
				mu.Lock()
				defer mu.Unlock()
				saved[i] = done
			})
		}
		began := len(victim.entries())
		x.eventually("something is written before "+victim.name+" dies", func() bool { return len(victim.entries()) > began+40 })
		victim.kill()
		time.Sleep(300 * time.Millisecond) // the others go on for a while
		close(stop)
		wg.Wait()
		victim.begin()
		for i, done := range saved {
			stands := i.entries()
			for id, name := range done {
				if stands[id].Name != name {
					x.t.Errorf("%s: %q was saved and is lost", i.name, name)
				}
			}
		}
		x.equal(fmt.Sprintf("%s killed, after %d, %d and %d were written", victim.name, len(saved[x.a]), len(saved[x.b]), len(saved[x.c])))
	}
}

// restoring: b comes back from an older backup. What it lost is lost everywhere, what c said meanwhile is not.
func (x *trio) restoring() {
	b, c := x.b, x.c
	file := filepath.Join(x.t.TempDir(), "backup")
	b.run("backup", file)
	x.churn(b, "perdue")
	x.churn(c, "gardée")
	lost := b.put(farm("Perdue"))
	x.equal("before the restoration")
	b.kill()
	b.restore(file)
	b.begin()
	if _, there := b.entries()[lost.ID]; there {
		x.t.Error("the backup holds what came after it")
	}
	x.equal("restored from a backup")
	x.churn(b, "après")
	x.churn(c, "après")
	x.equal("after the restoration")
}

// losing: a third of the connections break, before what they ask for or after it. That costs time, and nothing else.
func (x *trio) losing() {
	for _, i := range x.all() {
		i.gate.lose(0.3)
	}
	for n := range 4 {
		x.churn(x.b, fmt.Sprint("perte ", n))
		x.churn(x.c, fmt.Sprint("perte ", n))
		x.wall.forward(x.t, 20*time.Minute) // whoever waits before it tries again does so now
		time.Sleep(2 * time.Second)
	}
	for _, i := range x.all() {
		i.gate.lose(0)
	}
	x.wall.forward(x.t, 24*time.Hour)
	x.equal("connections were lost")
}

// renewing: c and b get new keys while they speak with one another.
func (x *trio) renewing() {
	for _, i := range []*islet{x.c, x.b} {
		i.run("federation", "rotate-keys")
		x.churn(x.b, "clés de "+i.name)
		x.churn(x.c, "clés de "+i.name)
		x.equal(i.name + " has new keys")
	}
}

// cutting: nobody reaches anybody for a month, then for longer than is remembered what is gone. Before that c leaves a's
// entries: after the month nothing of them is left.
func (x *trio) cutting() {
	a, b, c := x.a, x.b, x.c
	secret := a.put(farm("Potager de la Varenne"))
	c.run("islands", "ask", "http://"+a.host)
	x.eventually("a is asked", func() bool { return a.status(c).Out.State == islands.Asked })
	a.run("islands", "accept", c.host)
	x.eventually("c shows it", func() bool { return c.shows()[secret.ID] != nil })
	c.run("islands", "end", a.host, "in")
	x.none(c, a)
	if e := c.entries()[secret.ID]; e.Status != directory.Hidden {
		x.t.Errorf("what was left is %s", e.Status)
	}
	x.eventually("a knows that c left", func() bool { return a.status(c).Out.State == islands.Ended })

	for _, cut := range []struct {
		what string
		days int
	}{{"a month", 31}, {"longer than is remembered", 200}} {
		for _, i := range x.all() {
			i.gate.lose(1)
		}
		before := x.has(a)
		for week := range 4 {
			x.churn(b, fmt.Sprintf("%s %d", cut.what, week))
			x.churn(c, fmt.Sprintf("%s %d", cut.what, week))
			x.wall.forward(x.t, time.Duration(cut.days)*24*time.Hour/4)
			time.Sleep(time.Second)
		}
		x.eventually("a marks b as silent", func() bool { return a.status(b).Stale })
		if now := x.has(a); !maps.Equal(now, before) {
			x.t.Errorf("%s: what a shows changed while it heard nothing: %d entries, %d before", cut.what, len(now), len(before))
		}
		x.eventually("what c left is erased", func() bool {
			e := c.entries()[secret.ID]
			history, err := c.beside.History(x.t.Context(), secret.ID, 0, 100)
			if err != nil {
				x.t.Fatal(err)
			}
			return e.Name == "" && !slices.ContainsFunc(history, func(h directory.Change) bool { return h.Entry.Name != "" || h.Entry.Summary != "" })
		})
		for _, i := range x.all() {
			i.gate.lose(0)
		}
		x.wall.forward(x.t, 36*time.Hour) // whoever was away so long is tried once a day
		x.equal("cut off for " + cut.what)
		if a.status(b).Stale {
			x.t.Error("b is still marked as silent")
		}
	}
	if status, _ := a.get("/e/" + secret.Slug); status != http.StatusOK {
		x.t.Errorf("a's own entry is answered with %d", status)
	}
	if !reflect.DeepEqual(a.status(b).In.Asked, scope) {
		x.t.Errorf("a asks b for %+v", a.status(b).In.Asked)
	}
}
