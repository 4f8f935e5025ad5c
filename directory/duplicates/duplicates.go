// Package duplicates finds entries that may be the same as one that somebody is about to add.
package duplicates

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/directory"

	"github.com/paulmach/orb"
	orbgeo "github.com/paulmach/orb/geo"
)

// Reason says why two entries may be the same.
type Reason string

// Reasons, the surest first.
const (
	SameRegister Reason = "register" // the same number in an official register, or the same object elsewhere
	SameWebsite  Reason = "website"
	SameMail     Reason = "mail"
	SamePhone    Reason = "phone"
	SameName     Reason = "name" // a name that is the same or nearly so, nearby
)

// Candidate is an entry that may be the same.
type Candidate struct {
	ID       directory.ID
	Score    float64  // 0 to 1; from 0.8 on it is likely
	Reasons  []Reason // never empty
	Distance float64  // metres, negative when one of the two has no position
}

// Near is the distance in metres beyond which the same name says nothing, when both positions are exact.
const Near = 1000

// crowd is how many entries may share a phone, a mail address or a site before it stands for a network rather than
// for one of its members.
const crowd = 8

// Index is a [directory.View] of what duplicates are recognised by. The zero value is ready.
type Index struct {
	mu      sync.RWMutex
	entries map[directory.ID]*known
	words   map[string]*word    // of names
	byKey   map[string][]*known // "phone:612345678", "siret:..."
	byCell  map[cell][]*known
	pairs   *pairs // nil before [Index.Run]
}

// cell is a square of the grid in which neighbours are looked for.
type cell struct{ x, y int32 }

// side of a cell in degrees: 1.1 km from south to north.
const side = 0.01

type known struct {
	id     directory.ID
	ours   bool   // not of another instance
	origin string // the other instance
	event  bool
	start  time.Time // of an event
	words  []*word
	town   string
	at     orb.Point
	placed bool
	rough  bool // the position is that of the town
	keys   []string
	cell   cell
}

// Apply implements [directory.View]. Drafts and what is gone are left out, what waits for moderation is known: whoever
// shows a candidate asks whether its reader may see it.
func (x *Index) Apply(entries []directory.Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.entries == nil {
		x.entries, x.words, x.byKey, x.byCell = map[directory.ID]*known{}, map[string]*word{}, map[string][]*known{}, map[cell][]*known{}
	}
	for i := range entries {
		e := &entries[i]
		if old := x.entries[e.ID]; old != nil {
			x.drop(old)
		}
		var k *known
		if e.Status == directory.Published || e.Status == directory.Pending {
			k = x.learn(e)
			x.add(k)
		}
		if x.pairs != nil {
			x.pairs.changed(e.ID, k)
		}
	}
}

// learn keeps what an entry is recognised by.
func (x *Index) learn(e *directory.Entry) *known {
	k := &known{id: e.ID, ours: e.Origin == "", origin: e.Origin, event: e.Kind == directory.Event, town: directory.Fold(e.Town()), rough: e.Approximate}
	for _, t := range tokens(e.Name) {
		w := x.words[t]
		if w == nil {
			w = newWord(t)
		}
		k.words = append(k.words, w)
	}
	if e.Event != nil {
		k.start = e.Event.Start
	}
	if len(e.Sites) > 0 {
		k.at, k.placed = e.Sites[0], true
		k.cell = cellOf(k.at)
	}
	add := func(kind, value string) {
		if value != "" {
			k.keys = append(k.keys, kind+":"+value)
		}
	}
	for _, name := range []string{"siret", "rna", "osm", "wikidata"} {
		add(name, strings.ToLower(strings.Join(strings.Fields(e.Identifiers[name]), "")))
	}
	if c := e.Contact; c != nil {
		add("phone", phoneKey(c.Phone))
		add("mail", strings.ToLower(c.Email))
		add("web", webKey(c.Website))
	}
	for _, l := range e.Links {
		if l.Rel == "website" {
			add("web", webKey(l.URL))
		}
	}
	slices.Sort(k.keys)
	k.keys = slices.Compact(k.keys)
	return k
}

func cellOf(p orb.Point) cell {
	return cell{int32(math.Floor(p[0] / side)), int32(math.Floor(p[1] / side))}
}

func (x *Index) add(k *known) {
	x.entries[k.id] = k
	for _, w := range k.words {
		if !generic[w.text] { // generic words lead nowhere, and their lists would be long
			x.words[w.text] = w
			w.list = append(w.list, k)
		}
	}
	for _, key := range k.keys {
		x.byKey[key] = append(x.byKey[key], k)
	}
	if k.placed {
		x.byCell[k.cell] = append(x.byCell[k.cell], k)
	}
}

