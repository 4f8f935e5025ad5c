package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

const (
	queuePage   = 20   // what one page of the queue shows
	historyRead = 200  // changes read to tell what a waiting entry has gone through
	maxReason   = 2000 // characters of a reason
	queueReads  = 500  // histories that one look at the queue reads; it knows those of other looks
	queueWindow = 1000 // entries that wait which one look at the queue reads; further ones are for the looks that go on
)

// moderationRoutes are the pages of those who keep the directory good.
func (s *Server) moderationRoutes() {
	door := account.Require(account.ModerateQueue)
	s.app.Get("/moderate", door, s.queuePage)
	s.app.Get("/moderate/entries/:id/map.png", door, s.waitingMap)
	s.app.Post("/moderate/entries/:id", door, s.decide)
	s.app.Post("/moderate/proposals/:id", door, s.decideProposal)
	s.app.Post("/moderate/changes/:id", door, s.decideChange)
	s.versionsRoutes()
	s.mergeRoutes()
	s.app.Post("/moderate/imported/:id", door, s.decideImported)
	s.reportRoutes()
	s.claimRoutes()
	s.echoRoutes()
	s.adminRoutes()
}

// attempt is a decision that could not be made, to be shown with what was typed.
type attempt struct {
	id              string // of the item's element
	reason, problem string
	wrong           string
}

// queuePage shows what waits.
func (s *Server) queuePage(c *fiber.Ctx) error { return s.showQueue(c, attempt{}) }

// queueShows are the parts of the queue.
var queueShows = []string{"all", "new", "changed", "correction", "report", "imported", "claim", "reply"}

// moderationPage is a page with forms that nobody keeps.
func (s *Server) moderationPage(c *fiber.Ctx, title string) (frontend.Page, *frontend.Localizer) {
	p := s.page(c, "")
	l := frontend.T(p.Lang)
	p.Title = l.Text(title)
	p.NoIndex, p.Canonical = true, ""
	if s.Accounts != nil {
		p.CSRF = s.Accounts.CSRF(c)
	}
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	return p, l
}

func (s *Server) showQueue(c *fiber.Ctx, tried attempt) error {
	p, l := s.moderationPage(c, "queue.title")
	show := c.Query("show", "all")
	if strings.HasPrefix(tried.id, "i-") {
		show = "imported"
	}
	if !slices.Contains(queueShows, show) {
		return invalidParam("show", directory.CodeUnknown, show)
	}
	past, err := strconv.ParseInt(c.Query("past", "0"), 10, 64)
	if err != nil || past < 0 {
		return invalidParam("past", directory.CodeInvalid, c.Query("past"))
	}
	window := queueSpan{past: directory.Seq(past)}
	items, counts, err := s.queue(c, p.Lang, show, &window)
	if err != nil {
		return err
	}
	v := frontend.QueueView{Wrong: tried.wrong, Islands: s.Islands.Waiting()}
	counts["imported"] = s.Waiting.Imported()
	if account.From(c).Role != account.Moderator && account.From(c).Role != account.Admin {
		counts["imported"] = -1 // how many of them are a warden's takes reading them all
	} else {
		counts["all"] += window.rest
	}
	if show == "imported" {
		if v.Items, v.Next, err = s.importedItems(c, p.Lang); err != nil {
			return err
		}
	}
	for _, name := range queueShows {
		if name == "reply" && s.Echoes == nil {
			continue
		}
		v.Tabs = append(v.Tabs, frontend.QueueTab{Show: name, URL: frontend.ModerateURL(name), Count: counts[name], More: window.hides(name) && (name != "all" || counts["imported"] < 0), On: name == show})
	}
	from, err := strconv.Atoi(c.Query("from", "0"))
	if err != nil || from < 0 {
		return invalidParam("from", directory.CodeInvalid, c.Query("from"))
	}
	from = min(from, len(items))
	to := min(from+queuePage, len(items))
	names := map[string]string{}
	for _, q := range items[from:to] {
		switch {
		case q.review != nil:
			if q.item, err = s.changedItem(c.UserContext(), s.presenter(p.Lang), q.entry, q.review, names); err != nil {
				return err
			}
		case q.entry != nil:
			if q.item, err = s.waitingItem(c.UserContext(), account.From(c), s.presenter(p.Lang), q.entry, names); err != nil {
				return err
			}
		}
		v.Items = append(v.Items, q.item)
	}
	switch {
	case show == "imported":
	case to < len(items):
		v.Next = queueURL(show, window.past, to)
	case window.more && window.hides(show):
		v.Next = queueURL(show, window.last, 0)
	}
	for i := range v.Items {
		if tried.id != "" && v.Items[i].ID == tried.id {
			v.Items[i].Reason, v.Items[i].Problem = tried.reason, tried.problem
		}
	}
	if done := c.Query("done"); (slices.Contains(decisions, done) || slices.Contains(changeDecisions, done) || slices.Contains(reportDecisions, done) || done == passReport || slices.Contains(claimDone, done) || slices.Contains(echoDone, done) || slices.Contains(importedDecisions, done)) && tried == (attempt{}) {
		if e, err := s.Directory.Entry(c.UserContext(), directory.ID(c.Query("entry"))); err == nil && account.May(account.From(c), account.ModerateDecide, &e) == nil {
			v.Done = l.Text("queue.done_"+done, "Name", e.Name)
		}
	}
	return s.render(c, frontend.Queue(p, v))
}

