package api

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"
	"archipel/geo"

	"github.com/gofiber/fiber/v2"
)

// ownPage is how many of one's own entries a page shows.
const ownPage = 50

// mine lists the entries that an account owns or edits, also through an organisation, in the order in which they were made;
// only those that wanted takes, nil: all.
func (o *Owners) mine(account string, wanted func(owned) bool) []directory.ID {
	o.mu.RLock()
	defer o.mu.RUnlock()
	var ids []directory.ID
	add := func(id directory.ID) {
		if wanted == nil || wanted(o.is[id]) {
			ids = append(ids, id)
		}
	}
	for id := range o.of[account] {
		add(id)
	}
	for org, posted := range o.as {
		if _, of := o.of[account][o.now(org)]; of {
			for id := range posted {
				add(id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// mine are the entries that an account owns or edits, as [Owners.mine] has them; none without accounts.
func (s *Server) mine(account string, wanted func(owned) bool) []directory.ID {
	if s.Owners == nil || account == "" {
		return nil
	}
	return s.Owners.mine(account, wanted)
}

// ownOrder lists one's own entries as the page has them: what waits, what is public, with the next dates at the end, and what
// is hidden. Dates that are over are a list of their own, the last ones first.
func (s *Server) ownOrder(account string) (list, over []directory.ID, err error) {
	is := func(status directory.Status, event bool) []directory.ID {
		return s.mine(account, func(e owned) bool { return e.status == status && (e.kind == directory.Event) == event })
	}
	for _, status := range []directory.Status{directory.Pending, directory.Published, directory.Hidden} {
		list = append(list, is(status, false)...)
		events := is(status, true)
		if status == directory.Published && len(events) > 0 {
			dated, err := s.Index.Select(geo.Filter{Only: events}, geo.Page{Order: geo.ByStart})
			if err != nil {
				return nil, nil, err
			}
			coming, err := s.Index.Select(geo.Filter{Only: events, Current: s.Now()}, geo.Page{Order: geo.ByStart})
			if err != nil {
				return nil, nil, err
			}
			known, comes := map[directory.ID]bool{}, map[directory.ID]bool{}
			for _, h := range coming.Hits {
				comes[h.ID] = true
			}
			for _, h := range slices.Backward(dated.Hits) {
				if known[h.ID] = true; !comes[h.ID] {
					over = append(over, h.ID)
				}
			}
			// Those that are not on the map because another stands for them are not known to be over.
			events = slices.DeleteFunc(events, func(id directory.ID) bool { return known[id] })
			for _, h := range coming.Hits {
				list = append(list, h.ID)
			}
		}
		list = append(list, events...)
	}
	return list, over, nil
}

// ownEntries is the page of what one has begun, sent and published. It reads what it shows: somebody may keep thousands of
// entries through a calendar of their organisation's.
func (s *Server) ownEntries(c *fiber.Ctx) error {
	if err := account.Check(c, account.EntryCreate, nil); err != nil {
		return err
	}
	from, err := strconv.Atoi(c.Query("from", "0"))
	if err != nil || from < 0 {
		return invalidParam("from", directory.CodeInvalid, c.Query("from"))
	}
	past := c.Query("show") == "past"
	if show := c.Query("show"); !past && show != "" {
		return invalidParam("show", directory.CodeUnknown, show)
	}
	ctx, actor := c.UserContext(), account.From(c)
	l := frontend.T(s.lang(c))
	p := s.page(c, l.Text("own.title"))
	p.NoIndex, p.Canonical = true, ""
	v := frontend.OwnEntriesView{CSRF: s.csrf(c), AddURL: "/add", Past: past}
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
	ids, over, err := s.ownOrder(actor.ID)
	if err != nil {
		return err
	}
	if past {
		ids, v.BackURL = over, "/me/entries"
	} else if len(over) > 0 {
		v.Over, v.OverURL = len(over), "/me/entries?show=past"
	}
	if from == 0 && !past {
		begun, err := s.begun(ctx, actor.ID)
		if err != nil {
			return err
		}
		v.Groups = append(v.Groups, begun)
	}
	from = min(from, len(ids))
	to := min(from+ownPage, len(ids))
	if to < len(ids) {
		next := url.Values{"from": {strconv.Itoa(to)}}
		if past {
			next.Set("show", "past")
		}
		v.Next = "/me/entries?" + next.Encode()
	}
	mine, err := s.Directory.Entries(ctx, ids[from:to])
	if err != nil {
		return err
	}
	var waiting map[directory.ID]int
	if s.Echoes != nil {
		if waiting, err = s.Echoes.WaitingOn(ctx, mine); err != nil {
			return err
		}
	}
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
		v.Groups = append(v.Groups, g)
	}
	v.Groups = slices.DeleteFunc(v.Groups, func(g frontend.OwnGroup) bool { return len(g.Entries) == 0 })
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	return s.render(c, frontend.OwnEntries(p, v))
}

// begun are the drafts of an account.
func (s *Server) begun(ctx context.Context, account string) (frontend.OwnGroup, error) {
	g := frontend.OwnGroup{Status: "draft"}
	drafts, err := s.draftsOf(ctx, account)
	if err != nil || len(drafts) == 0 {
		return g, err
	}
	sent := s.mine(account, nil)
	for _, d := range drafts {
		if _, was := slices.BinarySearch(sent, d.ID); was {
			continue // it was sent, and the program died before it forgot the draft
		}
		g.Entries = append(g.Entries, frontend.OwnEntry{
			Name: strings.TrimSpace(d.Values.Get("name")), Kind: d.Values.Get("kind"), Status: "draft",
			URL: d.url("what"), EditURL: d.url("what"), DiscardURL: "/add/" + d.token() + "/discard",
		})
	}
	return g, nil
}