func (x *Index) drop(k *known) {
	delete(x.entries, k.id)
	for _, w := range k.words {
		if w.list = lose(w.list, k); len(w.list) == 0 && !generic[w.text] {
			delete(x.words, w.text)
		}
	}
	for _, key := range k.keys {
		without(x.byKey, key, k)
	}
	if k.placed {
		without(x.byCell, k.cell, k)
	}
}

func without[K comparable](m map[K][]*known, key K, k *known) {
	if list := lose(m[key], k); len(list) == 0 {
		delete(m, key)
	} else {
		m[key] = list
	}
}

func lose(list []*known, k *known) []*known {
	i := slices.Index(list, k)
	if i < 0 {
		return list
	}
	last := len(list) - 1
	list[i], list[last] = list[last], nil
	return list[:last]
}

// fewWords is how many entries may share a word for it to be worth following.
const fewWords = 2000

// Find gives up to limit entries that may be the same as e, the likeliest first. e needs no ID; with one, it is not its
// own duplicate. Call [directory.Normalize] before.
func (x *Index) Find(e *directory.Entry, limit int) []Candidate {
	x.mu.RLock()
	defer x.mu.RUnlock()
	me := x.learn(e)
	seen := map[*known]bool{}
	var found []Candidate
	look := func(list []*known) {
		for _, k := range list {
			if k.id == e.ID || seen[k] {
				continue
			}
			seen[k] = true
			if c, ok := x.compare(me, k); ok {
				found = append(found, c)
			}
		}
	}
	for _, key := range me.keys {
		if list := x.byKey[key]; len(list) <= 50*crowd {
			look(list)
		}
	}
	if me.placed {
		// A degree of longitude shrinks towards the poles.
		wide := min(int32(math.Ceil(1/max(0.05, math.Cos(me.at[1]*math.Pi/180)))), 20)
		for dx := -wide; dx <= wide; dx++ {
			for dy := int32(-1); dy <= 1; dy++ {
				look(x.byCell[cell{me.cell.x + dx, me.cell.y + dy}])
			}
		}
	}
	for _, w := range me.words {
		if len(w.list) <= fewWords {
			look(w.list)
		}
	}
	slices.SortFunc(found, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.ID, b.ID))
	})
	return found[:min(len(found), limit)]
}

// compare says whether two entries may be the same. An event is never the same as what is no event, nor as one of
// another day.
func (x *Index) compare(a, b *known) (Candidate, bool) {
	c := Candidate{ID: b.id, Distance: -1}
	if a.event != b.event || a.event && !a.start.IsZero() && a.start.Sub(b.start).Abs() > 36*time.Hour {
		return c, false
	}
	if a.placed && b.placed {
		c.Distance = orbgeo.DistanceHaversine(a.at, b.at)
	}
	need, possible := needed(a, b, c.Distance)
	shares := false
	for _, key := range a.keys {
		if _, has := slices.BinarySearch(b.keys, key); has {
			shares = true
		}
	}
	if !possible && !shares {
		return c, false
	}
	name := x.alike(a.words, b.words)
	for _, key := range a.keys {
		if _, has := slices.BinarySearch(b.keys, key); !has {
			continue
		}
		kind, _, _ := strings.Cut(key, ":")
		network := len(x.byKey[key]) > crowd
		switch kind {
		case "phone", "mail", "web":
			// Members of a network share them: then the name must say something as well.
			if network && name < 0.6 || !network && name < 0.2 && c.Distance > Near {
				continue
			}
			reason := map[string]Reason{"phone": SamePhone, "mail": SameMail, "web": SameWebsite}[kind]
			if !slices.Contains(c.Reasons, reason) {
				c.Reasons = append(c.Reasons, reason)
				c.Score = max(c.Score, 0.6+0.35*name)
			}
		default:
			if !slices.Contains(c.Reasons, SameRegister) {
				c.Reasons = append(c.Reasons, SameRegister)
				c.Score = 1
			}
		}
	}
	if possible && name >= need {
		c.Reasons = append(c.Reasons, SameName)
		c.Score = max(c.Score, 0.5+0.45*name)
	}
	return c, len(c.Reasons) > 0
}

// needed is how alike two names must be for what is known of where they are: nearly the same at a kilometre, less so at
// the same door; false where no name would do.
func needed(a, b *known, metres float64) (float64, bool) {
	sameTown := a.town != "" && a.town == b.town
	switch {
	case metres >= 0 && metres <= Near:
		return 0.62 + 0.26*metres/Near, true
	case metres > Near && !(a.rough || b.rough):
		return 0, false
	case metres > 15*Near:
		return 0, false // even the middle of a town is not that far
	case sameTown:
		return 0.8, true
	case a.town != "" && b.town != "":
		return 0, false
	case metres < 0 && a.placed == b.placed:
		return 0.92, true // neither has a place
	}
	return 0.85, true
}
