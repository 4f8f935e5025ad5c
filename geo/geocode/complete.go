package geocode

import (
	"math"
	"slices"
	"strings"

	"archipel/geo/geocode/gazdata"

	"github.com/paulmach/orb"
)

// How well a name answers a text. Population (6 for each power of ten), nearness
// (up to 20), the viewed area (10) and the home country (12) are added.
const (
	scoreCode       = 170 // a zone's own code or number
	scoreZone       = 60  // added when the text is a zone's whole name
	scorePost       = 90  // a whole postal code
	scorePostStart  = 50
	scoreExact      = 100 // the whole name
	scoreBare       = 88  // the whole name but its article: "Mené"
	scoreOther      = 85  // another name of it
	scoreAbroad     = 55  // another name of a place abroad
	scoreWordExact  = 60  // its last words: "Gohelle"
	scoreStart      = 55
	scoreBareStart  = 52
	scoreOtherOpen  = 42
	scoreAbroadOpen = 35
	scoreWordStart  = 30
	scoreTypo       = -40 // added when a letter is wrong
	scoreContext    = 25  // added when the rest of the text tells the zone or postal code
)

// maxFolded bounds the folded text that is looked up, in bytes: no name is longer.
const maxFolded = 120

// reading is one way to understand a text: a name, and where it must be.
type reading struct {
	name   string
	zones  []int  // each must hold the place; a group of namesakes counts as one of them
	lo, hi uint32 // postal codes, when hi > 0
	// allowed tells by zone whether its places may fit; nil when all do.
	allowed []bool
}

// lookup is the search for one query.
type lookup struct {
	g         *Gazetteer
	q         *Query
	countries []int
	best      []candidate // by falling score, each owner once
	limit     int
	exact     bool // some name is the whole text
	submitted bool
}

type candidate struct {
	score float32
	owner uint32
	name  int32 // that matched, or -1
}

// complete answers a valid query that has a text.
func (g *Gazetteer) complete(q Query) []Place { return g.lookup(q, false).places() }

// lookup finds the best places and zones for a valid query that has a text. A
// submitted text is not taken for the beginning of a misspelt one.
func (g *Gazetteer) lookup(q Query, submitted bool) *lookup {
	l := &lookup{g: g, q: &q, limit: q.Limit, submitted: submitted}
	folded := gazdata.Fold(q.Text)
	if folded == "" || len(folded) > maxFolded {
		return l
	}
	for _, c := range q.Countries {
		z, ok := g.zones[c]
		if to, alias := zoneAliases[c]; alias && !ok {
			z, ok = g.zones[to]
		}
		if ok {
			l.countries = append(l.countries, z)
		}
	}
	if len(q.Countries) > 0 && len(l.countries) == 0 {
		return l
	}
	l.codes(folded)
	readings := l.allow(g.readings(folded))
	for _, r := range readings {
		l.names(r)
	}
	if len(l.best) == 0 {
		readings = l.allow(g.relax(readings))
		for _, r := range readings {
			l.names(r)
		}
	}
	if !l.exact && len(l.best) < l.limit {
		for _, r := range readings {
			l.typos(r)
		}
	}
	return l
}

// places describes the best.
func (l *lookup) places() []Place {
	places := make([]Place, 0, len(l.best))
	for _, c := range l.best {
		places = append(places, l.g.ownerPlace(c.owner, int(c.name), l.q.Language))
	}
	return places
}

// readings splits a folded text into a name and what tells where it is: a
// postal code, a département's number, the name of a zone; "saillans 26", "42000
// saint etienne", "loos en gohelle pas de calais france".
func (g *Gazetteer) readings(folded string) []reading {
	var list []reading
	words := strings.Split(folded, " ")
	add := func(r reading) {
		r.name = gazdata.ExpandSaint(strings.Join(words, " "))
		list = append(list, r)
		if words[len(words)-1] == "st" { // "st" may begin "stains" as well
			r.name = strings.Join(words, " ")
			list = append(list, r)
		}
	}
	r := reading{}
	add(r)
	if len(words) > 1 {
		if lo, hi, ok := postRange(words[0]); ok && len(words[0]) == 5 {
			words = words[1:]
			r.lo, r.hi = lo, hi
			add(r)
		} else if digitsOnly(words[0]) && len(words[0]) >= 4 {
			words = words[1:] // another country's postal code tells nothing here
			add(r)
		}
	}
	for len(words) > 1 && len(list) < 8 {
		n, ok := g.context(&r, words)
		if !ok {
			break
		}
		words = words[:len(words)-n]
		add(r)
	}
	return list
}

