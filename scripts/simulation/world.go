package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/islands"

	"github.com/paulmach/orb"
)

// world is the archipelago: islands on a grid, each with a territory of one degree by one.
type world struct {
	folder  string
	entries int // of each island
	poll    time.Duration
	look    time.Duration
	random  *rand.Rand
	isles   []*isle
	follows []follow
	liar    *isle
	paths   paths
	arrived arrived

	mu     sync.Mutex
	failed error
}

func (w *world) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = errors.Join(w.failed, err)
}

// follow is who follows whom for what: the eastern or western half of the territory, food, or what a hub shows of others.
type follow struct {
	who, whom *isle
	half      int // -1 west, 1 east, 0 both
	food      bool
	others    bool
}

const columns = 20

// regionOf is which hub an island belongs to: bands of the grid of 40 islands each, or all of a small world.
func regionOf(n int) int { return n / 40 }

// corner is the south-west corner of an island's territory.
func corner(n int) orb.Point {
	return orb.Point{-5 + float64(n%columns), 40 + float64(n/columns)}
}

// plan says who follows whom: each island its four neighbours, for the half of their land that is nearer and for food; the
// first island of each region, a hub, all others of its region for food; and four islands of each region the hub, with what it
// shows of others.
func (w *world) plan() {
	n := len(w.isles)
	add := func(f follow) {
		if f.who == f.whom || slices.ContainsFunc(w.follows, func(g follow) bool { return g.who == f.who && g.whom == f.whom }) {
			return
		}
		w.follows = append(w.follows, f)
	}
	for i, in := range w.isles {
		if i == hubOf(i) {
			for j := i + 1; j < n && regionOf(j) == regionOf(i); j++ {
				add(follow{who: in, whom: w.isles[j], food: true})
			}
			continue
		}
		if k := i - hubOf(i); k >= 5 && k < 9 {
			add(follow{who: in, whom: w.isles[hubOf(i)], food: true, others: true})
		}
		for _, step := range []struct{ by, half int }{{-1, 1}, {1, -1}, {-columns, 0}, {columns, 0}} {
			j := i + step.by
			if j < 0 || j >= n || (step.by == -1 || step.by == 1) && j/columns != i/columns {
				continue
			}
			add(follow{who: in, whom: w.isles[j], half: step.half, food: true})
		}
	}
}

func hubOf(n int) int { return regionOf(n) * 40 }

// scope is what the program is told.
func (f *follow) scope() islands.Scope {
	s := islands.Scope{Others: f.others}
	if f.food {
		s.Categories = []string{foodRoot}
	}
	if f.half != 0 {
		c := corner(f.whom.n)
		west := c[0] - 1
		if f.half > 0 {
			west = c[0] + 0.5
		}
		b := orb.Bound{Min: orb.Point{west, c[1] - 1}, Max: orb.Point{west + 1.5, c[1] + 2}}
		s.Area = &directory.Shape{Geometry: b.ToPolygon()}
	}
	return s
}

// holds is the same said again, without the program's own rules, for the comparison at the end.
func (f *follow) holds(e *directory.Entry) bool {
	if f.food && !slices.ContainsFunc(e.Categories, func(c string) bool { return slices.Contains(food, c) }) {
		return false
	}
	if f.half == 0 {
		return true
	}
	x, c := e.Sites[0][0], corner(f.whom.n)
	if f.half > 0 {
		return x >= c[0]+0.5
	}
	return x <= c[0]+0.5
}

// Categories of entries: one of five is food.
const foodRoot = "alimentation"

var (
	food   = []string{"ferme", "amap"}
	others = []string{"repair-cafe", "ressourcerie", "tiers-lieu", "coworking", "jardin-partage", "bibliotheque-objets", "atelier-velo", "energie-citoyenne"}
)

func (w *world) site(n int) orb.Point {
	c := corner(n)
	return orb.Point{c[0] + w.random.Float64(), c[1] + w.random.Float64()}
}

// fresh is a new entry of an island.
func (w *world) fresh(n, i int) directory.Entry {
	category := others[w.random.IntN(len(others))]
	if w.random.IntN(5) == 0 {
		category = food[w.random.IntN(len(food))]
	}
	return directory.Entry{
		Kind: directory.Organisation, Name: fmt.Sprintf("Association %d de l'île %d", i, n), Lang: "fr", Categories: []string{category},
		Summary: "Un lieu ouvert à toutes et tous, au cœur du quartier.", Sites: []orb.Point{w.site(n)}, Tags: []string{"partage"},
		Description: strings.Repeat("Nous faisons ensemble, sans attendre, et partageons ce que nous savons. ", 3),
		Address:     &directory.Address{Street: fmt.Sprint(i, " rue des Tilleuls"), PostalCode: "42000", Locality: "Saint-Étienne", Country: "FR"},
		Contact:     &directory.Contact{Email: fmt.Sprintf("a%d-%d@example.org", n, i), Website: fmt.Sprintf("https://a%d-%d.example.org", n, i)},
		Licence:     "ODbL-1.0",
	}
}

// fill gives an island its entries.
func (w *world) fill(ctx context.Context, in *isle) error {
	for at := 0; at < w.entries; at += 500 {
		var batch []directory.Entry
		for i := at; i < min(at+500, w.entries); i++ {
			batch = append(batch, w.fresh(in.n, i))
		}
		outcomes, err := in.d.Write(ctx, directory.Write{Author: "import", Entries: batch})
		if err != nil {
			return err
		}
		for i := range outcomes {
			if outcomes[i].Err != nil {
				return outcomes[i].Err
			}
		}
	}
	return nil
}

