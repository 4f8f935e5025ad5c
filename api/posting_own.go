package api

import (
	"context"
	"net/url"
	"slices"
	"strings"
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
}

// Apply implements [directory.View].
func (o *Owners) Apply(entries []directory.Entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of, o.by = map[string]map[directory.ID]bool{}, map[directory.ID][]string{}
		o.in, o.as = map[directory.ID]directory.ID{}, map[directory.ID]map[directory.ID]bool{}
		o.to = map[directory.ID]directory.ID{}
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

// Of lists the entries that an account owns or edits, also through an organisation, in the order in which they were made.
func (o *Owners) Of(account string) []directory.ID {
	o.mu.RLock()
	defer o.mu.RUnlock()
	ids := make([]directory.ID, 0, len(o.of[account]))
	for id := range o.of[account] {
		ids = append(ids, id)
	}
	for org, posted := range o.as {
		if _, of := o.of[account][o.now(org)]; of {
			for id := range posted {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// entriesOf are the entries that an account owns or edits.
func (s *Server) entriesOf(ctx context.Context, account string) ([]directory.Entry, error) {
	if s.Owners == nil || account == "" {
		return nil, nil
	}
	return s.Directory.Entries(ctx, s.Owners.Of(account))
}

// ownEntries is the page of what one has begun, sent and published.
func (s *Server) ownEntries(c *fiber.Ctx) error {
	if err := account.Check(c, account.EntryCreate, nil); err != nil {
		return err
	}
	actor := account.From(c)
	l := frontend.T(s.lang(c))
	p := s.page(c, l.Text("own.title"))
	p.NoIndex, p.Canonical = true, ""
	v := frontend.OwnEntriesView{CSRF: s.csrf(c), AddURL: "/add"}
	switch c.Query("done") {
	case "waits":
		v.Notices = []string{l.Text("own.waits")}
	case "change":
		v.Notices = []string{l.Text("review.kept")}
	case "removed":
		v.Notices = []string{l.Text("own.removed")}
	case "discarded":
		v.Notices = []string{l.Text("own.discarded")}
	}
	drafts, err := s.draftsOf(c.UserContext(), actor.ID)
	if err != nil {
		return err
	}
	begun := frontend.OwnGroup{Status: "draft"}
	for _, d := range drafts {
		begun.Entries = append(begun.Entries, frontend.OwnEntry{
			Name: strings.TrimSpace(d.Values.Get("name")), Kind: d.Values.Get("kind"), Status: "draft",
			URL: d.url("what"), EditURL: d.url("what"), DiscardURL: "/add/" + d.token() + "/discard",
		})
	}
	mine, err := s.entriesOf(c.UserContext(), actor.ID)
	if err != nil {
		return err
	}
	var waiting map[directory.ID]int
	if s.Echoes != nil {
		if waiting, err = s.Echoes.WaitingOn(c.UserContext(), mine); err != nil {
			return err
		}
	}
	groups := []frontend.OwnGroup{begun}
	for _, status := range []directory.Status{directory.Pending, directory.Published, directory.Hidden} {
		g := frontend.OwnGroup{Status: string(status)}
		for _, e := range mine {
			if e.Status == status {
				own := frontend.OwnEntry{Name: e.Name, Kind: string(e.Kind), Status: string(status), URL: frontend.EntryURL(e.Slug), EditURL: frontend.EditURL(e.Slug)}
				if n := waiting[e.ID]; n > 0 {
					own.Note, own.NoteURL = l.Plural("echoes.own", n), frontend.RepliesURL(e.Slug)
				}
				g.Entries = append(g.Entries, own)
			}
		}
		groups = append(groups, g)
	}
	v.Groups = slices.DeleteFunc(groups, func(g frontend.OwnGroup) bool { return len(g.Entries) == 0 })
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	return s.render(c, frontend.OwnEntries(p, v))
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
