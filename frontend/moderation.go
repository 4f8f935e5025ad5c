package frontend

import (
	"fmt"
	"time"
)

// QueueView is what waits for a decision of somebody who keeps the directory good.
type QueueView struct {
	Tabs  []QueueTab
	Items []QueueItem
	Next  string // URL of the next page; empty on the last
	Done  string // what was just decided, in words
	Wrong string // why nothing was decided, in words

	Islands int // entries of other directories that wait
}

// QueueTab is a part of the queue, with what waits in it.
type QueueTab struct {
	Show  string // a code of the locale's [queue_show]
	URL   string
	Count int  // negative: not known
	More  bool // there may be more than Count
	On    bool
}

// QueueItem is one thing that waits.
type QueueItem struct {
	ID       string // of its element on the page
	Type     string // a code of the locale's [queue_type]: new, changed, correction or report
	Name     string
	Kind     string
	Category Category
	Town     string
	Since    time.Time
	Author   string   // of whom it comes, for moderators' eyes; empty: unknown
	Note     string   // what the author says to the team
	Words    string   // what was written elsewhere: sanitised HTML, every element closed
	Facts    []string // what else matters for the decision, in words
	Fields   []FieldChange
	Same     []QueueSame
	PageURL  string // of the public page; empty when there is none
	EditURL  string // empty when it cannot be changed

	VersionsURL string // everything that it ever was
	MapURL      string // picture of where it is
	Action      string // where the decision is sent
	Version     int64  // that the decision is about
	Asked       *QueueQuestion
	From        string   // address of who reports from another server; empty: it comes from here
	ToIsland    bool     // another directory learns of the reason
	Unheard     bool     // nobody learns of the reason
	Report      string   // code of the locale's [report_category]; empty: no report
	Choices     []string // codes of the locale's [decision]
	Reason      string   // typed before something went wrong
	Problem     string   // what is wrong with the reason
}

// QueueQuestion is a question that a moderator put to the author.
type QueueQuestion struct {
	At       time.Time
	Text     string
	Answered bool // the author has changed something since
}

// QueueSame is an entry that may be the same as the one that waits.
type QueueSame struct {
	Name, Town, URL string
	Reasons         []string // codes of the locale's [queue_same]
	MergeURL        string   // where the two become one; empty where they cannot
}

// fresh reports whether there is nothing to compare with.
func (i QueueItem) fresh() bool { return i.Type == "new" || i.Type == "imported" }

func queueField(id, name string) string { return fmt.Sprintf("%s-%s", id, name) }

func decisionClass(choice string) string {
	switch choice {
	case "approve", "accept", "seen":
		return "primary"
	case "refuse", "remove", "revert":
		return "danger"
	}
	return ""
}

// decisionKeys are the keys that stand for a decision.
var decisionKeys = map[string]string{"approve": "a", "accept": "a", "confirm": "a", "seen": "a", "revert": "r", "refuse": "r", "ask": "q", "dismiss": "r"}

// ModerateURL is the page of the queue, or a part of it.
func ModerateURL(show string) string {
	if show == "" || show == "all" {
		return "/moderate"
	}
	return "/moderate?" + query("show", show)
}

// moreThan is what stands behind a number that is not all.
func moreThan(more bool) string {
	if more {
		return "+"
	}
	return ""
}
