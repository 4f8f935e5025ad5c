package frontend

import (
	"net/url"

	"golang.org/x/text/language"
	names "golang.org/x/text/language/display"
)

// TaxonomyView is the tree of categories, or one of them, for those who edit it.
type TaxonomyView struct {
	Lines    []TaxonomyLine
	Add      CategoryForm // the form: of a new category, or of the one that is shown
	Category Category     // the one that is shown
	Count    int          // of its public entries, with those below
	Children int
	Revision int64 // of the setting that the page shows
	Edited   bool  // it is not that of the program's file any more
	Done     string
	Wrong    []string
}

// TaxonomyLine is a category in the tree.
type TaxonomyLine struct {
	Category Category
	Depth    int // 0 at the first level
	Count    int // public entries, with those below
	Former   []string
}

// CategoryForm is what can be said of a category.
type CategoryForm struct {
	ID, Parent, Icon, Color string
	Texts                   []CategoryText
	Synonyms, OSM, Needs    string
	Schema                  []Option // by kind; Label is the schema.org type
	Icons                   []string
	Parents, Others         []Option // what it can be below of, or merged into
	Former                  []string
}

// CategoryText is what a category is called in one language.
type CategoryText struct {
	Lang                      string
	Label, Short, Description string
	Must                      bool // the taxonomy needs a label in it
}

// TaxonomyURL is the page of a category, or of all when id is empty.
func TaxonomyURL(id string) string {
	if id == "" {
		return "/admin/taxonomy"
	}
	return "/admin/taxonomy/" + url.PathEscape(id)
}

// indent is the class of a level of the tree.
func indent(depth int) string { return "depth-" + string(rune('0'+min(depth, 4))) }

// display is what a language calls itself; the tag when nobody knows.
func display(tag string) string {
	if name := names.Self.Name(language.Make(tag)); name != "" {
		return name
	}
	return tag
}
