package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// Kinds of the records of reports. A key of what waits is the entry's ID, "/" and the report's.
const (
	KindReport       = "report"        // what waits for a moderator
	KindReportClosed = "report-closed" // what was decided, for a year
)

const (
	openReports  = 5 // of one entry; whoever comes then is told that the team knows
	closedKept   = 365 * 24 * time.Hour
	maxReportOne = 2000 // characters
)

// Report is what somebody says is wrong with an entry. Nothing of it is public.
type Report struct {
	ID       directory.ID `json:"id"`
	Of       directory.ID `json:"of"`
	Category string       `json:"category"`
	Text     string       `json:"text,omitempty"`
	Author   string       `json:"author"`         // as in the log
	Mail     string       `json:"mail,omitempty"` // how to answer
	Lang     string       `json:"lang,omitempty"`
	Created  time.Time    `json:"created"`
	Forward  bool         `json:"forward,omitempty"` // the island that the entry belongs to shall hear of it
	Passed   bool         `json:"passed,omitempty"`  // it was told

	Decision string    `json:"decision,omitempty"` // one of reportDecisions; set once
	Reason   string    `json:"reason,omitempty"`
	By       string    `json:"by,omitempty"`
	Decided  time.Time `json:"decided,omitzero"`

	rev int64
}

func (r *Report) key() string { return string(r.Of) + "/" + string(r.ID) }

// reportDecisions are what can be done with a report: something was done about it, the entry is taken away, nothing is to
// be done.
var reportDecisions = []string{"accept", "remove", "dismiss"}

// passReport is one more, of an entry of another island: the report is passed on to that, with the moderator's words.
const passReport = "pass"

// reportRoutes are the form for everybody, and the decision of moderators.
func (s *Server) reportRoutes() {
	s.app.Get("/e/:slug/report", s.reportPage)
	s.app.Post("/e/:slug/report", account.Require(account.ReportCreate), s.report)
	s.app.Post("/moderate/reports/:of/:id", account.Require(account.ModerateQueue), s.decideReport)
	s.flagRoutes()
}

func (s *Server) reportPage(c *fiber.Ctx) error {
	e, redirected, err := s.bySlug(c, "/report")
	if err != nil || redirected {
		return err
	}
	return s.showReport(c, &e, frontend.ReportView{}, nil)
}

func (s *Server) showReport(c *fiber.Ctx, e *directory.Entry, v frontend.ReportView, invalid directory.Invalid) error {
	p, l := s.moderationPage(c, "report.title")
	v.Slug, v.Name, v.Categories = e.Slug, e.Name, frontend.ReportCategories
	v.SignedIn = account.From(c).SignedIn()
	if s.Operators.Reaches(e) {
		v.Island = s.island(e.Origin)
	}
	v.Wrong = map[string]string{}
	for _, one := range invalid {
		_, v.Wrong[one.Field] = l.ProblemText(frontend.Problem{Field: one.Field, Code: one.Code, Params: one.Params})
	}
	return s.render(c, frontend.Report(p, v))
}

// report keeps what somebody says is wrong.
func (s *Server) report(c *fiber.Ctx) error {
	ctx, actor := c.UserContext(), account.From(c)
	e, redirected, err := s.bySlug(c, "/report")
	if err != nil || redirected {
		return err
	}
	thanks := frontend.ReportView{Done: true}
	if c.FormValue("fax") != "" { // filled in by a program: people do not see it
		return s.showReport(c, &e, thanks, nil)
	}
	r := Report{ID: directory.NewID(), Of: e.ID, Category: c.FormValue("category"), Author: actor.Author(), Mail: strings.TrimSpace(c.FormValue("sender")), Lang: s.lang(c), Created: s.Now().UTC(),
		Forward: c.FormValue("forward") != "" && s.Operators.Reaches(&e)}
	var invalid directory.Invalid
	if !slices.Contains(frontend.ReportCategories, r.Category) {
		invalid = append(invalid, directory.Problem{Field: "category", Code: directory.CodeRequired})
	}
	text, problem := checkedText(c.FormValue("text"), "text", r.Category == "wrong" || r.Category == "inappropriate" || r.Category == "rights", maxReportOne)
	if r.Text = text; problem != nil {
		invalid = append(invalid, *problem)
	}
	if r.Mail != "" {
		if _, err := account.NormalMail(r.Mail); err != nil {
			invalid = append(invalid, directory.Problem{Field: "sender", Code: directory.CodeInvalid})
		}
	}
	if len(invalid) > 0 {
		if !wantsPage(c) {
			return invalid
		}
		c.Status(http.StatusBadRequest)
		return s.showReport(c, &e, frontend.ReportView{Category: r.Category, Text: r.Text, Sender: r.Mail, Forward: r.Forward}, invalid)
	}
	if err := s.Accounts.LimitSuggestions(c); err != nil {
		return err
	}
	open, err := s.reportsOf(ctx, e.ID)
	if err != nil {
		return err
	}
	for _, other := range open {
		if other.Category == r.Category && other.Text == r.Text {
			return s.showReport(c, &e, thanks, nil) // sent twice
		}
	}
	if len(open) >= openReports {
		return s.showReport(c, &e, frontend.ReportView{Done: true, Known: true}, nil)
	}
	// Of somebody with an account the other island hears at once; of a visitor when a moderator passes it on.
	if r.Forward && actor.SignedIn() {
		about := frontend.T(s.Site().Languages[0]).Code("report_category", r.Category)
		if err := s.Operators.PassOn(ctx, &e, strings.TrimSpace(about+". "+r.Text), r.Author); err != nil {
			return err
		}
		r.Passed = true
	}
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := s.Directory.Store().PutRecord(ctx, KindReport, directory.Record{Key: r.key(), Value: value}); err != nil {
		return err
	}
	return s.showReport(c, &e, thanks, nil)
}

