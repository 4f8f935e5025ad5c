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
	"sync"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// SourcesKey is the key of the setting that holds the terms of each source, by its name.
const SourcesKey = "sources"

// Terms are what an administrator says of a source of entries.
type Terms struct {
	URL         string `json:"url,omitempty"`
	Licence     string `json:"licence,omitempty"`     // SPDX identifier
	Attribution string `json:"attribution,omitempty"` // what to write beside its data, in its own words
}

// termsCache keeps the terms of the sources for the pages that show them.
type termsCache struct {
	mu    sync.Mutex
	read  time.Time
	rev   int64
	terms map[string]Terms
}

func (s *Server) sourceRoutes() {
	door := account.Require(account.ImportsUndo)
	s.app.Get("/admin/sources", door, s.sourcesPage)
	s.app.Post("/admin/sources", door, s.changeSource)
}

// ReadTerms gives what is said of each source, by its name, and the revision of the setting.
func ReadTerms(ctx context.Context, store directory.Store) (map[string]Terms, int64, error) {
	value, rev, err := store.Setting(ctx, SourcesKey)
	terms := map[string]Terms{}
	if err == nil && value != nil {
		if err = json.Unmarshal(value, &terms); err != nil {
			err = fmt.Errorf("setting %q: %w", SourcesKey, err)
		}
	}
	return terms, rev, err
}

// termsOf are the terms of a source, not older than two seconds.
func (s *Server) termsOf(ctx context.Context, source string) Terms {
	s.terms.mu.Lock()
	defer s.terms.mu.Unlock()
	if now := s.Now(); s.terms.terms == nil || now.Sub(s.terms.read) > 2*time.Second {
		terms, rev, err := ReadTerms(ctx, s.Directory.Store())
		if err == nil {
			s.terms.terms, s.terms.read, s.terms.rev = terms, now, rev
		}
	}
	return s.terms.terms[source]
}

// termsStamp changes whenever the terms of a source do, for the tags of what carries them.
func (s *Server) termsStamp() string {
	s.attribution("") // reads them when they are old
	s.terms.mu.Lock()
	defer s.terms.mu.Unlock()
	return strconv.FormatInt(s.terms.rev, 36)
}

func (s *Server) sourcesPage(c *fiber.Ctx) error {
	v := frontend.SourcesView{}
	if n, err := strconv.Atoi(c.Query("n")); err == nil && c.Query("done") == "1" && n >= 0 {
		v.Done = frontend.T(s.lang(c)).Plural("imports.source_done", n)
	}
	return s.showSources(c, v)
}

func (s *Server) showSources(c *fiber.Ctx, v frontend.SourcesView) error {
	p, _ := s.moderationPage(c, "imports.sources")
	terms, rev, err := ReadTerms(c.UserContext(), s.Directory.Store())
	if err != nil {
		return err
	}
	v.Revision = rev
	at := map[string]int{}
	for _, one := range s.Sources.List() {
		i, known := at[one.Name]
		if !known {
			i = len(v.Sources)
			at[one.Name] = i
			v.Sources = append(v.Sources, frontend.SourceTerms{Name: one.Name, URL: one.URL, Licence: one.Licence})
		}
		v.Sources[i].Count += one.Count
		if one.Licence != "" && !slices.Contains(v.Sources[i].Licences, one.Licence) {
			v.Sources[i].Licences = append(v.Sources[i].Licences, one.Licence)
		}
	}
	for i := range v.Sources {
		if t, ok := terms[v.Sources[i].Name]; ok {
			v.Sources[i].URL, v.Sources[i].Licence, v.Sources[i].Attribution = t.URL, t.Licence, t.Attribution
		}
		if v.Sources[i].Name == v.Typed.Name {
			v.Sources[i].URL, v.Sources[i].Licence, v.Sources[i].Attribution = v.Typed.URL, v.Typed.Licence, v.Typed.Attribution
		}
	}
	return s.render(c, frontend.SourcesPage(p, v))
}

