package federation

import (
	"slices"
	"strings"
	"time"

	"archipel/directory"

	"github.com/google/uuid"
)

// acts reports whether an organisation has an actor that can be followed: it is ours, public, kept by its own team, and the
// team has switched it on. Nobody is given an account that they did not ask for.
func acts(e *directory.Entry) bool {
	return e.Kind == directory.Organisation && e.Public() && e.Origin == "" && !e.Claimed.IsZero() && e.Fediverse != nil && e.Fediverse.Handle != "" && !e.Fediverse.Off
}

// actorIndex knows the organisations that chose a handle, and whose events are in their names. The organisations are few
// against the entries.
type actorIndex struct {
	all        map[directory.ID]*actorState
	byHandle   map[string]directory.ID
	organisers map[directory.ID][]directory.ID // by event or initiative
	before     map[directory.ID][]directory.ID // organisations that were merged into one, by that
	inName     map[directory.ID]directory.ID   // the organisation in whose name an entry was posted
	named      map[directory.ID][]directory.ID // and the other way round
}

type actorState struct {
	handle    string
	on        bool
	since     time.Time // when it was switched on
	merged    directory.ID
	organises []directory.ID
}

func (x *actorIndex) apply(e *directory.Entry) {
	if x.all == nil {
		*x = actorIndex{
			map[directory.ID]*actorState{}, map[string]directory.ID{}, map[directory.ID][]directory.ID{}, map[directory.ID][]directory.ID{},
			map[directory.ID]directory.ID{}, map[directory.ID][]directory.ID{},
		}
	}
	if org, ok := x.inName[e.ID]; ok {
		delete(x.inName, e.ID)
		drop(x.named, org, e.ID)
	}
	if org := inNameOf(e); org != "" && publishes(e) {
		x.inName[e.ID] = org
		x.named[org] = append(x.named[org], e.ID)
	}
	old := x.all[e.ID]
	if old == nil && (e.Fediverse == nil || e.Origin != "") {
		return
	}
	if old != nil {
		delete(x.all, e.ID)
		delete(x.byHandle, old.handle)
		drop(x.before, old.merged, e.ID)
		for _, target := range old.organises {
			drop(x.organisers, target, e.ID)
		}
	}
	if e.Fediverse == nil {
		return // erased
	}
	s := &actorState{handle: e.Fediverse.Handle, on: acts(e), since: e.Fediverse.Since, merged: e.MergedInto}
	x.all[e.ID], x.byHandle[s.handle] = s, e.ID
	if s.merged != "" {
		x.before[s.merged] = append(x.before[s.merged], e.ID)
	}
	if !s.on {
		return
	}
	for _, r := range e.Relations {
		if r.Rel == "organises" {
			s.organises = append(s.organises, r.Target)
			x.organisers[r.Target] = append(x.organisers[r.Target], e.ID)
		}
	}
}

// inNameOf is the organisation in whose name an entry was posted, or else the first that it says organises it: that is written
// by its people only, or by an import.
func inNameOf(e *directory.Entry) directory.ID {
	if e.Private != nil && e.Private.Team != "" {
		return e.Private.Team
	}
	for _, r := range e.Relations {
		if r.Rel == "organisedBy" {
			return r.Target
		}
	}
	return ""
}

func drop(m map[directory.ID][]directory.ID, key, id directory.ID) {
	left := slices.DeleteFunc(m[key], func(other directory.ID) bool { return other == id })
	if len(left) == 0 {
		delete(m, key)
	} else {
		m[key] = left
	}
}

// active reports whether an organisation can be followed now.
func (p *Published) active(id directory.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.actors.all[id]
	return s != nil && s.on
}

// byHandle returns the organisation that has chosen a handle, also when it cannot be followed now.
func (p *Published) byHandle(handle string) (directory.ID, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, ok := p.actors.byHandle[strings.ToLower(handle)]
	return id, ok
}

// Actors is how many organisations can be followed.
func (p *Published) Actors() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, s := range p.actors.all {
		if s.on {
			n++
		}
	}
	return n
}

// organisers are the organisations that can be followed and in whose name an entry is, and whether there is any that was
// switched on before the given time: only then is it a question who says what is created at that time.
func (p *Published) organisers(id directory.ID, created time.Time) (who []directory.ID, question bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	could := func(org directory.ID) bool {
		s := p.actors.all[org]
		return s != nil && s.on && !created.Before(s.since)
	}
	for _, org := range p.actors.organisers[id] {
		if could(org) {
			who = append(who, org)
		}
	}
	slices.Sort(who)
	if org, ok := p.actors.inName[id]; ok && could(org) {
		who = slices.Insert(who, 0, org)
	}
	if len(who) > 0 {
		return who, true
	}
	for _, s := range p.actors.all {
		if !created.Before(s.since) {
			return nil, true
		}
	}
	return nil, false
}

// mergedInto are the organisations with a handle that live on in another one.
func (p *Published) mergedInto(id directory.ID) []directory.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(slices.Values(p.actors.before[id]))
}

// postsOf are the posts in the name of an organisation, newest first.
func (p *Published) postsOf(org directory.ID) []post {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.actors.all[org]
	if s == nil || !s.on {
		return nil
	}
	var list []post
	for _, target := range slices.Concat(s.organises, p.actors.named[org]) {
		id, err := uuid.Parse(string(target))
		if err != nil {
			continue
		}
		if at, ok := p.at[id]; ok && at >= s.since.UnixMilli() {
			list = append(list, post{id, at})
		}
	}
	slices.SortFunc(list, newestFirst)
	return slices.Compact(list)
}
