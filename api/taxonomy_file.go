package api

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// taxonomyFile is the taxonomy as a file to edit.
func (s *Server) taxonomyFile(c *fiber.Ctx) error {
	t, _, err := s.edited(c.UserContext())
	if err != nil {
		return err
	}
	b, err := t.YAML()
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/yaml; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="taxonomy-`+s.Now().UTC().Format(time.DateOnly)+`.yaml"`)
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	return c.Send(b)
}

// importTaxonomy replaces all categories by those of a file. Categories that entries have must stay, or be the former ids of
// others.
func (s *Server) importTaxonomy(c *fiber.Ctx) error {
	ctx, l := c.UserContext(), frontend.T(s.lang(c))
	_, rev, err := s.edited(ctx)
	if err != nil {
		return err
	}
	text := []byte(c.FormValue("text"))
	if file, err := c.FormFile("file"); err == nil && file.Size > 0 {
		f, err := file.Open()
		if err != nil {
			return err
		}
		text, err = io.ReadAll(io.LimitReader(f, taxonomy.MaxBytes+1))
		_ = f.Close() // it was only read
		if err != nil {
			return err
		}
	}
	v := frontend.TaxonomyView{}
	next, err := taxonomy.Parse("taxonomy", text)
	if err == nil {
		missing := map[string]int{}
		err = s.Directory.Scan(ctx, func(entries []directory.Entry) error {
			for i := range entries {
				for _, id := range entries[i].Categories {
					if entries[i].Status != directory.Removed && !next.Valid(id) && s.Taxonomy.Valid(id) {
						missing[id]++
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			for id, n := range missing {
				v.Wrong = append(v.Wrong, l.Plural("taxonomy.missing", n, "Name", fmt.Sprintf("%s (%s)", s.Taxonomy.Label(id, l.Lang()), id)))
			}
			slices.Sort(v.Wrong)
			c.Status(http.StatusConflict)
			return s.showTaxonomy(c, v, taxonomy.Category{})
		}
		err = s.saveTaxonomy(c, next, rev)
	}
	if s.taxonomyProblem(c, err, &v) {
		return s.showTaxonomy(c, v, taxonomy.Category{})
	}
	if err != nil {
		return err
	}
	var former []string
	for _, cat := range next.All() {
		former = append(former, cat.Former...)
	}
	n, err := s.rewriteCategories(ctx, account.From(c).Author(), l.Text("taxonomy.import_note"), former)
	if err != nil {
		return err
	}
	return c.Redirect("/admin/taxonomy?"+url.Values{"done": {"imported"}, "n": {strconv.Itoa(n)}}.Encode(), http.StatusSeeOther)
}
