package account

import (
	"fmt"
	"slices"
	"strings"

	"archipel/directory"
)

// Role is what somebody is on the whole site.
type Role string

// Roles, from least to most. Who is not signed in has none.
const (
	Nobody    Role = ""
	Member    Role = "member"
	Moderator Role = "moderator"
	Admin     Role = "admin"
)

// Roles lists the roles that an account can have.
var Roles = []Role{Member, Moderator, Admin}

// Action is something that not everybody may do.
type Action string

// Actions. Those that begin with "entry." and [HistoryPrivate] are about one entry.
const (
	EntryRead      Action = "entry.read"      // see an entry, also one that is not public
	EntryCreate    Action = "entry.create"    // add an entry of one's own
	EntrySuggest   Action = "entry.suggest"   // propose an entry or a correction, which waits for moderation
	EntryEdit      Action = "entry.edit"      // change an entry
	EntryPublish   Action = "entry.publish"   // make it public without waiting for moderation
	EntryRemove    Action = "entry.remove"    // take it away
	EntryClaim     Action = "entry.claim"     // "this is my place"
	EntryGrant     Action = "entry.grant"     // say who owns and edits it
	EntryLeave     Action = "entry.leave"     // stop being one of its owners or editors
	EntryTeam      Action = "entry.team"      // see who owns and edits it
	EntryReplies   Action = "entry.replies"   // decide which replies from other networks are shown under it
	EntryGuests    Action = "entry.guests"    // see who comes to it from other networks, and say yes or no
	TeamJoin       Action = "team.join"       // follow an invitation into the team of an entry
	MailAnswer     Action = "mail.answer"     // answer a mail by its link: the link says what may be done
	HistoryPrivate Action = "history.private" // see what was never public in its history
	ModerateQueue  Action = "moderate.queue"  // see what waits for a decision
	ModerateDecide Action = "moderate.decide" // approve, ask, refuse, merge, revert
	ReportCreate   Action = "report.create"   // say that something is wrong
	SiteEdit       Action = "site.edit"       // name, texts, territory, languages, rules
	TaxonomyEdit   Action = "taxonomy.edit"   // the categories
	AccountsManage Action = "accounts.manage" // roles, blocking
	AccountsInvite Action = "accounts.invite" // ask somebody in
	ImportsUndo    Action = "imports.undo"    // take an import back
	PeersManage    Action = "peers.manage"    // follow and block other islands
	TokenUse       Action = "token.use"       // have API tokens
	AccountSelf    Action = "account.self"    // one's own account: name, mail, password, sessions, deletion
	SignIn         Action = "account.signin"  // sign up, sign in and what belongs to it
	Subscribe      Action = "subscribe"       // ask for a digest by mail
)

// Scope is what an API token may be used for.
type Scope string

// Scopes of API tokens. A token acts as its account, within its scopes.
const (
	ScopeRead     Scope = "read"
	ScopeWrite    Scope = "write"
	ScopeModerate Scope = "moderate"
)

// Scopes lists the scopes that a token can have.
var Scopes = []Scope{ScopeRead, ScopeWrite, ScopeModerate}

// who is a set of people, in relation to an entry.
type who uint

const (
	anybody   who = 1 << iota // also without an account
	member                    // anybody with an account
	editor                    // of the entry
	owner                     // of the entry
	trusted                   // an owner or editor whose account moderators trust
	warden                    // a moderator of the entry's category or zone only
	moderator                 // of the site
	admin
)

const (
	team  = editor | owner | moderator | admin
	wards = warden | moderator | admin
)

// rule is a line of the table: who may do it, and the scope that lets an API token do it; no scope: no token ever.
type rule struct {
	who   who
	scope Scope
}

// rules is the one table that says who may do what.
var rules = map[Action]rule{
	EntryRead:      {team | warden, ScopeRead},
	EntryCreate:    {member, ScopeWrite},
	EntrySuggest:   {anybody, ScopeWrite},
	EntryEdit:      {team | warden, ScopeWrite},
	EntryPublish:   {trusted | wards, ScopeWrite},
	EntryRemove:    {owner | wards, ScopeWrite},
	EntryClaim:     {member, ""},
	EntryGrant:     {owner | moderator | admin, ""},
	EntryLeave:     {editor | owner, ""},
	EntryTeam:      {team, ""},
	EntryReplies:   {team | warden, ""},
	EntryGuests:    {team, ""},
	TeamJoin:       {member, ""},
	MailAnswer:     {anybody, ""},
	HistoryPrivate: {team | warden, ScopeModerate},
	ModerateQueue:  {wards, ScopeModerate},
	ModerateDecide: {wards, ScopeModerate},
	ReportCreate:   {anybody, ScopeWrite},
	SiteEdit:       {admin, ""},
	TaxonomyEdit:   {admin, ""},
	AccountsManage: {admin, ""},
	AccountsInvite: {moderator | admin, ""},
	ImportsUndo:    {admin, ""},
	PeersManage:    {admin, ""},
	TokenUse:       {member, ""},
	AccountSelf:    {member, ""},
	SignIn:         {anybody, ""},
	Subscribe:      {anybody, ""},
}