// public lists what an island shows: its own by id, and what is of others by their host and id.
func (in *isle) public(ctx context.Context) (own map[directory.ID]directory.Entry, mirrored map[string]map[directory.ID]directory.Entry, err error) {
	own, mirrored = map[directory.ID]directory.Entry{}, map[string]map[directory.ID]directory.Entry{}
	err = in.d.Scan(ctx, func(entries []directory.Entry) error {
		for _, e := range entries {
			if !e.Public() {
				continue
			}
			slim := directory.Entry{ID: e.ID, Name: e.Name, Version: e.Version, Categories: e.Categories, Sites: e.Sites, Origin: e.Origin}
			if e.Origin == "" {
				own[e.ID] = slim
				continue
			}
			if e.Private != nil && e.Private.Mirror != nil {
				slim.Version = e.Private.Mirror.Version
			}
			if mirrored[e.Origin] == nil {
				mirrored[e.Origin] = map[directory.ID]directory.Entry{}
			}
			mirrored[e.Origin][e.ID] = slim
		}
		return nil
	})
	return own, mirrored, err
}

// expected is what an island is to show of others.
func (w *world) expected(who *isle, own map[*isle]map[directory.ID]directory.Entry) map[directory.ID]directory.Entry {
	all := map[directory.ID]directory.Entry{}
	for i := range w.follows {
		f := &w.follows[i]
		if f.who != who {
			continue
		}
		for id, e := range own[f.whom] {
			if f.holds(&e) {
				all[id] = e
			}
		}
		if !f.others {
			continue
		}
		for j := range w.follows { // what the hub follows in its turn
			g := &w.follows[j]
			if g.who != f.whom || g.whom == who {
				continue
			}
			for id, e := range own[g.whom] {
				if g.holds(&e) && f.holds(&e) {
					all[id] = e
				}
			}
		}
	}
	return all
}

// compare reads every island whole, and says in how many entries what stands on its mirrors differs from what the origins
// show now.
func (w *world) compare(ctx context.Context) (mirrored, differ, forged int, example string, err error) {
	own, shown := map[*isle]map[directory.ID]directory.Entry{}, map[*isle]map[string]map[directory.ID]directory.Entry{}
	for _, in := range w.isles {
		if own[in], shown[in], err = in.public(ctx); err != nil {
			return 0, 0, 0, "", err
		}
	}
	wrong := func(format string, args ...any) {
		differ++
		if example == "" {
			example = fmt.Sprintf(format, args...)
		}
	}
	for _, in := range w.isles {
		want := w.expected(in, own)
		for host, entries := range shown[in] {
			for id, e := range entries {
				mirrored++
				if strings.Contains(e.Name, forgedMark) {
					forged++
				}
				o, ok := want[id]
				switch {
				case !ok:
					wrong("island %d shows %q of %s, which it is not to show", in.n, e.Name, host)
				case o.Name != e.Name || o.Version != e.Version:
					wrong("island %d shows version %d %q of %s, which has %d %q", in.n, e.Version, e.Name, host, o.Version, o.Name)
				}
				delete(want, id)
			}
		}
		for _, e := range want {
			wrong("island %d lacks %q", in.n, e.Name)
		}
	}
	return mirrored, differ, forged, example, nil
}

// change does something to an entry of an island, or makes another one, and says which.
func (w *world) change(ctx context.Context, in *isle, e directory.Entry, i int) (directory.ID, error) {
	switch p := w.random.IntN(20); {
	case p < 12:
		e.Name = fmt.Sprintf("%s, version %d", strings.SplitN(e.Name, ",", 2)[0], i)
	case p < 14:
		e = w.fresh(in.n, 1_000_000+i)
	case p < 16:
		e.Sites = []orb.Point{w.site(in.n)} // into a scope or out of it
	case p < 18:
		e.Categories = []string{others[w.random.IntN(len(others))]}
		if w.random.IntN(2) == 0 {
			e.Categories = []string{food[w.random.IntN(len(food))]}
		}
	case p < 19:
		e.Status = directory.Hidden
	default:
		e.Status = directory.Removed
	}
	outcomes, err := in.d.Write(ctx, directory.Write{Author: "editor", Entries: []directory.Entry{e}})
	if err == nil && outcomes[0].Err != nil {
		err = outcomes[0].Err
	}
	if err != nil {
		return "", err
	}
	id := outcomes[0].Entry.ID
	w.arrived.expect(id, outcomes[0].Entry.Version)
	return id, nil
}

// arrived notes when what was changed is to be seen on the mirrors.
type arrived struct {
	mu    sync.Mutex
	since map[directory.ID]made
	took  []time.Duration
}

type made struct {
	version directory.Seq
	at      time.Time
	by      map[int]bool // the islands where it arrived
}

func (a *arrived) expect(id directory.ID, version directory.Seq) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since == nil {
		a.since = map[directory.ID]made{}
	}
	a.since[id] = made{version, time.Now(), map[int]bool{}}
}

// take returns how long changes took until each of the mirrors that show them had them, sorted.
func (a *arrived) take() []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	took := a.took
	a.took, a.since = nil, nil
	slices.Sort(took)
	return took
}

// arrivals is a view of an island's directory that tells the world what comes.
type arrivals struct{ in *isle }

// Apply implements [directory.View].
func (v arrivals) Apply(entries []directory.Entry) {
	a := &v.in.w.arrived
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.since) == 0 {
		return
	}
	for i := range entries {
		e := &entries[i]
		if e.Origin == "" || e.Private == nil || e.Private.Mirror == nil {
			continue
		}
		m, ok := a.since[e.ID]
		if ok && !m.by[v.in.n] && e.Private.Mirror.Version == m.version {
			m.by[v.in.n] = true
			a.took = append(a.took, time.Since(m.at))
		}
	}
}
