package islands

import (
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/directory"

	"github.com/google/uuid"
)

// Mirrors is a [directory.View] of what belongs to other directories: whose it is, by whom it came, in which version. It
// costs some 100 bytes for each entry of others, and 60 for each of ours. The zero value is ready.
type Mirrors struct {
	mu    sync.RWMutex
	all   map[uuid.UUID]mark
	names names // hosts, and lists of hosts
	own   map[uuid.UUID]home
	kinds map[directory.Kind]int
}

// home is what is known of one of our own public entries.
type home struct {
	kind  directory.Kind
	at    [2]float32 // longitude, latitude of its first site
	sited bool
}

// mark is what is known of one entry of others.
type mark struct {
	origin, via int32 // numbers of names
	id          uuid.UUID
	epoch       int64
	version     directory.Seq
	held        int64 // since when it is out of view or gone, seconds since 1970; 0: it is not
	gone        bool
	was, status byte // see statuses
}

type names struct {
	list []string
	of   map[string]int32
}

func (n *names) number(name string) int32 {
	if i, ok := n.of[name]; ok {
		return i
	}
	if n.of == nil {
		n.of = map[string]int32{}
	}
	i := int32(len(n.list))
	n.list, n.of[name] = append(n.list, name), i
	return i
}

var statuses = []directory.Status{"", directory.Draft, directory.Pending, directory.Published, directory.Hidden, directory.Removed}

// Apply implements [directory.View].
func (m *Mirrors) Apply(entries []directory.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all, m.own, m.kinds = map[uuid.UUID]mark{}, map[uuid.UUID]home{}, map[directory.Kind]int{}
	}
	for i := range entries {
		e := &entries[i]
		id, err := uuid.Parse(string(e.ID))
		if err != nil {
			continue
		}
		if e.Origin == "" {
			m.ownEntry(id, e)
			continue
		}
		k := mark{origin: m.names.number(e.Origin), via: m.names.number(""), id: id, gone: e.Status == directory.Removed}
		k.status = byte(max(0, slices.Index(statuses, e.Status)))
		if p := e.Private; p != nil && p.Mirror != nil {
			k.via, k.epoch, k.version = m.names.number(strings.Join(p.Mirror.Via, " ")), p.Mirror.Epoch, p.Mirror.Version
			k.was = byte(max(0, slices.Index(statuses, p.Mirror.Was)))
			if !p.Mirror.Held.IsZero() {
				k.held = p.Mirror.Held.Unix()
			}
			if p.Mirror.ID != "" {
				if k.id, err = uuid.Parse(string(p.Mirror.ID)); err != nil {
					continue
				}
			}
		}
		m.all[id] = k
	}
}

func (m *Mirrors) ownEntry(id uuid.UUID, e *directory.Entry) {
	if h, ok := m.own[id]; ok {
		m.kinds[h.kind]--
		delete(m.own, id)
	}
	if !e.Public() {
		return
	}
	h := home{kind: e.Kind}
	if len(e.Sites) > 0 {
		h.at, h.sited = [2]float32{float32(e.Sites[0][0]), float32(e.Sites[0][1])}, true
	}
	m.own[id] = h
	m.kinds[e.Kind]++
}

// edge is the share of our entries on each of the four sides that is left out of the box around them: a few far away, or
// placed wrongly, would have a directory of one country lie in the middle of the ocean.
const edge = 0.02

// ours counts our own public entries by kind, and gives the box (west, south, east, north, in degrees) around nearly all of
// them, nil when none has a place.
func (m *Mirrors) ours() (map[directory.Kind]int, *[4]float64) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var lons, lats []float32
	for _, h := range m.own {
		if h.sited {
			lons, lats = append(lons, h.at[0]), append(lats, h.at[1])
		}
	}
	counts := make(map[directory.Kind]int, len(m.kinds))
	for k, n := range m.kinds {
		counts[k] = n
	}
	if len(lons) == 0 {
		return counts, nil
	}
	slices.Sort(lons)
	slices.Sort(lats)
	first := int(edge * float64(len(lons)))
	last := len(lons) - 1 - first
	return counts, &[4]float64{float64(lons[first]), float64(lats[first]), float64(lons[last]), float64(lats[last])}
}

// Len is how many entries of others are public.
func (m *Mirrors) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := 0
	for _, k := range m.all {
		if statuses[k.status] == directory.Published {
			n++
		}
	}
	return n
}

// Count is how many entries there are of one directory, or by way of it.
type Count struct {
	Public  int // anybody may see them
	Waiting int // for a moderator
	Hidden  int // by a moderator, or because no agreement stands behind them
	Via     int // came by way of it, whoever they belong to
}

