package frontend

import (
	"net/url"
	"time"
)

// IslandURL is the operator's page of one other directory.
func IslandURL(host string) string { return "/admin/islands/" + url.PathEscape(host) }

// IslandsView is what the operator sees of the other directories.
type IslandsView struct {
	Off     bool   // the instance takes no part
	Typed   string // the address that was looked for
	Wrong   string // why it was not found
	Anyway  string // where it can be asked all the same
	Follow  bool   // it may be a server of another kind, whose events can be shown
	Done    string
	Held    int // entries that wait for a moderator
	Asking  []IslandLine
	Current []IslandLine
	Past    []IslandLine
}

// IslandLine is one other directory.
type IslandLine struct {
	Name, Host string
	URL        string // the operator's page
	Address    string // its own
	Territory  string
	Sides      []IslandSide
	Count      IslandCount
	Contact    time.Time // when it last answered
	Stale      bool      // silent for long
	Blocked    bool
	Problem    string // why it cannot be told, or asked; as the program has it
	Since      time.Time
	Behind     int // changes that it has yet to be told
}

// IslandCount is how many entries of it are here.
type IslandCount struct{ Public, Waiting, Hidden, Via int }

// IslandSide is one direction of an agreement.
type IslandSide struct {
	Direction string // in: we show its entries; out: it shows ours
	State     string // a code of the locale's [archipelago_in] or [archipelago_out]
	Since     time.Time
	Asked     []string // what was asked for, in words
	Agreed    []string // what is given, in words; empty: all that was asked
	PassOn    bool
	Note      string // said with it
	NoteOurs  bool   // by us
	Untold    bool   // the other side has not heard it yet
	Do        []string
}

// IslandView is everything about one other directory.
type IslandView struct {
	Line        IslandLine
	About       *IslandAbout // what it says of itself; nil when it was never heard
	Unheard     string       // why it was not
	Done, Wrong string
	In, Out     *IslandSide
	Ask, Offer  *ScopeForm
	Give        *ScopeForm // accept for less, or change what is given
	AskedTag    string     // of what it asks for, when it asks to follow us
	CanAskNow   bool
	Policy      string
	Limit       string // as typed, or as it stands; empty: as many as usual
	LimitUsual  int
	LimitWrong  string
	Refusals    []IslandRefusal
	WordsURL    string
	HeldURL     string
	Compared    time.Time
	Differed    int
	ReasonTyped string
}

// IslandRefusal is why some of its entries were not taken.
type IslandRefusal struct {
	Why   string // in words
	Count int
}

// IslandAbout is what another directory says of itself.
type IslandAbout struct {
	Summary, Territory, Licence, Rules, Contact, Software string
	Languages, Licences                                   []string
	Kinds                                                 []IslandKind
	Mirrored, Categories                                  int
	At                                                    time.Time
}

// IslandKind is how many entries of a kind there are.
type IslandKind struct {
	Kind  string
	Count int
}

// ScopeForm asks which entries are meant.
type ScopeForm struct {
	Name       string   // ask, offer or give: what the form does, and the beginning of its ids
	Wheres     []Option // of the locale's [archipelago_where]
	Ours       string   // our territory, in words
	ZoneName   string   // typed, to look for
	Zones      []Option
	Sought     bool // zones of a name were looked for
	Kinds      []Option
	Categories []OptionGroup
	Languages  []Option
	Others     bool
	Policy     string
	Message    string
	PassOn     bool
	Wrong      []string
	Open       bool   // it was used a moment ago
	Stands     bool   // what it asks for is shown already
	Tag        string // of what is asked for, or given, when the form answers that
}

// title is a code of the locale's [archipelago_form].
func (f *ScopeForm) title() string {
	if f.Stands && f.Name == "ask" {
		return "change"
	}
	return f.Name
}

func (f *ScopeForm) id(field string) string { return f.Name + "-" + field }

// chosen is how many options of a group are on.
func (g OptionGroup) chosen() (n int) {
	for _, o := range g.Options {
		if o.Selected {
			n++
		}
	}
	return n
}

// IslandPolicies are what may become of what comes in; codes of the locale's [archipelago_policy].
var IslandPolicies = []string{"show", "review", "suggest"}

// WordsView is how the categories of an island are said in ours.
type WordsView struct {
	Name, Host  string
	Back        string
	Done, Wrong string
	Pending     bool // entries are being written anew
	Tabs        []QueueTab
	Words       []IslandWord
	Own         []OptionGroup // our categories
	Action      string
	Next        string
	Looked, All int
}

// IslandWord is one category of an island.
type IslandWord struct {
	ID, Label, Hint string
	Count           int
	Choice          string // a category of ours; "" as found by itself; "-" left as it is
	Found           string // what it is found to be by itself: our category's label; empty: none
	None            bool   // it has no word of ours
}

// HeldView is what came from islands and waits for a moderator.
type HeldView struct {
	Done, Wrong string
	Tabs        []QueueTab
	Islands     []Option // hosts, with how many of each
	Host        string
	Rows        []HeldRow
	Total       int
	Next        string
	Aside       bool // what was left aside, not what waits
	Admin       bool
}

// HeldRow is one entry of another directory.
type HeldRow struct {
	ID, Name, Kind, Town, Summary, Origin, OriginURL, Licence, Address string
	Category                                                           Category
	Suggested                                                          bool
}

// IslandsSettingsView is what the operator says to all islands.
type IslandsSettingsView struct {
	Done     string
	Wrong    map[string]string
	Licences []Option
	Rules    string
	Zones    []Option
	ZoneName string
	Sought   bool
	Area     string // GeoJSON
}

// PublicIslandsView is the archipelago as everybody sees it.
type PublicIslandsView struct {
	Lines    []PublicIsland
	MapURL   string
	MapShown bool
	Manage   bool
}

// PublicIsland is one other directory as everybody sees it.
type PublicIsland struct {
	Number                         int // on the map; 0: it does not say where it is
	Name, Host, Address, Territory string
	Summary                        string
	In, Out                        bool // we show its entries; it shows ours
	InSince, OutSince              time.Time
	Scope                          []string // of what we show
	OutScope                       []string
	Count                          int
	Contact                        time.Time
	Stale, Failing                 bool
	Licences                       []string
}
