package frontend

// ReportCategories are the codes of the locale's [report_category], in the order in which people read them.
var ReportCategories = []string{"wrong", "closed", "moved", "duplicate", "inappropriate", "rights"}

// ReportView is the form that says what is wrong with an entry.
type ReportView struct {
	Slug, Name string
	Categories []string
	Category   string
	Text       string
	Sender     string
	SignedIn   bool              // the answer goes to the account
	Wrong      map[string]string // by field, in words
	Done       bool              // it arrived
	Island     string            // the other directory that the entry belongs to; empty: none that can be told
	Forward    bool              // that shall hear of it
	Known      bool              // others said so before, and it was not kept
}

// ReportURL is the form that says what is wrong with an entry.
func ReportURL(slug string) string { return EntryURL(slug) + "/report" }
