package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// TaxonomyKey is the key of the setting that holds the categories, once somebody has edited them; until then those of the
// program's file count.
const TaxonomyKey = "taxonomy"

// LoadTaxonomy puts the categories that were edited, if they were, in the place of t's, and returns their revision.
func LoadTaxonomy(ctx context.Context, store directory.Store, t *taxonomy.Taxonomy) (rev int64, err error) {
	value, rev, err := store.Setting(ctx, TaxonomyKey)
	if err != nil || value == nil {
		return rev, err
	}
	edited, err := taxonomy.Parse("setting "+TaxonomyKey, value)
	if err != nil {
		return rev, err
	}
	t.Replace(edited)
	return rev, nil
}

func (s *Server) taxonomyRoutes() {
	door := account.Require(account.TaxonomyEdit)
	s.app.Get("/admin/taxonomy", door, s.taxonomyPage)
	s.app.Get("/admin/taxonomy.yaml", door, s.taxonomyFile)
	s.app.Post("/admin/taxonomy", door, s.addCategory)
	s.app.Post("/admin/taxonomy/import", door, s.importTaxonomy)
	s.app.Get("/admin/taxonomy/:id", door, s.categoryPage)
	s.app.Post("/admin/taxonomy/:id", door, s.changeCategory)
}

// edited is the taxonomy as the store has it, which another node may have changed a moment ago.
func (s *Server) edited(ctx context.Context) (*taxonomy.Taxonomy, int64, error) {
	value, rev, err := s.Directory.Store().Setting(ctx, TaxonomyKey)
	if err != nil || value == nil {
		return s.Taxonomy, rev, err
	}
	t, err := taxonomy.Parse("setting "+TaxonomyKey, value)
	return t, rev, err
}

// errTaxonomyStale reports that somebody saved the categories first.
var errTaxonomyStale = errors.New("the categories were changed meanwhile")

// saveTaxonomy puts new categories into the store, unless somebody was faster, and shows them at once.
func (s *Server) saveTaxonomy(c *fiber.Ctx, next *taxonomy.Taxonomy, rev int64) error {
	if c.FormValue("revision") != strconv.FormatInt(rev, 10) {
		return errTaxonomyStale
	}
	b, err := json.Marshal(next)
	if err != nil {
		return err
	}
	err = s.Directory.Store().PutSetting(c.UserContext(), TaxonomyKey, b, rev)
	if errors.Is(err, directory.ErrStale) {
		return errTaxonomyStale
	}
	if err != nil {
		return err
	}
	s.Log.Info("the categories changed", "author", account.From(c).Author(), "revision", rev+1)
	s.Taxonomy.Replace(next)
	if s.TaxonomySaved != nil {
		s.TaxonomySaved()
	}
	return nil
}

// taxonomyProblem shows what is wrong with an edit, and reports whether err was such a thing.
func (s *Server) taxonomyProblem(c *fiber.Ctx, err error, v *frontend.TaxonomyView) bool {
	l := frontend.T(s.lang(c))
	var wrong *taxonomy.Error
	switch {
	case errors.Is(err, errTaxonomyStale):
		c.Status(http.StatusConflict)
		v.Wrong = []string{l.Text("taxonomy.conflict")}
	case errors.As(err, &wrong):
		c.Status(http.StatusBadRequest)
		for _, p := range wrong.Problems {
			where := ""
			if p.Line > 1 {
				where = l.Text("taxonomy.line", "N", p.Line) + " "
			}
			if p.Category != "" {
				where += p.Category + " "
			}
			if field, _, _ := strings.Cut(strings.Replace(p.Field, "description", "about", 1), "."); field != "" {
				where += "(" + l.Code("taxonomy_field", field) + ") "
			}
			v.Wrong = append(v.Wrong, where+p.Message)
		}
	default:
		return false
	}
	return true
}

func (s *Server) taxonomyPage(c *fiber.Ctx) error {
	v := frontend.TaxonomyView{}
	l := frontend.T(s.lang(c))
	if done := c.Query("done"); slices.Contains([]string{"added", "removed", "imported", "merged"}, done) {
		n, _ := strconv.Atoi(c.Query("n"))
		v.Done = l.Plural("taxonomy.done_"+done, n, "Name", s.Taxonomy.Label(c.Query("category"), s.lang(c)))
	}
	return s.showTaxonomy(c, v, taxonomy.Category{})
}