// reportsOf lists what is open about one entry, as far as it matters for taking another.
func (s *Server) reportsOf(ctx context.Context, id directory.ID) ([]Report, error) {
	list, err := s.reports(ctx, string(id)+"/", openReports+1)
	return slices.DeleteFunc(list, func(r Report) bool { return r.Of != id }), err
}

// reports lists what waits, by entry.
func (s *Server) reports(ctx context.Context, after string, limit int) ([]Report, error) {
	records, err := s.Directory.Store().Records(ctx, KindReport, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Report, len(records))
	for i, rec := range records {
		if err := json.Unmarshal(rec.Value, &out[i]); err != nil {
			return nil, fmt.Errorf("report %s: %w: %w", rec.Key, directory.ErrCorrupt, err)
		}
		out[i].rev = rec.Rev
	}
	return out, nil
}

// decideReport answers a report. The decision is written first, so that one of two moderators makes it; what follows from
// it is done again when the program dies in between.
func (s *Server) decideReport(c *fiber.Ctx) error {
	ctx, l := c.UserContext(), frontend.T(s.lang(c))
	rec, err := s.Directory.Store().Record(ctx, KindReport, c.Params("of")+"/"+c.Params("id"))
	if err != nil {
		return err
	}
	e, err := s.lives(ctx, directory.ID(c.Params("of")))
	if err != nil {
		return err
	}
	if err := account.Check(c, account.ModerateDecide, &e); err != nil {
		return err
	}
	var r Report
	if rec.Rev > 0 {
		if err := json.Unmarshal(rec.Value, &r); err != nil {
			return fmt.Errorf("report %s: %w: %w", rec.Key, directory.ErrCorrupt, err)
		}
	}
	decision := c.FormValue("decision")
	if !slices.Contains(reportDecisions, decision) && (decision != passReport || !s.Operators.Reaches(&e)) {
		return invalidParam("decision", directory.CodeUnknown, decision)
	}
	reason, problem := reasonOf(c, true)
	if problem != nil {
		if !wantsPage(c) {
			return directory.Invalid{*problem}
		}
		_, text := l.ProblemText(frontend.Problem{Field: problem.Field, Code: problem.Code, Params: problem.Params})
		c.Status(http.StatusBadRequest)
		return s.showQueue(c, attempt{id: "r-" + c.Params("id"), reason: reason, problem: text, wrong: l.Text("queue.reason_missing", "Name", e.Name)})
	}
	version, _ := strconv.ParseInt(c.FormValue("version"), 10, 64)
	if rec.Rev == 0 || r.Decision != "" || decision == "remove" && int64(e.Version) != version {
		c.Status(http.StatusConflict)
		return s.showQueue(c, attempt{id: "r-" + c.Params("id"), reason: reason, wrong: l.Text("queue.conflict", "Name", e.Name)})
	}
	r.Decision, r.Reason, r.By, r.Decided = decision, reason, account.From(c).Author(), s.Now().UTC()
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	err = s.Directory.Store().PutRecord(ctx, KindReport, directory.Record{Key: rec.Key, Value: value, Rev: rec.Rev})
	if errors.Is(err, directory.ErrStale) {
		c.Status(http.StatusConflict)
		return s.showQueue(c, attempt{id: "r-" + c.Params("id"), reason: reason, wrong: l.Text("queue.conflict", "Name", e.Name)})
	}
	if err != nil {
		return err
	}
	if err := s.finishReport(ctx, &r); err != nil {
		return err
	}
	return c.Redirect("/moderate?"+url.Values{"show": {"report"}, "done": {decision}, "entry": {string(e.ID)}}.Encode(), http.StatusSeeOther)
}

