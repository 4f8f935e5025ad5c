package frontend

import "time"

// ClaimView is the page on which somebody says "this is my place".
type ClaimView struct {
	Slug, Name, Town string
	SignInURL        string // of who has no account here yet; the forms come after
	SignUpURL        string
	Kept             bool      // somebody keeps the entry already
	Claimed          time.Time // since when its own people do, proved
	Mine             bool      // the reader is one of those who keep it
	Published        string    // the mail address that the entry publishes
	Domain           string    // of its own website
	State            string    // of the reader's claim, a code of the locale's [claim_state]; empty: none is open
	Mail             string    // where its link went
	At               time.Time
	Reason           string // why it was refused
	Notice           string // mails do not leave this server
	Way              string // typed before something went wrong: published, domain or people
	Typed, Text      string
	Wrong            map[string]string // what is wrong, by field
}

// ClaimAnswerView is the page of the link in a mail to the place.
type ClaimAnswerView struct {
	Token                string
	Slug, Name, Town     string
	Claimant, ClaimantAt string // who asks: name and mail address
	Done                 string // what was answered, in words; empty: the question
	Title                string
}

// TeamView is who keeps an entry.
type TeamView struct {
	Slug, Name string
	Public     bool
	Claimed    time.Time
	Org        *MailLink // the organisation whose team keeps it as well
	Members    []TeamMember
	Invites    []TeamInvite
	Claims     []TeamClaim
	Broken     []BrokenLink // that do not answer any more
	MayGrant   bool         // the reader says who is in it
	Member     string       // owner or editor; empty: the reader is a moderator
	LastOwner  bool         // the reader is the only owner
	ClaimURL   string       // to prove that it is one's own place
	Done       string       // what was just done, in words
	Notice     string
	Mail       string // typed before something went wrong
	Role       string
	Wrong      map[string]string
}

// TeamMember is one of a team. Mail is for the team's and moderators' eyes.
type TeamMember struct {
	ID, Name, Mail, Role string
	Me, Last             bool // the reader; the only owner
	Through              bool // by the organisation: changed there
}

// TeamInvite is an invitation that was not followed yet.
type TeamInvite struct {
	ID, Mail, Role string
	Until          time.Time
}

// TeamClaim is somebody who asks to be of the team.
type TeamClaim struct {
	ID, Name, Mail, Text string
	At                   time.Time
	Proved               bool
}

// JoinView is the page of an invitation into a team.
type JoinView struct {
	Token, Slug, Name, Town, Role, By string
	Mail                              string // that was invited
	Account                           string // mail address of the reader's account; empty: not signed in
	SignInURL, SignUpURL              string
	Make                              bool // an account can be made at once
	Already                           bool // the reader is of the team
}

// ClaimURL is where somebody says "this is my place".
func ClaimURL(slug string) string { return EntryURL(slug) + "/claim" }

// TeamURL is the page of who keeps an entry.
func TeamURL(slug string) string { return EntryURL(slug) + "/team" }

// TeamRoles are the roles in a team, the usual one first.
var TeamRoles = []string{"editor", "owner"}

func otherRole(role string) string {
	if role == "owner" {
		return "editor"
	}
	return "owner"
}

// claimOpen reports whether a claim of that state can be withdrawn.
func claimOpen(state string) bool { return state != "refused" && state != "denied" }

// RelationChoices are the relations that a form offers.
var RelationChoices = []string{"organises", "organisedBy", "hosts", "memberOf", "partOf"}

// RelationsView is what an entry is tied to, on its form.
type RelationsView struct {
	Rows  []RelationRow
	Query string   // what was looked for
	Asked bool     // something was looked for
	Found []Option // entries by id
}

// RelationRow is one relation of an entry.
type RelationRow struct{ Rel, Target, Name, Town, URL string }
