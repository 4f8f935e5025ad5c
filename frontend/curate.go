package frontend

import (
	"slices"

	"github.com/a-h/templ"
)

// CurateView is the page where moderators say what this directory adds to an entry of another island.
type CurateView struct {
	Slug, Name string
	Public     bool   // anybody may see the entry
	Origin     Source // the island, and the entry's page there
	Groups     []OptionGroup
	Chosen     []string // categories instead of those it came with
	Tags       string   // separated by commas
	Hide       bool
	Highlight  bool
	Remark     string
	Revision   int64 // of what the form shows
	Now        []CurateLine
	Problems   []CurateProblem
	Wrong      string
	Done       bool // it was saved
}

// CurateLine is something that somebody else has saved meanwhile.
type CurateLine struct{ Label, Text string }

// CurateProblem is what is wrong with a field.
type CurateProblem struct{ Field, Text string }

func (v CurateView) problem(field string) string {
	for _, one := range v.Problems {
		if one.Field == field {
			return one.Text
		}
	}
	return ""
}

// rows are the categories of the form: those chosen and room for more.
func (v CurateView) rows() []string {
	return append(slices.Clone(v.Chosen), make([]string, max(1, 3-len(v.Chosen)))...)
}

func curateInvalid(v CurateView, field string) templ.Attributes {
	if v.problem(field) == "" {
		return nil
	}
	return templ.Attributes{"aria-invalid": "true"}
}
