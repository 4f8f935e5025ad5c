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

// TestCategoriesThatAreGone: a category that the taxonomy lost keeps nobody from changing something else of its entries, and
// can be given to no other.
func TestCategoriesThatAreGone(t *testing.T) {
	lost := ""
	d := openDirectory(t, directory.Options{Rules: func() directory.Rules {
		return directory.Rules{Category: func(id string) bool { return id != lost }}
	}})
	e := place("A")
	e.Categories = []string{"bakery", "shop"}
	e = put(t, d, e)
	lost = "bakery"
	e.Summary = "Bread."
	if e = put(t, d, e); !slices.Equal(e.Categories, []string{"bakery", "shop"}) || e.Summary != "Bread." {
		t.Errorf("changed to %+v", e)
	}
	other := place("B")
	other.Categories = []string{"bakery"}
	if _, err := d.Put(t.Context(), "test", other); err == nil {
		t.Error("another entry has it now")
	}
}
