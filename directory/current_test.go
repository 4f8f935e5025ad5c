package directory_test

import (
	"slices"
	"testing"

	"archipel/directory"
)

// TestFormerCategories: whoever writes a former id of a category, the entry has the present one, once.
func TestFormerCategories(t *testing.T) {
	d := openDirectory(t, directory.Options{Rules: func() directory.Rules {
		return directory.Rules{Category: func(id string) bool { return id != "nonsense" }, Current: func(id string) string {
			if id == "old" {
				return "new"
			}
			return id
		}}
	}})
	e := place("A")
	e.Categories = []string{"old", "other", "new"}
	if e = put(t, d, e); !slices.Equal(e.Categories, []string{"new", "other"}) {
		t.Errorf("created with %v", e.Categories)
	}
	e.Categories = []string{"other", "old"}
	if e = put(t, d, e); !slices.Equal(e.Categories, []string{"other", "new"}) {
		t.Errorf("changed to %v", e.Categories)
	}
	first := e.Version
	e.Categories = nil
	e = put(t, d, e)
	if e, err := d.Revert(t.Context(), "test", e.ID, first, e.Version, ""); err != nil || !slices.Equal(e.Categories, []string{"other", "new"}) {
		t.Errorf("went back to %v %v", e.Categories, err)
	}
}
