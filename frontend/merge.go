package frontend

// MergeView is two entries side by side that are to become one, or the choice of the second.
type MergeView struct {
	Kept     MergeSide
	Other    *MergeSide // nil: it is to be chosen
	Fields   []MergeField
	United   []FieldChange // what the kept entry gains without a choice
	Team     bool          // who keeps the other entry keeps the result too
	TeamSize int           // of the other entry
	Note     string
	Same     []QueueSame // what may be the same, when the other is to be chosen
	Typed    string      // the address that was typed
	Wrong    string      // why nothing was done, in words
}

// MergeSide is one of the two entries.
type MergeSide struct {
	ID, Name, Town, Status, URL, Source string
	Version                             int64
}

// MergeField is a field of which one value stands.
type MergeField struct {
	Field       string
	Kept, Other []MergeValue
	FromOther   bool // what is chosen at first
}

// MergeValue is a value in words, with the path of its field.
type MergeValue struct{ Field, Value string }

// MergeURL is the page on which two entries become one, or on which the second is chosen when other is empty.
func MergeURL(keep, other string) string {
	if other == "" {
		return "/moderate/merge?" + query("keep", keep)
	}
	return "/moderate/merge?" + query("keep", keep) + "&" + query("other", other)
}