func queueURL(show string, past directory.Seq, from int) string {
	q := url.Values{"show": {show}, "from": {strconv.Itoa(from)}}
	if past > 0 {
		q.Set("past", strconv.FormatInt(int64(past), 10))
	}
	return "/moderate?" + q.Encode()
}

// queueSpan is the part of the entries that wait which one look at the queue reads.
type queueSpan struct {
	past, last directory.Seq // the versions after which it begins and with which it ends
	more       bool          // some wait after it
	rest       int           // how many wait before and after it
}

// hides reports whether a part of the queue may have more than the span tells.
func (w *queueSpan) hides(show string) bool {
	return w.rest > 0 && (show == "all" || show == "new" || show == "changed")
}

// queued is one thing of the queue; an entry that waits is told of only when a page shows it.
type queued struct {
	item   frontend.QueueItem
	entry  *directory.Entry
	review *review // the entry is public, and its change is to be looked at
	asking int
}

// queue gathers what the actor may decide about, and counts it by part. What does not come from entries that wait is on the
// pages of their first span.
func (s *Server) queue(c *fiber.Ctx, lang, show string, window *queueSpan) ([]queued, map[string]int, error) {
	ctx, actor, counts := c.UserContext(), account.From(c), map[string]int{}
	var items []queued
	add := func(typ string, q queued) {
		counts["all"]++
		counts[typ]++
		if show == "all" || show == typ {
			items = append(items, q)
		}
	}
	left := queueReads
	ids, last, more, total := s.Waiting.pendingAfter(window.past, queueWindow)
	window.last, window.more, window.rest = last, more, total-len(ids)
	for part := range slices.Chunk(ids, 500) {
		entries, err := s.Directory.Entries(ctx, part)
		if err != nil {
			return nil, nil, err
		}
		for i := range entries {
			e := &entries[i]
			if e.Status != directory.Pending || account.May(actor, account.ModerateDecide, e) != nil {
				continue
			}
			key := string(e.ID) + "@" + strconv.FormatInt(int64(e.Version), 10)
			kind, known := s.waitingKinds.get(key)
			if !known && left > 0 {
				left--
				changes, err := s.Directory.History(ctx, e.ID, 0, historyRead)
				if err != nil {
					return nil, nil, err
				}
				st := storyOf(changes)
				if kind.typ = "new"; st.base != nil {
					kind.typ = "changed"
				}
				if st.asked != nil && !st.answered {
					kind.asking = 1
				}
				s.waitingKinds.put(key, kind)
			} else if !known {
				kind = waitingKind{typ: "new", asking: 0} // until another look has read its history
			}
			add(kind.typ, queued{entry: e, asking: kind.asking})
		}
	}
	if window.past > 0 {
		show = "" // the others have been shown
	}
	public, err := s.changed(ctx, actor)
	if err != nil {
		return nil, nil, err
	}
	for _, q := range public {
		add("changed", q)
	}
	names := map[string]string{}
	for _, more := range []func(context.Context, *account.Actor, presenter, map[string]string) ([]frontend.QueueItem, error){s.proposalItems, s.reportItems, s.claimItems, s.echoItems} {
		list, err := more(ctx, actor, s.presenter(lang), names)
		if err != nil {
			return nil, nil, err
		}
		for _, item := range list {
			add(item.Type, queued{item: item})
		}
	}
	slices.SortStableFunc(items, func(a, b queued) int { return a.asking - b.asking })
	return items, counts, nil
}

