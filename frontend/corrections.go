package frontend

// ElsewhereView says where an entry of another directory can be corrected.
type ElsewhereView struct {
	Name   string
	Island string // host of the directory
	URL    string // of the entry there
	Back   string // to the entry here
}