// showTaxonomy shows the tree, and the form to add a category with what was typed.
func (s *Server) showTaxonomy(c *fiber.Ctx, v frontend.TaxonomyView, typed taxonomy.Category) error {
	t, rev, err := s.edited(c.UserContext())
	if err != nil {
		return err
	}
	p, _ := s.moderationPage(c, "taxonomy.title")
	v.Revision, v.Edited = rev, rev > 0
	counts, err := s.categoryCounts()
	if err != nil {
		return err
	}
	show := s.presenter(p.Lang)
	for _, cat := range t.All() {
		v.Lines = append(v.Lines, frontend.TaxonomyLine{Category: categoryOf(t, show.lang, cat.ID), Depth: len(t.Ancestors(cat.ID)), Count: counts[cat.ID], Former: cat.Former})
	}
	v.Add = s.categoryForm(t, typed, p.Lang)
	if len(typed.Label) == 0 {
		v.Add.Parent = c.Query("parent")
	}
	return s.render(c, frontend.Taxonomy(p, v))
}

func categoryOf(t *taxonomy.Taxonomy, lang, id string) frontend.Category {
	c, _ := t.Category(id)
	return frontend.Category{ID: id, Label: t.Label(id, lang), Icon: c.Icon, Color: c.Color}
}

// categoryCounts are the public entries of each category, with all that is below it.
func (s *Server) categoryCounts() (map[string]int, error) {
	r := request{}
	facets, err := s.Index.Facets(r.filter, s.parentOf)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, f := range facets.Categories {
		counts[f.Value] = f.Count
	}
	return counts, nil
}

// categoryForm is the form of one category.
func (s *Server) categoryForm(t *taxonomy.Taxonomy, cat taxonomy.Category, lang string) frontend.CategoryForm {
	f := frontend.CategoryForm{ID: cat.ID, Parent: cat.Parent, Icon: cat.Icon, Color: cat.Color, Icons: frontend.Icons(), Synonyms: strings.Join(cat.Synonyms, "\n"),
		OSM: strings.Join(cat.OSM, "\n"), Needs: strings.Join(cat.Needs, " "), Former: cat.Former}
	languages := t.Languages()
	for _, l := range s.Site().Languages {
		if !slices.Contains(languages, l) {
			languages = append(languages, l)
		}
	}
	for _, l := range languages {
		f.Texts = append(f.Texts, frontend.CategoryText{Lang: l, Label: cat.Label[l], Short: cat.Short[l], Description: cat.Description[l], Must: slices.Contains(t.Languages(), l)})
	}
	for _, kind := range directory.Kinds {
		f.Schema = append(f.Schema, frontend.Option{Value: string(kind), Label: cat.Schema[string(kind)]})
	}
	below := t.Descendants(cat.ID)
	for _, o := range t.All() {
		if !slices.Contains(below, o.ID) {
			f.Parents = append(f.Parents, frontend.Option{Value: o.ID, Label: strings.Repeat("– ", len(t.Ancestors(o.ID))) + t.Label(o.ID, lang), Selected: o.ID == cat.Parent})
		}
		if o.ID != cat.ID {
			f.Others = append(f.Others, frontend.Option{Value: o.ID, Label: strings.Repeat("– ", len(t.Ancestors(o.ID))) + t.Label(o.ID, lang)})
		}
	}
	return f
}

