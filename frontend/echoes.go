package frontend

import "time"

// EchoesView is what the page of an entry shows of what came back from the fediverse.
type EchoesView struct {
	Likes, Shares int
	Replies       []ReplyView // those that are shown

	RepliesURL    string // where the team decides; empty for everybody else
	Waiting       int    // replies
	GuestsURL     string // who comes, for the team; empty for everybody else
	GuestsWaiting int
}

// ReplyView is what somebody wrote on another network under an entry.
type ReplyView struct {
	Key       string // tells it apart under its entry
	Rev       int64  // that a decision is about
	Name      string
	Handle    string // "@maud@elsewhere.example", or empty
	Host      string
	AuthorURL string // address of the account
	URL       string // of the reply, on its own server
	At        time.Time
	Warning   string // what its author says before it is read
	HTML      string // sanitised, without pictures, every element closed
	State     string // pending, shown or refused
	Said      string // what the team said of its author: show, hide or nothing
}

// author is the name by which a reply's author goes.
func (r ReplyView) author() string { return firstNonEmpty(r.Name, r.Handle, r.Host) }

// VoiceView is somebody about whom a team has decided once for all.
type VoiceView struct {
	Actor, Name, Handle string
	Say                 string // show or hide
}

func (v VoiceView) author() string { return firstNonEmpty(v.Name, v.Handle, v.Actor) }

// RepliesTeamView is where the team of an entry decides which replies are shown.
type RepliesTeamView struct {
	Slug, Name string
	Posts      bool // people elsewhere can answer it
	Public     bool
	Wanted     bool // its organiser wants replies

	Waiting, Shown, Refused []ReplyView
	Voices                  []VoiceView
	Others                  []RepliesOther // of an organisation: its entries under which something waits
	Done, Wrong             string
}

// RepliesOther is an entry under which replies wait.
type RepliesOther struct {
	Name, URL string
	Waiting   int
}

// GuestsView is who comes to an event from elsewhere, for its team.
type GuestsView struct {
	Slug, Name string
	Open       bool // people can say that they come
	Asks       bool // and wait for a yes
	TableURL   string

	Waiting, Coming, Refused []GuestView
	Done, Wrong              string
}

// GuestView is one of them.
type GuestView struct {
	Key          string
	Rev          int64
	Name, Handle string
	Host, URL    string // server, and address of the account
	Note         string
	Since        time.Time
}

func (g GuestView) author() string { return firstNonEmpty(g.Name, g.Handle, g.Host) }

func firstNonEmpty(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// RepliesURL is where the team of an entry decides which replies are shown.
func RepliesURL(slug string) string { return TeamURL(slug) + "/replies" }

// GuestsURL is who comes to an event from elsewhere, for its team.
func GuestsURL(slug string) string { return TeamURL(slug) + "/participants" }

// choices are what can be done with a reply, or with its author, as it stands.
func (r ReplyView) choices() (do []string) {
	if r.State != "shown" {
		do = append(do, "show")
	}
	if r.State != "refused" {
		do = append(do, "refuse")
	}
	if r.Said != "show" {
		do = append(do, "always")
	}
	if r.Said != "hide" {
		do = append(do, "block")
	}
	return do
}