// finishReport does what a decision asks for; all of it may be done again.
func (s *Server) finishReport(ctx context.Context, r *Report) error {
	e, err := s.lives(ctx, r.Of)
	if err != nil {
		return err
	}
	if r.Decision == "remove" && e.Public() {
		if err := s.takeAway(ctx, e, r.By, r.Reason); err != nil {
			return err
		}
	}
	if r.Decision == passReport {
		if err := s.Operators.PassOn(ctx, &e, r.Reason, r.By); err != nil {
			return err
		}
	}
	m := account.Message{Key: "report " + string(r.ID), Template: "mail.report_" + r.Decision, Params: map[string]string{"Entry": e.Name, "Reason": r.Reason}}
	if err := s.answer(ctx, m, r.Author, r.Mail, r.Lang); err != nil {
		return err
	}
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	closed := directory.Record{Key: r.key(), Value: value, Expires: r.Decided.Add(closedKept)}
	store := s.Directory.Store()
	if err := store.PutRecord(ctx, KindReportClosed, closed); err != nil && !errors.Is(err, directory.ErrStale) {
		return err
	}
	return store.DeleteRecord(ctx, KindReport, r.key(), 0)
}

// takeAway takes a public entry away. One of another directory is hidden: removed, its origin's next change would bring it
// back.
func (s *Server) takeAway(ctx context.Context, e directory.Entry, author, reason string) error {
	switch {
	case e.Origin == "":
		e.Status = directory.Removed
	case s.Archipelago != nil:
		return s.Archipelago.Hide(ctx, author, e.ID, reason)
	default:
		e.Status = directory.Hidden // as a moderator leaves it aside
	}
	outcomes, err := s.Directory.Write(ctx, directory.Write{Author: author, Note: reason, Entries: []directory.Entry{e}})
	if err != nil {
		return err
	}
	return outcomes[0].Err
}

// answer writes to whoever sent something without an entry of the log behind it: to the account, or to the address given.
func (s *Server) answer(ctx context.Context, m account.Message, author, mail, lang string) error {
	return answerBy(ctx, s.Accounts.Mailer, m, author, mail, lang)
}

func answerBy(ctx context.Context, mailer *account.Mailer, m account.Message, author, mail, lang string) error {
	if id, ok := strings.CutPrefix(author, account.AuthorPrefix); ok {
		m.Account = id
	} else if mail != "" {
		m.To, m.Lang = mail, lang
	} else {
		return nil
	}
	return mailer.Send(ctx, m)
}

// reportItems are the reports that an actor may answer.
func (s *Server) reportItems(ctx context.Context, actor *account.Actor, show presenter, names map[string]string) ([]frontend.QueueItem, error) {
	var items []frontend.QueueItem
	for after := ""; ; {
		page, err := s.reports(ctx, after, 200)
		if err != nil || len(page) == 0 {
			if err == nil {
				var flags []frontend.QueueItem
				flags, err = s.flagItems(ctx, actor, show)
				items = append(items, flags...)
			}
			slices.SortStableFunc(items, func(a, b frontend.QueueItem) int { return a.Since.Compare(b.Since) })
			return items, err
		}
		for i := range page {
			r := &page[i]
			after = r.key()
			if r.Decision != "" { // cut short
				if err := s.finishReport(ctx, r); err != nil {
					return nil, err
				}
				continue
			}
			e, err := s.lives(ctx, r.Of)
			if errors.Is(err, directory.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if account.May(actor, account.ModerateDecide, &e) != nil {
				continue
			}
			item := frontend.QueueItem{ID: "r-" + string(r.ID), Type: "report", Name: e.Name, Kind: string(e.Kind), Town: e.Town(), Since: r.Created.In(show.zone), Note: r.Text,
				Report: r.Category, Action: "/moderate/reports/" + r.key(), Version: int64(e.Version), Choices: reportDecisions}
			if item.Author, err = s.authorFor(ctx, r.Author, names); err != nil {
				return nil, err
			}
			if item.Author == "" {
				item.Author = r.Mail
			}
			if e.Public() {
				item.PageURL, item.EditURL, item.VersionsURL = frontend.EntryURL(e.Slug), frontend.EditURL(e.Slug), frontend.VersionsURL(e.Slug)
			} else {
				item.Choices = []string{"accept", "dismiss"}
			}
			if l := frontend.T(show.lang); s.Operators.Reaches(&e) {
				item.Choices = append(slices.Clone(item.Choices), passReport)
				switch {
				case r.Passed:
					item.Facts = append(item.Facts, l.Text("report.passed", "Name", e.Origin))
				case r.Forward:
					item.Facts = append(item.Facts, l.Text("report.wished", "Name", e.Origin))
				}
			}
			items = append(items, item)
		}
	}
}