// Actions lists every action of the table, sorted.
func Actions() []Action {
	out := make([]Action, 0, len(rules))
	for a := range rules {
		out = append(out, a)
	}
	slices.Sort(out)
	return out
}

// Reason says why somebody may not do something.
type Reason string

// Reasons of a refusal.
const (
	ReasonSignIn    Reason = "sign_in"   // signing in may help
	ReasonRole      Reason = "role"      // it takes another role, or a place in the entry's team
	ReasonScope     Reason = "scope"     // the API token was not made for this
	ReasonElsewhere Reason = "elsewhere" // the entry belongs to another island, where it is edited
	ReasonCSRF      Reason = "csrf"      // the form did not come from a page of ours, or is too old
	ReasonConfirm   Reason = "confirm"   // it takes the password, or having signed in just now
)

// Refusal is the error of [May] and [Check].
type Refusal struct {
	Action Action
	Reason Reason
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: refused: %s", r.Action, r.Reason) }

// May decides whether an actor may do something: nil, or a [*Refusal]. It is the only function that decides.
//
// For actions on an entry, e is the entry as it stands; nil asks whether there can be an entry on which the actor may do
// it, which is what the door of a page needs to know before the entry is read.
func May(a *Actor, action Action, e *directory.Entry) error {
	r, known := rules[action]
	if !known {
		return &Refusal{action, ReasonRole} // what the table does not name, nobody may do
	}
	if a == nil {
		a = &Actor{}
	}
	if a.Token && (r.scope == "" || !slices.Contains(a.Scopes, r.scope)) {
		return &Refusal{action, ReasonScope}
	}
	if action == EntryRead && (e == nil || e.Public()) {
		return nil
	}
	if e != nil && e.Origin != "" && (action == EntryEdit || action == EntryRemove || action == EntryGrant || action == EntryClaim || action == EntryTeam) {
		return &Refusal{action, ReasonElsewhere}
	}
	if r.who&a.standing(e) != 0 {
		return nil
	}
	if !a.SignedIn() {
		return &Refusal{action, ReasonSignIn}
	}
	return &Refusal{action, ReasonRole}
}

// standing is everything that the actor is with regard to an entry, or could be to some entry when e is nil.
func (a *Actor) standing(e *directory.Entry) who {
	is := anybody
	if !a.SignedIn() {
		return is
	}
	is |= member
	switch a.Role {
	case Admin:
		is |= admin | moderator
	case Moderator:
		is |= moderator
	}
	if e == nil || e.Private != nil && slices.Contains(e.Private.Owners, a.ID) {
		is |= owner
	}
	if e == nil || e.Private != nil && slices.Contains(e.Private.Editors, a.ID) {
		is |= editor
	}
	if e != nil && e.Private != nil && e.Private.Team != "" && a.keeps != nil {
		owns, edits := a.keeps(e.Private.Team)
		if owns {
			is |= owner
		}
		if edits {
			is |= editor
		}
	}
	if a.Trusted && is&(owner|editor) != 0 {
		is |= trusted
	}
	if slices.ContainsFunc(a.Wards, func(w Ward) bool { return w.covers(e, a) }) {
		is |= warden
	}
	return is
}

// Ward is a part of the directory that somebody moderates: a category, a zone, or what is in both.
type Ward struct {
	Category string `json:"category,omitempty"` // id in the taxonomy
	Zone     string `json:"zone,omitempty"`     // territory code; of municipalities the beginning ("42")
}

func (w Ward) covers(e *directory.Entry, a *Actor) bool {
	if w == (Ward{}) {
		return false
	}
	if e == nil {
		return true
	}
	if w.Category != "" {
		ids := []string{w.Category}
		if a.under != nil {
			ids = append(ids, a.under(w.Category)...)
		}
		if !slices.ContainsFunc(e.Categories, func(id string) bool { return slices.Contains(ids, id) }) {
			return false
		}
	}
	if w.Zone == "" {
		return true
	}
	if e.Address != nil && len(e.Address.Code) >= len(w.Zone) && e.Address.Code[:len(w.Zone)] == w.Zone {
		return true
	}
	if e.Area != nil && slices.Contains(e.Area.Zones, w.Zone) {
		return true
	}
	return a.zones != nil && slices.ContainsFunc(a.zones(e), func(code string) bool {
		_, local, _ := strings.Cut(code, "-") // "FR-42" is also written 42
		return code == w.Zone || local == w.Zone
	})
}
