package frontend

// PairsView lists entries that are likely the same, two by two.
type PairsView struct {
	Pairs []PairRow
	Total int // found, also what the reader may not decide about
	Left  int // entries that are yet to be compared
	Next  string
	Done  string
	From  int // of the page, to come back to it
}

// PairRow is one pair of a [PairsView].
type PairRow struct {
	One, Other PairSide
	Reasons    []string // codes of the locale's [queue_same]
	Distance   float64  // metres, negative when not known
	MergeURL   string
}

// PairSide is an entry of a pair.
type PairSide struct {
	ID, Name, Kind, Town, Source, Status, URL string
	Category                                  Category
}
