package frontend

// PostingDate is one date of a repeated event, as its form shows it.
type PostingDate struct {
	Key        string // names the row
	Label      string // when it is by the rule, in words
	State      string // a code of the locale's [posting_date]
	Date, Time string // when it takes place, as a browser writes it
	AllDay     bool
}

// DateStates are what can become of one date; the first is written as nothing.
var DateStates = []string{"planned", "moved", "cancelled", "left_out"}

// typedOr is what was typed into a field, else what stands.
func (f EntryForm) typedOr(name, stands string) string {
	if f.Values.Has(name) {
		return f.Values.Get(name)
	}
	return stands
}

func dateState(code string) string {
	if code == "planned" {
		return ""
	}
	return code
}

// datesOpen reports whether the list of dates has something to see at once.
func datesOpen(v PostingView) bool {
	for _, d := range v.Dates {
		if d.State != "" || v.Form.typedOr("event.at."+d.Key+".state", "") != "" {
			return true
		}
	}
	return len(v.Form.problems("event.overrides")) > 0
}
