package archipelago

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/federation/islands"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// shown are the islands with which there is an agreement, those of which there is most first, and where they are on the map.
func (s *Service) shown(ctx context.Context) (list []islands.Status, marks []Mark, err error) {
	list, err = s.Islands.Standing(ctx)
	if err != nil {
		return nil, nil, err
	}
	list = slices.DeleteFunc(list, func(st islands.Status) bool { return st.Blocked })
	slices.SortStableFunc(list, func(a, b islands.Status) int { return b.Count.Public - a.Count.Public })
	for i := range list {
		if box := boxOf(&list[i].About); box != nil {
			marks = append(marks, Mark{Point: [2]float64{(box[0] + box[2]) / 2, (box[1] + box[3]) / 2}, Number: i + 1, Box: *box})
		}
	}
	return list, marks, nil
}

// boxOf is the extent of a directory: its outline, or that of its entries. What crosses the antimeridian is not drawn.
func boxOf(d *islands.Description) *[4]float64 {
	if g := d.Territory.Shape; g != nil && g.Geometry != nil {
		b := g.Geometry.Bound()
		return &[4]float64{b.Min[0], b.Min[1], b.Max[0], b.Max[1]}
	}
	if b := d.Territory.Box; b != nil && b[0] <= b[2] && b[1] <= b[3] && b[0] >= -180 && b[2] <= 180 && b[1] >= -85 && b[3] <= 85 {
		return b
	}
	return nil
}

func (h *handlers) public(c *fiber.Ctx) error {
	if err := h.off(c); err != nil {
		return err
	}
	list, marks, err := h.shown(c.UserContext())
	if err != nil {
		return err
	}
	p := h.Server.Page(c, "")
	l, zone := frontend.T(p.Lang), h.Zone()
	p.Title, p.Description = l.Text("archipelago.public_title"), l.Text("archipelago.public_lead")
	mine, err := h.ourWords(c)
	if err != nil {
		return err
	}
	v := frontend.PublicIslandsView{MapShown: len(marks) > 0, MapURL: "/islands/map.png?w=640&h=400&v=" + strconv.FormatUint(uint64(len(marks)), 10),
		Manage: h.Accounts != nil && account.May(account.From(c), account.PeersManage, nil) == nil}
	for i := range list {
		st := &list[i]
		line := h.line(st)
		one := frontend.PublicIsland{Name: line.Name, Host: line.Host, Address: line.Address, Territory: line.Territory, Summary: st.About.Summary, Count: st.Count.Public,
			In: st.In.Standing, Out: st.Out.Standing, InSince: st.In.Since.In(zone), OutSince: st.Out.Since.In(zone), Contact: line.Contact, Stale: st.Stale, Failing: failing(st, h.Now())}
		if slices.ContainsFunc(marks, func(m Mark) bool { return m.Number == i+1 }) {
			one.Number = i + 1
		}
		if one.In {
			one.Scope = h.given(l, &st.In, h.namesIn(st.About.Words(), l.Lang()))
		}
		if one.Out {
			one.OutScope = h.given(l, &st.Out, h.namesIn(mine, l.Lang()))
		}
		if st.About.Licence != "" {
			one.Licences = []string{st.About.Licence}
		}
		v.Lines = append(v.Lines, one)
	}
	return h.Render(c, frontend.PublicIslands(p, v))
}

// given is what goes one way, in words; nothing when it is everything.
func (s *Service) given(l *frontend.Localizer, side *islands.Side, names func(string) string) []string {
	words := s.inWords(l, &side.Asked, names)
	if side.State == islands.Narrowed {
		words = append(words, s.inWords(l, &side.Agreed, names)...)
	}
	everything := l.Text("archipelago.everything")
	words = slices.DeleteFunc(words, func(w string) bool { return w == everything })
	return slices.Compact(words)
}

// failing reports whether an island has not answered for a while.
func failing(st *islands.Status, now time.Time) bool {
	return st.In.Standing && st.Sync.Failures > 2 && !st.Sync.Since.IsZero() && now.Sub(st.Sync.Since) > time.Hour
}

// publicMap is the picture of where the islands are.
func (h *handlers) publicMap(c *fiber.Ctx) error {
	if err := h.off(c); err != nil {
		return err
	}
	_, marks, err := h.shown(c.UserContext())
	if err != nil {
		return err
	}
	if len(marks) == 0 {
		return fiber.NewError(http.StatusNotFound)
	}
	var key strings.Builder
	for _, m := range marks {
		fmt.Fprintf(&key, "%d %v %v\n", m.Number, m.Point, m.Box)
	}
	return h.Picture(c, key.String(), marks)
}

// Health says how the islands fare, for the page of the directory's health.
func (s *Service) Health(ctx context.Context, l *frontend.Localizer) ([]frontend.HealthNote, error) {
	if s.Islands == nil {
		return nil, nil
	}
	all, err := s.Islands.Statuses(ctx)
	if err != nil {
		return nil, err
	}
	var notes []frontend.HealthNote
	standing := 0
	for i := range all {
		st := &all[i]
		name, link := nameOf(st), frontend.IslandURL(st.Host)
		if st.In.Standing || st.Out.Standing {
			standing++
		}
		switch {
		case st.Blocked:
		case st.Stale || failing(st, s.Now()):
			since := st.Sync.Contact
			if since.IsZero() {
				since = st.In.Since
			}
			notes = append(notes, frontend.HealthNote{Text: l.Text("archipelago.health_in", "Name", name, "Date", l.Stamp(since.In(s.Zone()))), URL: link, Bad: true})
		case st.In.Error != "" || st.Out.Error != "":
			why := st.In.Error
			if why == "" {
				why = st.Out.Error
			}
			notes = append(notes, frontend.HealthNote{Text: l.Text("archipelago.health_out", "Name", name, "Why", why), URL: link, Bad: true})
		}
		if st.Out.State == islands.Asked && !st.Blocked {
			notes = append(notes, frontend.HealthNote{Text: l.Text("archipelago.health_asking", "Name", name), URL: link, Bad: true})
		}
	}
	if len(notes) == 0 && standing > 0 {
		notes = append(notes, frontend.HealthNote{Text: l.Text("archipelago.health_ok", "Count", l.Number(standing)), URL: "/admin/islands"})
	}
	return notes, nil
}

func nameOf(st *islands.Status) string {
	if st.Name != "" {
		return st.Name
	}
	return st.Host
}