func (c *Count) add(more Count) {
	c.Public, c.Waiting, c.Hidden, c.Via = c.Public+more.Public, c.Waiting+more.Waiting, c.Hidden+more.Hidden, c.Via+more.Via
}

// Counts gives what there is of each host, and by way of each plain actor.
func (m *Mirrors) Counts() map[string]Count {
	m.mu.RLock()
	defer m.mu.RUnlock()
	counts := map[string]Count{}
	via := map[int32]Count{}
	for _, k := range m.all {
		if k.gone {
			continue
		}
		one := Count{Via: 1}
		switch statuses[k.status] {
		case directory.Published:
			one.Public++
		case directory.Pending, directory.Draft:
			one.Waiting++
		default:
			one.Hidden++
		}
		way := via[k.via]
		way.add(one)
		via[k.via] = way
		one.Via = 0
		c := counts[m.names.list[k.origin]]
		c.add(one)
		counts[m.names.list[k.origin]] = c
	}
	for list, n := range via {
		for _, way := range strings.Fields(m.names.list[list]) {
			c := counts[way]
			if isPlain(way) { // nothing belongs to it: what it brings is counted
				c.add(n)
			} else {
				c.Via += n.Via
			}
			counts[way] = c
		}
	}
	return counts
}

// hosts are the directories of which something is known.
func (m *Mirrors) hosts() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var hosts []string
	for _, name := range m.names.list {
		if name != "" && !strings.Contains(name, " ") {
			hosts = append(hosts, name)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// fromPeer is how many entries came by way of a host and stand.
func (m *Mirrors) fromPeer(host string) int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	through := m.through(host)
	n := 0
	for _, k := range m.all {
		if !k.gone && through[k.via] {
			n++
		}
	}
	return n
}

// through is which lists of hosts have one of them. The caller holds mu.
func (m *Mirrors) through(host string) map[int32]bool {
	lists := map[int32]bool{}
	for i, list := range m.names.list {
		if slices.Contains(strings.Fields(list), host) {
			lists[int32(i)] = true
		}
	}
	return lists
}

// pick returns the entries that which is true of: whose they are, by whom they came, since when they are out of view or gone.
func (m *Mirrors) pick(which func(origin string, via []string, held time.Time, gone bool) bool) []directory.ID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	lists := make([][]string, len(m.names.list))
	for i, list := range m.names.list {
		lists[i] = strings.Fields(list)
	}
	var ids []directory.ID
	for id, k := range m.all {
		held := time.Time{}
		if k.held != 0 {
			held = time.Unix(k.held, 0)
		}
		if which(m.names.list[k.origin], lists[k.via], held, k.gone) {
			ids = append(ids, directory.ID(id.String()))
		}
	}
	slices.Sort(ids)
	return ids
}

// version is one object in one state, as two directories compare what they have.
type version struct {
	host    string // of the origin
	id      uuid.UUID
	epoch   int64
	version directory.Seq
}

func (v *version) bucket() byte { return v.key()[0] }

// key is the SHA-256 of the object's name, HOST/UUID.
func (v *version) key() [32]byte { return sha256.Sum256([]byte(v.name())) }

func (v *version) name() string { return v.host + "/" + v.id.String() }

// digest is the SHA-256 of the object's name and its version, written NAME EPOCH.VERSION.
func (v *version) digest() [32]byte {
	return sha256.Sum256(appendVersion([]byte(v.name()+" "), v.epoch, v.version))
}

// digests are the XOR of the digests of all objects, by the first byte of the SHA-256 of their names.
type digests [256][32]byte

func (d *digests) add(v *version) {
	b, sum := &d[v.bucket()], v.digest()
	for i := range b {
		b[i] ^= sum[i]
	}
}

// standing calls fn with what came by way of a host and stands.
func (m *Mirrors) standing(host string, fn func(local uuid.UUID, v version)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	through := m.through(host)
	for id, k := range m.all {
		if !k.gone && through[k.via] {
			fn(id, version{m.names.list[k.origin], k.id, k.epoch, k.version})
		}
	}
}

// standingIn gives what came by way of a host and stands, of some buckets, by bucket.
func (m *Mirrors) standingIn(host string, buckets *[256]bool) (held [256][]heldVersion) {
	if *buckets == [256]bool{} {
		return held
	}
	m.standing(host, func(local uuid.UUID, v version) {
		if b := v.bucket(); buckets[b] {
			held[b] = append(held[b], heldVersion{v, local})
		}
	})
	return held
}

// heldVersion is an object of others as it stands here, and our own id of it.
type heldVersion struct {
	is    version
	local uuid.UUID
}