// readCategory is a category as the form has it.
func readCategory(c *fiber.Ctx, id string) taxonomy.Category {
	cat := taxonomy.Category{ID: id, Parent: c.FormValue("parent"), Icon: c.FormValue("icon"), Color: strings.TrimSpace(c.FormValue("color"))}
	text := func(m *map[string]string, key, value string) {
		if value = strings.TrimSpace(strings.ReplaceAll(value, "\r\n", "\n")); value != "" {
			if *m == nil {
				*m = map[string]string{}
			}
			(*m)[key] = value
		}
	}
	c.Context().PostArgs().VisitAll(func(key, value []byte) {
		family, of, ok := strings.Cut(string(key), ".")
		if !ok || !utf8.Valid(value) {
			return
		}
		switch family {
		case "label":
			text(&cat.Label, of, string(value))
		case "short":
			text(&cat.Short, of, string(value))
		case "description":
			text(&cat.Description, of, string(value))
		case "schema":
			text(&cat.Schema, of, string(value))
		}
	})
	lines := func(name, separators string) (out []string) {
		for _, line := range strings.FieldsFunc(c.FormValue(name), func(r rune) bool { return strings.ContainsRune(separators, r) }) {
			if line = strings.TrimSpace(line); line != "" && !slices.Contains(out, line) {
				out = append(out, line)
			}
		}
		return out
	}
	cat.Synonyms, cat.OSM, cat.Needs = lines("synonyms", "\r\n"), lines("osm", "\r\n"), lines("needs", " ,\r\n")
	return cat
}

// addCategory adds a category; its id is made from its name.
func (s *Server) addCategory(c *fiber.Ctx) error {
	t, rev, err := s.edited(c.UserContext())
	if err != nil {
		return err
	}
	cat := readCategory(c, "")
	base := strings.Trim(directory.Slugify(cat.Label[t.Languages()[0]]), "-")
	if strings.ContainsFunc(base, func(r rune) bool { return r > 'z' }) || base == "" {
		base = "category" // of a script that ids do not know
	}
	for n := 1; ; n++ {
		if cat.ID = base; n > 1 {
			cat.ID = base + "-" + strconv.Itoa(n)
		}
		if !t.Valid(cat.ID) {
			break
		}
	}
	next, err := t.With(cat)
	if err == nil {
		err = s.saveTaxonomy(c, next, rev)
	}
	v := frontend.TaxonomyView{}
	if s.taxonomyProblem(c, err, &v) {
		cat.ID = ""
		return s.showTaxonomy(c, v, cat)
	}
	if err != nil {
		return err
	}
	return c.Redirect("/admin/taxonomy?"+url.Values{"done": {"added"}, "category": {cat.ID}}.Encode(), http.StatusSeeOther)
}

func (s *Server) categoryPage(c *fiber.Ctx) error {
	t, rev, err := s.edited(c.UserContext())
	if err != nil {
		return err
	}
	cat, ok := t.Written(t.Current(c.Params("id")))
	if !ok {
		return directory.ErrNotFound
	}
	v := frontend.TaxonomyView{Revision: rev}
	if c.Query("done") == "saved" {
		v.Done = frontend.T(s.lang(c)).Text("taxonomy.done_saved")
	}
	return s.showCategory(c, v, t, cat)
}

func (s *Server) showCategory(c *fiber.Ctx, v frontend.TaxonomyView, t *taxonomy.Taxonomy, cat taxonomy.Category) error {
	p, l := s.moderationPage(c, "taxonomy.title")
	p.Title = l.Text("taxonomy.category", "Name", t.Label(cat.ID, p.Lang))
	counts, err := s.categoryCounts()
	if err != nil {
		return err
	}
	v.Add = s.categoryForm(t, cat, p.Lang)
	v.Category = categoryOf(t, p.Lang, cat.ID)
	v.Count, v.Children = counts[cat.ID], len(t.Children(cat.ID))
	return s.render(c, frontend.TaxonomyCategory(p, v))
}

