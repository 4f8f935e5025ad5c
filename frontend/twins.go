package frontend

// TwinsView is the page of entries of different islands that are, or may be, the same.
type TwinsView struct {
	Done   string
	Pairs  []TwinRow // to be decided about
	Linked []TwinRow
	Left   int    // entries that are yet to be looked at
	Next   string // the next page; empty: this is the last

	NextLinked string // further ones that are linked; empty: there are none
}

// TwinRow is two of them.
type TwinRow struct {
	One, Other TwinSide
	Reasons    []string // codes of the locale's [queue_same]
	Distance   float64  // metres; negative: not known
}

// TwinSide is one of the two.
type TwinSide struct {
	PairSide
	Island string // empty: this one
	Shown  bool   // of linked ones, the one that stands for the others
}