// context reads the last words as a postal code or a zone, and says how many
// words that takes.
func (g *Gazetteer) context(r *reading, words []string) (int, bool) {
	last := words[len(words)-1]
	if lo, hi, ok := postRange(last); ok && len(last) == 5 {
		r.lo, r.hi = lo, hi
		return 1, true
	}
	if z, ok := g.numbers[strings.ToUpper(last)]; ok && (len(last) == 2 || len(last) == 3) {
		r.zones = append(slices.Clone(r.zones), z)
		return 1, true
	}
	for n := min(5, len(words)-1); n > 0; n-- {
		name := gazdata.ExpandSaint(strings.Join(words[len(words)-n:], " "))
		if zs := g.named[name]; len(zs) > 0 {
			r.zones = append(slices.Clone(r.zones), zs[0])
			return n, true
		}
	}
	return 0, false
}

// postRange is the range [lo, hi) of the French postal codes that begin with
// these digits.
func postRange(digits string) (lo, hi uint32, ok bool) {
	if len(digits) == 0 || len(digits) > 5 {
		return 0, 0, false
	}
	n := uint32(0)
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, 0, false
		}
		n = n*10 + uint32(c-'0')
	}
	size := uint32(math.Pow10(5 - len(digits)))
	return n * size, n*size + size, true
}

// codes looks for zone codes ("42", "FR-ARA", "42218") and postal codes.
func (l *lookup) codes(folded string) {
	g := l.g
	upper := strings.ToUpper(folded)
	if z, ok := g.numbers[upper]; ok {
		l.exact = true
		l.offer(uint32(g.d.Places()+z), -1, scoreCode)
	}
	if owner, ok := g.zoneOwner(ZoneCode(strings.ReplaceAll(upper, " ", "-"))); ok && len(upper) > 2 {
		l.exact = true
		l.offer(owner, -1, scoreCode)
	}
	if len(upper) == 5 && !l.submitted {
		if i, ok := g.insee[gazdata.InseeNumber(upper)]; ok {
			l.offer(i, -1, scorePostStart)
		}
	}
	lo, hi, ok := postRange(folded)
	if !ok {
		return
	}
	score := float32(scorePostStart)
	if len(folded) == 5 {
		score = scorePost
	}
	for _, k := range g.d.PostOrder[g.postIndex(lo):g.postIndex(hi)] {
		l.exact = l.exact || score == scorePost
		l.offer(g.d.PostPlace[k], -1, score)
	}
}

// relax takes the postal codes for no more than their départements: what is
// written may be the code of an office, or of the next town.
func (g *Gazetteer) relax(readings []reading) []reading {
	list := slices.Clone(readings)
	for i, r := range list {
		if r.hi == 0 {
			continue
		}
		list[i].lo, list[i].hi = 0, 0
		number := departementOf(postText(r.lo))
		if z, ok := g.numbers[number]; ok {
			list[i].zones = append(slices.Clone(r.zones), z)
		} else if zs := g.named[gazdata.FoldName(number)]; len(zs) > 0 {
			list[i].zones = append(slices.Clone(r.zones), zs[0])
		}
	}
	return list
}

// postIndex is where the postal codes from this one on begin in PostOrder.
func (g *Gazetteer) postIndex(code uint32) int {
	i, _ := slices.BinarySearchFunc(g.d.PostOrder, code, func(k, code uint32) int {
		return int(g.d.PostCode[k]) - int(code)
	})
	return i
}

// names offers what starts with a reading's name.
func (l *lookup) names(r reading) {
	lo, hi := l.g.d.PrefixRange(0, len(l.g.d.KeyOff), []byte(r.name), 0)
	l.offerRange(lo, hi, len(r.name), r, 0)
}

func (l *lookup) offerRange(lo, hi, length int, r reading, extra float32) {
	d := l.g.d
	n := uint32(d.Places())
	wholeEnd := lo // the keys that are the whole text come first
	for wholeEnd < hi && d.ByteAt(wholeEnd, length) == 0 {
		wholeEnd++
	}
	if l.submitted && extra < 0 {
		hi = wholeEnd
	}
	right := extra == 0 // no letter is wrong
	if len(r.zones) > 0 || r.hi > 0 {
		extra += scoreContext
	}
	var mostNear float32
	if l.q.Near != nil || l.q.View != nil {
		mostNear = 30
	}
	for k := lo; k < hi; k++ {
		if k >= wholeEnd && len(l.best) == l.limit && float32(l.g.keyMost[k])+mostNear+extra <= l.best[l.limit-1].score {
			continue // most keys of a short prefix end here, without leaving the cache
		}
		name := d.KeyName[k]
		owner := d.Owner[name]
		if r.allowed != nil && (!r.allowed[l.g.ownerZone(owner)] || r.hi > 0 && !l.inside(owner, r)) {
			continue
		}
		whole := k < wholeEnd
		var score float32
		switch {
		case d.IsWord(k) && gazdata.Articles[string(trimSpace(d.Before(k)))]:
			score = pick(whole, scoreBare, scoreBareStart)
		case d.IsWord(k):
			score = pick(whole, scoreWordExact, scoreWordStart)
		case l.main(owner, name):
			score = pick(whole, scoreExact, scoreStart)
		case l.abroad(owner):
			score = pick(whole, scoreAbroad, scoreAbroadOpen)
		default:
			score = pick(whole, scoreOther, scoreOtherOpen)
		}
		if whole && right && score != scoreWordExact {
			l.exact = true
			if owner >= n && d.Zones[owner-n].Number != "75" { // Paris is a commune first
				score += scoreZone
			}
		}
		l.offer(owner, int32(name), score+extra)
	}
}

