package api

import (
	"net/url"
	"slices"
	"sync"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// Owners is a [directory.View] of which entries an account owns or edits. The zero value is ready.
type Owners struct {
	mu sync.RWMutex
	of map[string]map[directory.ID]bool       // by account; true: owns, false: edits
	by map[directory.ID][]string              // accounts by entry
	in map[directory.ID]directory.ID          // the organisation in whose name an entry was posted
	as map[directory.ID]map[directory.ID]bool // and the other way round
	to map[directory.ID]directory.ID          // entries that live on in others
	is map[directory.ID]owned                 // those that somebody keeps
}

// owned is what a list needs to know of an entry before it is read.
type owned struct {
	kind   directory.Kind
	status directory.Status
}

// Apply implements [directory.View].
func (o *Owners) Apply(entries []directory.Entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of, o.by = map[string]map[directory.ID]bool{}, map[directory.ID][]string{}
		o.in, o.as = map[directory.ID]directory.ID{}, map[directory.ID]map[directory.ID]bool{}
		o.to, o.is = map[directory.ID]directory.ID{}, map[directory.ID]owned{}
	}
	for i := range entries {
		e := &entries[i]
		for _, a := range o.by[e.ID] {
			if delete(o.of[a], e.ID); len(o.of[a]) == 0 {
				delete(o.of, a)
			}
		}
		delete(o.by, e.ID)
		if org, ok := o.in[e.ID]; ok {
			delete(o.in, e.ID)
			if delete(o.as[org], e.ID); len(o.as[org]) == 0 {
				delete(o.as, org)
			}
		}
		delete(o.to, e.ID)
		delete(o.is, e.ID)
		if e.Status == directory.Removed && e.MergedInto != "" {
			o.to[e.ID] = e.MergedInto
		}
		if e.Private == nil || e.Status == directory.Removed {
			continue
		}
		team := slices.Concat(e.Private.Owners, e.Private.Editors)
		for _, a := range team {
			if o.of[a] == nil {
				o.of[a] = map[directory.ID]bool{}
			}
			o.of[a][e.ID] = slices.Contains(e.Private.Owners, a)
		}
		if org := e.Private.Team; org != "" {
			o.in[e.ID] = org
			if o.as[org] == nil {
				o.as[org] = map[directory.ID]bool{}
			}
			o.as[org][e.ID] = true
		}
		if len(team) > 0 {
			o.by[e.ID] = team
		}
		if len(team) > 0 || e.Private.Team != "" {
			o.is[e.ID] = owned{e.Kind, e.Status}
		}
	}
}

// now is the entry that another lives on in. The caller holds mu.
func (o *Owners) now(id directory.ID) directory.ID {
	for range 5 {
		into, moved := o.to[id]
		if !moved {
			break
		}
		id = into
	}
	return id
}

// Keeps says whether an account is one of the own owners or editors of an entry, or of the one that it lives on in.
func (o *Owners) Keeps(account string, entry directory.ID) (owns, edits bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	owns, of := o.of[account][o.now(entry)]
	return owns, of && !owns
}

// postingLinks are the ways from an entry's page to its form.
func (s *Server) postingLinks(c *fiber.Ctx, e *directory.Entry, v *frontend.EntryView) {
	if s.Accounts == nil || e.Status == directory.Removed {
		return
	}
	l := frontend.T(s.lang(c))
	switch {
	case account.May(account.From(c), account.EntryEdit, e) == nil:
		v.EditURL = frontend.EditURL(e.Slug)
	case s.suggestible(e):
		v.SuggestURL = frontend.SuggestURL(e.Slug)
	}
	s.belongingLinks(c, e, v)
	switch e.Status {
	case directory.Pending:
		v.Notices = append(v.Notices, l.Text("posting.waiting"))
	case directory.Hidden, directory.Draft:
		v.Notices = append(v.Notices, l.Text("posting.hidden"))
	}
}

// addURL is where one adds an entry, empty when nobody can.
func (s *Server) addURL() string {
	if s.Accounts == nil {
		return ""
	}
	return "/add"
}

// signInFor is the page to sign in, which leads back to where one was.
func signInFor(path string) string { return "/signin?" + url.Values{"next": {path}}.Encode() }
