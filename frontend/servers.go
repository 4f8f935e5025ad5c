package frontend

import (
	"net/url"
	"time"
)

// ServersView is the operator's page of the fediverse.
type ServersView struct {
	Done, Wrong string

	Mode        string // a code of the locale's [server_mode]
	Modes       []string
	SignedFetch bool
	Allowed     []ServerLink

	Waiting     []WaitingFollower // the first of them
	WaitingAll  int
	Failing     []ServerRow // the first of them
	FailingAll  int
	Queue       int // changes that inboxes have yet to be told of
	Inboxes     int
	Incoming    int
	IncomingTop bool // there is more than that
	Passing     int

	Query      string
	Tabs       []QueueTab // Show is a code of the locale's [server_state]
	State      string
	Rows       []ServerRow
	Next, Prev string

	Typed, TypedWrong     string // a domain to look at
	AllowTyped, AllowSaid string // a domain to allow, and what is wrong with it
	Blocks                int    // rules
	BlocksMore            []BlocksUpload
	Keys                  []KeyHolder
	FileWrong             string
}

// ServerLink is the page of a server.
type ServerLink struct{ Host, URL string }

// ServerRow is a server in a list.
type ServerRow struct {
	Host, URL                                     string
	State                                         string // a code of the locale's [server_state]
	Followers, Waiting, Queue, Reports, RefusedBy int
	Contact, Failing, Next                        time.Time
	Error                                         string
}

// WaitingFollower is somebody elsewhere who waits for the operator's yes. What it says of itself is not to be trusted.
type WaitingFollower struct {
	Actor               string
	Name, Handle, About string // may be empty
	Host, HostURL       string
	Of                  string // whom it wants to follow
	OfURL               string
	Follows             bool // it waits no more
	Since               time.Time
}

// KeyHolder is an actor of this instance that has keys.
type KeyHolder struct{ Value, Label string }

// BlocksUpload is a list of blocks that somebody brought and has not taken over yet.
type BlocksUpload struct {
	Name, URL string
	At        time.Time
}

// ServerView is the operator's page of one server.
type ServerView struct {
	ServerRow
	Done, Wrong string

	RuleOf    string // the domain whose rule holds; "" when there is none
	RuleURL   string // of another domain than this one
	Allowed   bool
	Allowlist bool // only allowed servers take part
	Listed    bool // this very name is on the list

	Severity                   string // a code of the locale's [server_severity]
	Severities                 []string
	RejectMedia, RejectReports bool
	Comment, Private           string
	Unblockable                string // why there can be no rule about it, in words

	Actors     int
	ActorsMore bool
	Replies    int
	People     []WaitingFollower
	PeopleAll  int
	Inboxes    []ServerInbox

	RefusedCount int
	LastRefusal  string
	RefusedAt    time.Time
	Received     []ServerReport
	Passed       []ServerPassed
}

// ServerInbox is how an inbox of another server fares.
type ServerInbox struct {
	Address     string
	Queue       int
	Since, Next time.Time // it does not know us
	Reason      string
}

// ServerReport is a report of another server.
type ServerReport struct {
	At       time.Time
	Text     string
	Decision string // a code of the locale's [decision]; empty: it waits
	About    []ServerLink
}

// ServerPassed is a report that was passed on to another server.
type ServerPassed struct {
	At, Sent, Next time.Time
	Text           string
	About          []string // addresses
	Ended          bool
	Why            string
}

// BlocksView is what a list of blocks would change.
type BlocksView struct {
	ID, Name                 string
	Added, Changed           []BlockChange // the first of them
	AddedAll, ChangedAll     int
	Same, Masked, Followers  int
	Wrong                    []BlockWrong
	Said                     string
	Gone                     bool
	AddedMore, ChangedMore   int
	WrongMore, WrongAllCount int
}

// BlockChange is a domain with the rule that it has and the one that it would have.
type BlockChange struct {
	Domain    string
	Was, Will BlockRule
}

// BlockRule is a rule about a domain.
type BlockRule struct {
	Severity      string // "" when there is none
	Media, Report bool   // are rejected
	Comment       string
}

func (r BlockRule) words(l *Localizer) string {
	text := l.Code("blocks_rule", r.Severity)
	if r.Media {
		text += ", " + l.Text("blocks.no_media")
	}
	if r.Report {
		text += ", " + l.Text("blocks.no_reports")
	}
	return text
}

// BlockWrong is a row that cannot be used.
type BlockWrong struct {
	Line         int
	Field, Value string
	Why          string // a code of the locale's [blocks_why]
}

// KeysView asks before keys are replaced.
type KeysView struct {
	Whose, Label string
}

// PolicyView asks before a policy shuts followers out.
type PolicyView struct {
	Mode        string // a code of the locale's [server_mode]
	SignedFetch bool
	Loses       int
	None        bool // no server is allowed yet
}

// ServersURL is the operator's page of the fediverse.
const ServersURL = "/admin/fediverse"

// ServerURL is the operator's page of one server.
func ServerURL(host string) string { return ServersURL + "/servers/" + url.PathEscape(host) }

// BlocksURL is the page of a list of blocks that somebody brought.
func BlocksURL(id string) string { return ServersURL + "/blocks/" + url.PathEscape(id) }

// quiet reports whether nothing waits and nothing fails.
func (v *ServersView) quiet() bool {
	return v.Queue == 0 && v.Incoming == 0 && v.Passing == 0
}
