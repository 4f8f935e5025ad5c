package echoes

import (
	"bytes"
	"encoding/csv"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/transfer"
	"archipel/federation"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// guestDone are what can be done with somebody who wants to come, and what the page says afterwards.
var guestDone = []string{"accept", "refuse"}

// event is the one of the address, for those who may know who comes.
func (s *Service) event(c *fiber.Ctx) (directory.Entry, error) {
	e, err := s.entry(c, account.EntryGuests)
	if err == nil && e.Kind != directory.Event {
		err = directory.ErrNotFound
	}
	return e, err
}

func (s *Service) guestsPage(c *fiber.Ctx) error {
	e, err := s.event(c)
	if err != nil {
		return err
	}
	return s.showGuests(c, &e, "")
}

// showGuests lists who comes to an event from elsewhere, for its team alone.
func (s *Service) showGuests(c *fiber.Ctx, e *directory.Entry, wrong string) error {
	ctx := c.UserContext()
	p, l := s.begin(c, frontend.GuestsURL(e.Slug))
	p.Title = l.Text("echoes.guests_title", "Name", e.Name)
	v := frontend.GuestsView{Slug: e.Slug, Name: e.Name, Wrong: wrong, TableURL: frontend.GuestsURL(e.Slug) + ".csv"}
	if done := c.Query("done"); slices.Contains(guestDone, done) && wrong == "" {
		v.Done = l.Text("echoes.guest_done_" + done)
	}
	var err error
	if _, v.Open, v.Asks, err = s.Federation.Wishes(ctx, e); err != nil {
		return err
	}
	guests, err := s.Federation.Guests(ctx, e.ID)
	if err != nil {
		return err
	}
	for _, g := range guests {
		one := frontend.GuestView{Key: g.Key, Rev: g.Rev, Name: g.Name, Handle: g.Handle, Host: g.Host, URL: g.Actor, Note: g.Note, Since: g.Since.In(s.zone())}
		switch g.State {
		case federation.GuestWaits:
			v.Waiting = append(v.Waiting, one)
		case federation.GuestRefused:
			v.Refused = append(v.Refused, one)
		default:
			v.Coming = append(v.Coming, one)
		}
	}
	return s.render(c, frontend.Guests(p, v))
}

// decideGuest says yes or no to somebody who wants to come.
func (s *Service) decideGuest(c *fiber.Ctx) error {
	e, err := s.event(c)
	if err != nil {
		return err
	}
	do := c.FormValue("do")
	if !slices.Contains(guestDone, do) {
		return directory.Invalid{{Field: "do", Code: directory.CodeUnknown, Params: map[string]any{"value": shortened(do)}}}
	}
	rev, err := strconv.ParseInt(c.FormValue("rev"), 10, 64)
	if err != nil || rev < 1 {
		return directory.Invalid{{Field: "rev", Code: directory.CodeInvalid}}
	}
	err = s.Federation.DecideGuest(c.UserContext(), e.ID, c.FormValue("key"), rev, do == "accept")
	if errors.Is(err, directory.ErrStale) || errors.Is(err, directory.ErrNotFound) {
		c.Status(http.StatusConflict)
		return s.showGuests(c, &e, frontend.T(s.page(c, "").Lang).Text("echoes.changed"))
	}
	if err != nil {
		return err
	}
	return c.Redirect(frontend.GuestsURL(e.Slug)+"?"+url.Values{"done": {do}}.Encode(), http.StatusSeeOther)
}

// guestsTable is the list as CSV (RFC 4180, UTF-8 with a byte order mark for Excel), for the team alone. No cell is run as a
// formula.
func (s *Service) guestsTable(c *fiber.Ctx) error {
	e, err := s.event(c)
	if err != nil {
		return err
	}
	guests, err := s.Federation.Guests(c.UserContext(), e.ID)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("\ufeff")
	out := csv.NewWriter(&b)
	rows := [][]string{{"account", "name", "server", "since", "state", "note", "address"}}
	for _, g := range guests {
		state := string(g.State)
		if g.State == federation.GuestComes {
			state = "comes"
		}
		rows = append(rows, []string{strings.TrimPrefix(g.Handle, "@"), g.Name, g.Host, g.Since.In(s.zone()).Format(time.RFC3339), state, g.Note, g.Actor})
	}
	for _, row := range rows {
		for i := range row {
			row[i] = transfer.Guard(row[i])
		}
	}
	if err := out.WriteAll(rows); err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="participants.csv"`)
	return c.Send(b.Bytes())
}