// waitingKind is what the history of an entry that waits says of it.
type waitingKind struct {
	typ    string // new or changed
	asking int    // 1: it waits for an answer, and stands behind what waits for a decision
}

// waitingItem tells of an entry that waits.
func (s *Server) waitingItem(ctx context.Context, actor *account.Actor, show presenter, e *directory.Entry, names map[string]string) (frontend.QueueItem, error) {
	changes, err := s.Directory.History(ctx, e.ID, 0, historyRead)
	if err != nil {
		return frontend.QueueItem{}, err
	}
	st := storyOf(changes)
	item := frontend.QueueItem{
		ID: "e-" + string(e.ID), Type: "new", Name: e.Name, Kind: string(e.Kind), Town: e.Town(), Since: st.since.In(show.zone),
		Action: "/moderate/entries/" + string(e.ID), Version: int64(e.Version), Choices: decisions,
	}
	if id := e.MainCategory(); id != "" {
		item.Category = show.category(id)
	}
	if st.base != nil {
		item.Type = "changed"
	}
	item.Author, err = s.authorFor(ctx, st.author, names)
	if err != nil {
		return item, err
	}
	if e.Private != nil {
		item.Note = e.Private.Note
		if item.Author == "" {
			item.Author = e.Private.Email
		}
	}
	if st.asked != nil {
		item.Asked = &frontend.QueueQuestion{At: st.asked.Time.In(show.zone), Text: st.asked.Note, Answered: st.answered}
	}
	item.Fields = show.readable(shownFields(st.base, e))
	if st.base == nil {
		if item.Same, err = s.alike(ctx, actor, e); err != nil {
			return item, err
		}
	}
	item.EditURL, item.VersionsURL = frontend.EditURL(e.Slug), frontend.VersionsURL(e.Slug)
	if len(e.Sites) > 0 {
		item.MapURL = item.Action + "/map.png?w=600&h=240&v=" + strconv.FormatInt(int64(e.Version), 10)
	}
	return item, nil
}

// authorFor is how moderators know an author: by name, or as the log has it; empty for a visitor.
func (s *Server) authorFor(ctx context.Context, author string, names map[string]string) (string, error) {
	if name, ok := names[author]; ok {
		return name, nil
	}
	name := author
	if author == "visitor" {
		name = ""
	}
	if id, ok := strings.CutPrefix(author, account.AuthorPrefix); ok {
		name = "–"
		if s.Accounts != nil {
			switch a, err := s.Accounts.Get(ctx, id); {
			case err == nil:
				name = a.Name
			case !errors.Is(err, account.ErrNoAccount):
				return "", err
			}
		}
	}
	names[author] = name
	return name, nil
}

// decisions are what can be done with an entry that waits.
var decisions = []string{"approve", "ask", "refuse"}

// reasonOf reads why a moderator decides, and says what is wrong with it.
func reasonOf(c *fiber.Ctx, must bool) (string, *directory.Problem) {
	return checkedText(c.FormValue("reason"), "reason", must, maxReason)
}

// checkedText reads several lines that somebody typed.
func checkedText(typed, field string, must bool, most int) (string, *directory.Problem) {
	text := strings.TrimSpace(strings.ReplaceAll(typed, "\r\n", "\n"))
	switch n := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }):
		return strings.ToValidUTF8(text, ""), &directory.Problem{Field: field, Code: directory.CodeControl}
	case n > most:
		return text, &directory.Problem{Field: field, Code: directory.CodeTooLong, Params: map[string]any{"max": most, "got": n}}
	case must && text == "":
		return text, &directory.Problem{Field: field, Code: directory.CodeRequired}
	}
	return text, nil
}