// changeSource saves the terms of a source, and gives its address and licence to every entry of ours that comes from it, so
// that all exports carry them.
func (s *Server) changeSource(c *fiber.Ctx) error {
	ctx, l := c.UserContext(), frontend.T(s.lang(c))
	terms, rev, err := ReadTerms(ctx, s.Directory.Store())
	if err != nil {
		return err
	}
	name := c.FormValue("name")
	if !slices.ContainsFunc(s.Sources.List(), func(o directory.SourceCount) bool { return o.Name == name }) {
		return invalidParam("name", directory.CodeUnknown, name)
	}
	attribution, problem := checkedText(c.FormValue("attribution"), "attribution", false, 500)
	t := Terms{URL: strings.TrimSpace(c.FormValue("url")), Licence: directory.CanonicalLicence(strings.TrimSpace(c.FormValue("licence"))), Attribution: attribution}
	v := frontend.SourcesView{Typed: frontend.SourceTerms{Name: name, URL: t.URL, Licence: t.Licence, Attribution: t.Attribution}}
	probe := directory.Entry{Kind: directory.Place, Name: "x", Status: directory.Published, Licence: t.Licence, Source: &directory.Source{Name: name, URL: t.URL}}
	directory.Normalize(&probe)
	var invalid directory.Invalid
	if problem != nil {
		invalid = directory.Invalid{*problem}
	} else if err := directory.Validate(&probe, directory.Rules{}); err != nil && !errors.As(err, &invalid) {
		return err
	}
	if len(invalid) > 0 {
		field, text := l.ProblemText(frontend.Problem{Field: invalid[0].Field, Code: invalid[0].Code, Params: invalid[0].Params})
		v.Wrong = field + ": " + text
		c.Status(http.StatusBadRequest)
		return s.showSources(c, v)
	}
	t.URL = probe.Source.URL
	terms[name] = t
	b, err := json.Marshal(terms)
	if err != nil {
		return err
	}
	err = directory.ErrStale
	if c.FormValue("revision") == strconv.FormatInt(rev, 10) {
		err = s.Directory.Store().PutSetting(ctx, SourcesKey, b, rev)
	}
	if errors.Is(err, directory.ErrStale) {
		v.Wrong = l.Text("admin.conflict")
		c.Status(http.StatusConflict)
		return s.showSources(c, v)
	}
	if err != nil {
		return err
	}
	s.terms.mu.Lock()
	s.terms.terms = nil
	s.terms.mu.Unlock()
	n, err := s.applyTerms(ctx, account.From(c).Author(), l.Text("imports.source_note", "Name", name), name, t)
	if err != nil {
		return err
	}
	return c.Redirect("/admin/sources?"+url.Values{"done": {"1"}, "n": {strconv.Itoa(n)}}.Encode(), http.StatusSeeOther)
}

// applyTerms gives the entries of a source its address and licence. It may be done again when it was cut short.
func (s *Server) applyTerms(ctx context.Context, author, note, source string, t Terms) (changed int, err error) {
	batch := "source-" + s.Now().UTC().Format("20060102-150405.000")
	differs := func(e *directory.Entry) bool {
		return e.Origin == "" && e.Status != directory.Removed && e.Source != nil && e.Source.Name == source && (e.Source.URL != t.URL || t.Licence != "" && e.Licence != t.Licence)
	}
	for range 5 { // entries that were saved at the same moment come again
		var ids []directory.ID
		err := s.Directory.Scan(ctx, func(entries []directory.Entry) error {
			for i := range entries {
				if differs(&entries[i]) {
					ids = append(ids, entries[i].ID)
				}
			}
			return nil
		})
		if err != nil || len(ids) == 0 {
			return changed, err
		}
		before := changed
		for part := range slices.Chunk(ids, 500) {
			entries, err := s.Directory.Entries(ctx, part)
			if err != nil {
				return changed, err
			}
			for i := range entries {
				entries[i].Source.URL = t.URL
				if t.Licence != "" {
					entries[i].Licence = t.Licence
				}
			}
			outcomes, err := s.Directory.Write(ctx, directory.Write{Author: author, Note: note, Batch: batch, Entries: entries})
			if err != nil {
				return changed, err
			}
			for _, o := range outcomes {
				if o.Result == directory.Updated {
					changed++
				}
			}
		}
		if changed == before {
			return changed, nil
		}
	}
	return changed, nil
}
