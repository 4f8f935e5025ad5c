package frontend

// RemovalView is the page on which an entry is taken down.
type RemovalView struct {
	Form     EntryForm // what was typed: reason and sure
	Slug     string
	Name     string
	Version  int64
	Changed  bool // somebody else changed the entry since the page was opened
	Public   bool // it is in view
	Event    bool // it may be cancelled instead
	Moderate bool // who reads the page could bring it back
}

// RemoveURL is where an entry is taken down.
func RemoveURL(slug string) string { return EntryURL(slug) + "/remove" }

// EventStates are the codes of what can become of an event, beside taking place as announced.
var EventStates = []string{"cancelled", "postponed", "rescheduled", "movedOnline", "tentative"}

// plannedState is how a form says that an event takes place as announced: as it was said before, where it was.
func plannedState(now string) string {
	if now == "scheduled" {
		return now
	}
	return ""
}
