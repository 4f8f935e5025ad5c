package archipelago

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// heldPage is how many entries a page shows.
const heldPage = 50

// What waits for a moderator, and what one left aside.
var (
	waiting = []directory.Status{directory.Pending, directory.Draft}
	aside   = []directory.Status{directory.Hidden}
)

// Waiting is how many entries of other directories wait for a moderator.
func (s *Service) Waiting() int {
	if !s.On() {
		return 0
	}
	return len(s.Mirrors.Listed("", waiting...))
}

// On reports whether the instance takes part in the archipelago.
func (s *Service) On() bool { return s != nil && s.Islands != nil }

func (h *handlers) held(c *fiber.Ctx) error {
	if err := h.off(c); err != nil {
		return err
	}
	return h.showHeld(c, c.Query("show", "waiting"), c.Query("island"), "")
}

func heldURL(show, host string, more url.Values) string {
	v := url.Values{"show": {show}}
	if host != "" {
		v.Set("island", host)
	}
	for k, list := range more {
		v[k] = list
	}
	return "/moderate/islands?" + v.Encode()
}

// showHeld lists the entries that the actor may decide about.
func (h *handlers) showHeld(c *fiber.Ctx, show, host, wrong string) error {
	ctx, actor := c.UserContext(), account.From(c)
	in, ok := map[string][]directory.Status{"waiting": waiting, "aside": aside}[show]
	if !ok {
		return directory.Invalid{{Field: "show", Code: directory.CodeUnknown, Params: map[string]any{"value": show}}}
	}
	from, err := strconv.Atoi(c.Query("from", "0"))
	if err != nil || from < 0 {
		return directory.Invalid{{Field: "from", Code: directory.CodeInvalid, Params: map[string]any{"value": c.Query("from")}}}
	}
	p, l := h.page(c, "archipelago.held_title")
	v := frontend.HeldView{Wrong: wrong, Host: host, Aside: show == "aside", Admin: account.May(actor, account.PeersManage, nil) == nil}
	for _, name := range []string{"waiting", "aside"} {
		n := len(h.Mirrors.Listed(host, map[string][]directory.Status{"waiting": waiting, "aside": aside}[name]...))
		v.Tabs = append(v.Tabs, frontend.QueueTab{Show: name, URL: heldURL(name, host, nil), Count: n, On: name == show})
	}
	all, err := h.Islands.Statuses(ctx)
	if err != nil {
		return err
	}
	v.Islands = append(v.Islands, frontend.Option{Value: heldURL(show, "", nil), Label: l.Text("archipelago.everything"), Selected: host == ""})
	names := map[string]string{} // by host
	for i := range all {
		names[all[i].Host] = h.line(&all[i]).Name
		if n := len(h.Mirrors.Listed(all[i].Host, in...)); n > 0 {
			v.Islands = append(v.Islands, frontend.Option{Value: heldURL(show, all[i].Host, nil), Label: names[all[i].Host] + " " + l.Number(n), Selected: host == all[i].Host})
		}
	}
	ids := h.Mirrors.Listed(host, in...)
	v.Total = len(ids)
	for from < len(ids) && len(v.Rows) < heldPage {
		n := min(heldPage-len(v.Rows), len(ids)-from)
		entries, err := h.Directory.Entries(ctx, ids[from:from+n])
		if err != nil {
			return err
		}
		from += n
		for i := range entries {
			e := &entries[i]
			if e.Origin == "" || !slices.Contains(in, e.Status) || account.May(actor, account.ModerateDecide, e) != nil {
				continue
			}
			row := frontend.HeldRow{ID: string(e.ID), Name: e.Name, Kind: string(e.Kind), Town: e.Town(), Summary: e.Summary, Origin: cmp.Or(names[e.Origin], e.Origin), Licence: e.Licence, Suggested: e.Status == directory.Draft}
			if e.Source != nil {
				row.OriginURL = e.Source.URL
			}
			if id := e.MainCategory(); id != "" {
				row.Category = h.Category(id, l.Lang())
			}
			v.Rows = append(v.Rows, row)
		}
	}
	if from < len(ids) {
		v.Next = heldURL(show, host, url.Values{"from": {strconv.Itoa(from)}})
	}
	if n, err := strconv.Atoi(c.Query("n")); err == nil && n >= 0 && wrong == "" {
		switch c.Query("done") {
		case "show":
			v.Done = l.Plural("archipelago.held_shown", n)
		case "aside":
			v.Done = l.Plural("archipelago.held_left", n)
		}
	}
	return h.Render(c, frontend.Held(p, v))
}

// decideHeld makes entries of others public, or leaves them aside: those that are ticked, or all that wait of one island.
func (h *handlers) decideHeld(c *fiber.Ctx) error {
	if err := h.off(c); err != nil {
		return err
	}
	ctx, actor, do, host := c.UserContext(), account.From(c), c.FormValue("do"), c.FormValue("island")
	shown := "waiting"
	if c.FormValue("show") == "aside" {
		shown = "aside"
	}
	var ids []directory.ID
	switch do {
	case "show", "aside":
		for _, id := range many(c, "id") {
			ids = append(ids, directory.ID(id))
		}
		if len(ids) == 0 || len(ids) > heldPage {
			l := frontend.T(h.Server.Page(c, "").Lang)
			c.Status(http.StatusBadRequest)
			return h.showHeld(c, shown, host, l.Text("archipelago.held_nothing"))
		}
	case "show_all", "aside_all":
		if host == "" {
			return directory.Invalid{{Field: "island", Code: directory.CodeRequired}}
		}
		ids = h.Mirrors.Listed(host, waiting...)
	default:
		return directory.Invalid{{Field: "do", Code: directory.CodeUnknown, Params: map[string]any{"value": do}}}
	}
	show, n := do == "show" || do == "show_all", 0
	for part := range slices.Chunk(ids, 500) {
		entries, err := h.Directory.Entries(ctx, part)
		if err != nil {
			return err
		}
		part = part[:0:0]
		for i := range entries {
			if e := &entries[i]; e.Origin != "" && account.May(actor, account.ModerateDecide, e) == nil && (slices.Contains(waiting, e.Status) || show && slices.Contains(aside, e.Status)) {
				part = append(part, e.ID)
			}
		}
		changed, err := h.Islands.Decide(ctx, actor.Author(), part, show)
		if err != nil {
			return err
		}
		n += changed
	}
	done := "show"
	if !show {
		done = "aside"
	}
	return c.Redirect(heldURL(shown, host, url.Values{"done": {done}, "n": {strconv.Itoa(n)}}), http.StatusSeeOther)
}