// main tells whether a name is the place's own, or the zone's in the language of
// the query, the local one or English.
func (l *lookup) main(owner, name uint32) bool {
	d := l.g.d
	n := uint32(d.Places())
	if owner < n {
		return name == d.NameStart[owner] || name == d.NameStart[owner]+uint32(d.NameFR[owner])
	}
	if name == d.NameStart[owner] {
		return true
	}
	switch nameLang := d.Zones[owner-n].Names[name-d.NameStart[owner]].Lang; nameLang {
	case "", "en", lang(l.q.Language):
		return true
	}
	return false
}

func (l *lookup) abroad(owner uint32) bool {
	g := l.g
	return g.home != "" && g.d.Zones[g.country(g.ownerZone(owner))].Code != g.home
}

func trimSpace(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == ' ' {
		return b[:n-1]
	}
	return b
}

func pick(whole bool, yes, no float32) float32 {
	if whole {
		return yes
	}
	return no
}

// allow works out the zones that each reading leaves, once for thousands of
// candidates.
func (l *lookup) allow(readings []reading) []reading {
	g := l.g
	for i := range readings {
		r := &readings[i]
		if r.allowed = nil; len(r.zones) == 0 && r.hi == 0 && len(l.countries) == 0 {
			continue
		}
		r.allowed = make([]bool, len(g.d.Zones))
		if r.hi > 0 {
			for _, k := range g.d.PostOrder[g.postIndex(r.lo):g.postIndex(r.hi)] {
				r.allowed[g.d.Zone[g.d.PostPlace[k]]] = true
			}
			continue
		}
		for z := range r.allowed {
			r.allowed[z] = l.inside(uint32(g.d.Places()+z), *r)
		}
	}
	return readings
}

// inside tells whether an owner lies where the reading says.
func (l *lookup) inside(owner uint32, r reading) bool {
	g := l.g
	if len(r.zones) > 0 || len(l.countries) > 0 {
		chain := g.chain[g.ownerZone(owner)]
		for _, z := range r.zones {
			if !slices.Contains(chain, z) {
				return false
			}
		}
		if len(l.countries) > 0 && !slices.ContainsFunc(l.countries, func(z int) bool { return slices.Contains(chain, z) }) {
			return false
		}
	}
	if r.hi == 0 {
		return true
	}
	if int(owner) >= g.d.Places() {
		return false
	}
	if p := g.d.Parent[owner]; p != 0 && g.d.Kind[owner] == gazdata.Village {
		owner = p - 1
	}
	for _, code := range g.d.PostCode[g.d.PostStart[owner]:g.d.PostStart[owner+1]] {
		if r.lo <= code && code < r.hi {
			return true
		}
	}
	return false
}

// offer takes an owner into the best when its score allows.
func (l *lookup) offer(owner uint32, name int32, score float32) {
	g := l.g
	score += g.ownerWeight(owner)
	full := len(l.best) == l.limit
	if full && score+30 < l.best[len(l.best)-1].score {
		return // not even the nearest could
	}
	if name < 0 && len(l.countries) > 0 && !l.inside(owner, reading{}) {
		return
	}
	if l.q.Near != nil || l.q.View != nil {
		score += l.nearness(g.ownerPoint(owner))
	}
	if full && score <= l.best[len(l.best)-1].score {
		return
	}
	for i, c := range l.best {
		if c.owner == owner {
			if c.score >= score {
				return
			}
			l.best = slices.Delete(l.best, i, i+1)
			break
		}
	}
	at := len(l.best)
	for at > 0 && l.best[at-1].score < score {
		at--
	}
	if len(l.best) == l.limit {
		l.best = l.best[:l.limit-1]
	}
	l.best = slices.Insert(l.best, at, candidate{score, owner, name})
}

// nearness is up to 20 for what is near, and 10 more inside the viewed area.
func (l *lookup) nearness(p orb.Point) float32 {
	var add float32
	near := l.q.Near
	if l.q.View != nil {
		if l.q.View.Contains(p) {
			add += 10
		}
		if near == nil {
			c := l.q.View.Center()
			near = &c
		}
	}
	return add + float32(20/(1+rough(*near, p)/80e3))
}

// rough is a quick distance in metres, good enough to rank by.
func rough(a, b orb.Point) float64 {
	dx := math.Abs(a[0] - b[0])
	if dx > 180 {
		dx = 360 - dx
	}
	// A parabola stands for the cosine.
	mid := (a[1] + b[1]) / 180
	dx *= 1 - mid*mid
	dy := a[1] - b[1]
	return math.Sqrt(dx*dx+dy*dy) * metresPerDegree
}
