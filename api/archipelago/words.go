package archipelago

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/federation/islands"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

const (
	wordsPage = 25               // words on a page: each comes with all our categories to choose from
	keepSeen  = 32 * time.Second // for how long what was counted is shown again
)

// wordShows are the parts of the page.
var wordShows = []string{"open", "known", "rest"}

// seenWords are the categories that entries of an island came with. Counting them takes a while when there are many.
func (s *Service) seenWords(ctx context.Context, host string) (seen, error) {
	s.mu.Lock()
	v, ok := s.seen[host]
	s.mu.Unlock()
	if ok && s.Now().Sub(v.at) < keepSeen {
		m, err := islands.Map(ctx, s.Directory.Store(), host)
		if err != nil {
			return v, err
		}
		v.words = slices.Clone(v.words)
		for i := range v.words { // what somebody said since
			v.words[i].Meaning = s.Islands.Translate([]islands.Word{v.words[i].Word}, m)[0]
		}
		return v, nil
	}
	v = seen{at: s.Now()}
	var err error
	if v.words, v.looked, v.all, err = s.Islands.Seen(ctx, host); err != nil {
		return v, err
	}
	if v.all > 1000 { // fewer are counted at once
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.seen) > 50 {
			clear(s.seen)
		}
		s.seen[host] = v
	}
	return v, nil
}

func (h *handlers) words(c *fiber.Ctx) error {
	host, err := h.hostParam(c)
	if err != nil {
		return err
	}
	return h.showWords(c, host, nil, "")
}

// showWords shows how the categories of an island are said in ours; choices are those that could not be saved.
func (h *handlers) showWords(c *fiber.Ctx, host string, choices map[string]string, wrong string) error {
	ctx := c.UserContext()
	shown := c.Query("show", "open")
	if !slices.Contains(wordShows, shown) {
		return directory.Invalid{{Field: "show", Code: directory.CodeUnknown, Params: map[string]any{"value": shown}}}
	}
	from, err := strconv.Atoi(c.Query("from", "0"))
	if err != nil || from < 0 {
		return directory.Invalid{{Field: "from", Code: directory.CodeInvalid, Params: map[string]any{"value": c.Query("from")}}}
	}
	st, err := h.status(ctx, host)
	if err != nil {
		return err
	}
	counted, err := h.seenWords(ctx, st.Server())
	if err != nil {
		return err
	}
	m, err := islands.Map(ctx, h.Directory.Store(), st.Server())
	if err != nil {
		return err
	}
	line := h.line(&st)
	p, l := h.page(c, "archipelago.words_title", "Name", line.Name)
	v := frontend.WordsView{Name: line.Name, Host: host, Back: frontend.IslandURL(host), Wrong: wrong, Own: h.Groups(l.Lang()), Looked: counted.looked, All: counted.all}
	if v.Pending, err = islands.MapPending(ctx, h.Directory.Store(), st.Server()); err != nil {
		return err
	}
	if c.Query("done") == "1" && wrong == "" {
		v.Done = l.Text("archipelago.words_done")
	}
	parts := map[string][]islands.SeenWord{}
	came := map[string]bool{}
	for _, w := range counted.words {
		came[w.ID] = true
		part := "known"
		if w.Ours == "" && !w.Mapped {
			part = "open"
		}
		parts[part] = append(parts[part], w)
	}
	for _, w := range h.Islands.Translate(st.About.Words(), m) {
		if !came[w.ID] {
			parts["rest"] = append(parts["rest"], islands.SeenWord{Meaning: w})
		}
	}
	if shown == "open" && len(parts["open"]) == 0 && !c.Context().QueryArgs().Has("show") {
		shown = "known"
	}
	base := v.Back + "/words?"
	for _, name := range wordShows {
		v.Tabs = append(v.Tabs, frontend.QueueTab{Show: name, URL: base + url.Values{"show": {name}}.Encode(), Count: len(parts[name]), On: name == shown})
	}
	list := parts[shown]
	from = min(from, len(list))
	to := min(from+wordsPage, len(list))
	v.Action = base + url.Values{"show": {shown}, "from": {strconv.Itoa(from)}}.Encode()
	if to < len(list) {
		v.Next = base + url.Values{"show": {shown}, "from": {strconv.Itoa(to)}}.Encode()
	}
	name := h.namesIn(st.About.Words(), l.Lang())
	for _, w := range list[from:to] {
		row := frontend.IslandWord{ID: w.ID, Label: h.Islands.NameOf(w.Word, l.Lang()), Count: w.Count, None: w.Ours == "" && !w.Mapped}
		var hints []string
		if len(w.Under) > 0 {
			hints = append(hints, l.Text("archipelago.word_under", "Name", name(w.Under[0])))
		}
		row.Hint = strings.Join(append(hints, w.OSM[:min(len(w.OSM), 3)]...), " · ")
		if found := h.Islands.Translate([]islands.Word{w.Word}, nil)[0].Ours; found != "" {
			row.Found = h.Taxonomy.Label(found, l.Lang())
		}
		if w.Mapped {
			if row.Choice = w.Ours; w.Ours == "" {
				row.Choice = "-"
			}
		}
		if choice, ok := choices[w.ID]; ok {
			row.Choice = choice
		}
		v.Words = append(v.Words, row)
	}
	return h.Render(c, frontend.IslandWords(p, v))
}

// changeWords saves what one page of the form says.
func (h *handlers) changeWords(c *fiber.Ctx) error {
	host, err := h.hostParam(c)
	if err != nil {
		return err
	}
	choices, said := map[string]string{}, map[string]string{}
	var forget []string
	for i := range 10 * wordsPage {
		theirs := c.FormValue("word." + strconv.Itoa(i))
		if theirs == "" {
			break
		}
		ours := c.FormValue("ours." + strconv.Itoa(i))
		choices[theirs] = ours
		switch ours {
		case "":
			forget = append(forget, theirs)
		case "-":
			said[theirs] = ""
		default:
			said[theirs] = ours
		}
	}
	whose := islands.Agreement{Host: host}
	err = h.Islands.SaveMap(c.UserContext(), whose.Server(), said, forget)
	var invalid directory.Invalid
	if errors.As(err, &invalid) {
		c.Status(http.StatusBadRequest)
		return h.showWords(c, host, choices, problemText(frontend.T(h.Server.Page(c, "").Lang), invalid[0]))
	}
	if err != nil {
		return err
	}
	h.Log.Info("islands: words were said in ours", "island", host, "words", len(said), "author", account.From(c).Author())
	return c.Redirect(frontend.IslandURL(host)+"/words?"+url.Values{"show": {shownOr(c, "open")}, "done": {"1"}}.Encode(), http.StatusSeeOther)
}

// shownOr is the part of a page that its address names.
func shownOr(c *fiber.Ctx, or string) string {
	if show := c.Query("show"); slices.Contains(wordShows, show) {
		return show
	}
	return or
}
