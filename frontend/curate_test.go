package frontend

import (
	"strings"
	"testing"
)

// TestListsBelowOneAnotherStandApart: the lists of categories of the page Curate do not touch each other.
func TestListsBelowOneAnotherStandApart(t *testing.T) {
	b := loadBuilt()
	css := string(b.assets[b.names["pages.css"]].Body)
	_, rule, found := strings.Cut(css, ".report-kinds select+select{")
	if rule, _, _ = strings.Cut(rule, "}"); !found || !strings.Contains(rule, "margin-block-start:") {
		t.Errorf("they stand by %q", rule)
	}
	var page strings.Builder
	v := CurateView{Slug: "x", Name: "x", Groups: []OptionGroup{{Label: "x", Options: []Option{{Value: "a", Label: "A"}}}}}
	if err := Curate(Page{Lang: "fr"}, v).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	_, lists, _ := strings.Cut(page.String(), `<fieldset class="report-kinds">`)
	if lists, _, _ = strings.Cut(lists, "</fieldset>"); strings.Count(lists, "</select><select") < 2 || !strings.Contains(page.String(), b.names["pages.css"]) {
		t.Errorf("the rule is not about %s", lists)
	}
}