// alike are the public entries that may be the same as one that waits.
func (s *Server) alike(ctx context.Context, actor *account.Actor, e *directory.Entry) (out []frontend.QueueSame, err error) {
	if s.Duplicates == nil {
		return nil, nil
	}
	for _, candidate := range s.Duplicates.Find(e, 4) {
		other, err := s.Directory.Entry(ctx, candidate.ID)
		if err != nil {
			return nil, err
		}
		if !other.Public() {
			continue
		}
		same := frontend.QueueSame{Name: other.Name, Town: other.Town(), URL: frontend.EntryURL(other.Slug)}
		if other.Origin == "" && account.May(actor, account.ModerateDecide, &other) == nil {
			same.MergeURL = frontend.MergeURL(string(other.ID), string(e.ID))
		}
		for _, r := range candidate.Reasons {
			same.Reasons = append(same.Reasons, string(r))
		}
		out = append(out, same)
	}
	return out, nil
}

// decide takes the decision of a moderator about an entry that waits. It is about the version that the form shows: when
// somebody changed or decided meanwhile, nothing is written. The author's mail is sent by [Decisions], from the log.
func (s *Server) decide(c *fiber.Ctx) error {
	ctx := c.UserContext()
	e, err := s.Directory.Entry(ctx, directory.ID(c.Params("id")))
	if err != nil {
		return err
	}
	if err := account.Check(c, account.ModerateDecide, &e); err != nil {
		return err
	}
	decision := c.FormValue("decision")
	if !slices.Contains(decisions, decision) {
		return invalidParam("decision", directory.CodeUnknown, decision)
	}
	version, err := strconv.ParseInt(c.FormValue("version"), 10, 64)
	if err != nil {
		return invalidParam("version", directory.CodeInvalid, c.FormValue("version"))
	}
	l := frontend.T(s.lang(c))
	reason, problem := reasonOf(c, decision != "approve")
	if problem != nil {
		if !wantsPage(c) {
			return directory.Invalid{*problem}
		}
		_, text := l.ProblemText(frontend.Problem{Field: problem.Field, Code: problem.Code, Params: problem.Params})
		c.Status(http.StatusBadRequest)
		return s.showQueue(c, attempt{id: "e-" + string(e.ID), reason: reason, problem: text, wrong: l.Text("queue.reason_missing", "Name", e.Name)})
	}
	if e.Status != directory.Pending || int64(e.Version) != version {
		err = &directory.ConflictError{Theirs: e}
	} else {
		err = s.settle(ctx, account.From(c).Author(), e, decision, reason)
	}
	var conflict *directory.ConflictError
	if errors.As(err, &conflict) && wantsPage(c) {
		c.Status(http.StatusConflict)
		return s.showQueue(c, attempt{id: "e-" + string(e.ID), reason: reason, wrong: l.Text("queue.conflict", "Name", e.Name)})
	}
	if err != nil {
		return err
	}
	return c.Redirect("/moderate?"+url.Values{"done": {decision}, "entry": {string(e.ID)}}.Encode(), http.StatusSeeOther)
}

// settle writes a decision. e is the entry as the moderator saw it.
func (s *Server) settle(ctx context.Context, author string, e directory.Entry, decision, reason string) error {
	switch decision {
	case "refuse":
		changes, err := s.Directory.History(ctx, e.ID, 0, historyRead)
		if err != nil {
			return err
		}
		if base := storyOf(changes).base; base != nil { // it goes on as it was
			_, err := s.goBack(ctx, author, e, base.Version, e.Version, reason)
			return err
		}
		e.Status = directory.Removed
	case "ask":
		if e.Private == nil {
			e.Private = &directory.Private{}
		}
		e.Private.Note = appendLine(e.Private.Note, "? "+reason)
	default:
		e.Status = directory.Published
	}
	outcomes, err := s.Directory.Write(ctx, directory.Write{Author: author, Note: reason, Entries: []directory.Entry{e}})
	if err != nil {
		return err
	}
	return outcomes[0].Err
}

// appendLine puts a line below a text; the oldest lines give way when it grows too long.
func appendLine(text, line string) string {
	if text != "" {
		text += "\n"
	}
	text += line
	for utf8.RuneCountInString(text) > directory.MaxDescription/2 {
		_, rest, ok := strings.Cut(text, "\n")
		if !ok {
			break
		}
		text = rest
	}
	return text
}

// waitingMap is the picture of where a waiting entry is.
func (s *Server) waitingMap(c *fiber.Ctx) error {
	e, err := s.Directory.Entry(c.UserContext(), directory.ID(c.Params("id")))
	if err != nil {
		return err
	}
	if err := account.Check(c, account.ModerateDecide, &e); err != nil {
		return err
	}
	return s.mapOf(c, &e)
}