// changeCategory saves, moves, merges or removes a category.
func (s *Server) changeCategory(c *fiber.Ctx) error {
	ctx := c.UserContext()
	t, rev, err := s.edited(ctx)
	if err != nil {
		return err
	}
	id := c.Params("id")
	cat, ok := t.Written(id)
	if !ok {
		return directory.ErrNotFound
	}
	l, v := frontend.T(s.lang(c)), frontend.TaxonomyView{Revision: rev}
	var next *taxonomy.Taxonomy
	action, into := c.FormValue("action", "save"), c.FormValue("into")
	switch action {
	case "save":
		cat = readCategory(c, id)
		next, err = t.With(cat)
	case "up", "down":
		next, err = t.Moved(id, action == "down")
	case "merge":
		if _, ok := t.Written(into); !ok || into == id {
			c.Status(http.StatusBadRequest)
			v.Wrong = []string{l.Text("taxonomy.into_missing")}
			return s.showCategory(c, v, t, cat)
		}
		next, err = t.Without(id, into)
	case "remove":
		used, err := s.entriesIn(ctx, append([]string{id}, cat.Former...))
		if err != nil {
			return err
		}
		if n := len(used); n > 0 || len(t.Children(id)) > 0 {
			c.Status(http.StatusConflict)
			v.Wrong = []string{l.Plural("taxonomy.not_empty", n)}
			return s.showCategory(c, v, t, cat)
		}
		if next, err = t.Without(id, ""); err != nil {
			return err
		}
	default:
		return invalidParam("action", directory.CodeUnknown, action)
	}
	if err == nil {
		err = s.saveTaxonomy(c, next, rev)
	}
	if s.taxonomyProblem(c, err, &v) {
		if errors.Is(err, errTaxonomyStale) {
			v.Revision = rev
		}
		return s.showCategory(c, v, t, cat)
	}
	if err != nil {
		return err
	}
	done := url.Values{"done": {"saved"}}
	switch action {
	case "remove":
		return c.Redirect("/admin/taxonomy?done=removed", http.StatusSeeOther)
	case "merge":
		note := l.Text("taxonomy.merge_note", "From", t.Label(id, l.Lang()), "To", t.Label(into, l.Lang()))
		n, err := s.rewriteCategories(ctx, account.From(c).Author(), note, append([]string{id}, cat.Former...))
		if err != nil {
			return err // the former id goes on working; asking again rewrites the rest
		}
		return c.Redirect("/admin/taxonomy?"+url.Values{"done": {"merged"}, "n": {strconv.Itoa(n)}, "category": {into}}.Encode(), http.StatusSeeOther)
	}
	return c.Redirect("/admin/taxonomy/"+url.PathEscape(id)+"?"+done.Encode(), http.StatusSeeOther)
}

// entriesIn lists the entries, whatever their status but removed, that have one of the categories themselves.
func (s *Server) entriesIn(ctx context.Context, ids []string) (found []directory.ID, err error) {
	err = s.Directory.Scan(ctx, func(entries []directory.Entry) error {
		for i := range entries {
			e := &entries[i]
			if e.Status != directory.Removed && slices.ContainsFunc(e.Categories, func(id string) bool { return slices.Contains(ids, id) }) {
				found = append(found, e.ID)
			}
		}
		return nil
	})
	return found, err
}

// rewriteCategories gives the entries of ours that have a former id the one that stands for it, in one named batch. Queries
// and counts take former ids as what they mean today all the while, so that no entry loses its place when this is cut short.
func (s *Server) rewriteCategories(ctx context.Context, author, note string, former []string) (rewritten int, err error) {
	batch := "categories-" + s.Now().UTC().Format("20060102-150405.000")
	for range 5 { // entries that were saved at the same moment come again
		ids, err := s.entriesIn(ctx, former)
		if err != nil || len(ids) == 0 {
			return rewritten, err
		}
		again := false
		for part := range slices.Chunk(ids, 500) {
			entries, err := s.Directory.Entries(ctx, part)
			if err != nil {
				return rewritten, err
			}
			entries = slices.DeleteFunc(entries, func(e directory.Entry) bool { return e.Origin != "" })
			for i := range entries {
				for k, id := range entries[i].Categories {
					entries[i].Categories[k] = s.Taxonomy.Current(id)
				}
				var once []string
				for _, id := range entries[i].Categories {
					if !slices.Contains(once, id) {
						once = append(once, id)
					}
				}
				entries[i].Categories = once
			}
			outcomes, err := s.Directory.Write(ctx, directory.Write{Author: author, Note: note, Batch: batch, Entries: entries})
			if err != nil {
				return rewritten, err
			}
			for _, o := range outcomes {
				var conflict *directory.ConflictError
				switch {
				case o.Err == nil && o.Result == directory.Updated:
					rewritten++
				case errors.As(o.Err, &conflict):
					again = true
				case o.Err != nil:
					s.Log.Warn("an entry keeps the former id of its category", "entry", o.Entry.ID, "err", o.Err)
				}
			}
		}
		if !again {
			break
		}
	}
	return rewritten, nil
}
