package frontend

import "net/url"

// FediverseView is the page that tells people how to follow the directory from another network.
type FediverseView struct {
	Relay   string // "@relay@annuaire.example": everything
	Example string // of an organisation
}

// FollowView is the page that leads somebody to their own server.
type FollowView struct {
	Slug, Name string
	Handle     string // "@la-fourmiliere@annuaire.example"
	MovedTo    string // address of the account to which it has moved
	Typed      string // the visitor's own account
	Wrong      string
	Server     string // the visitor's own server, which does not say where to follow
}

// FediverseTeamView is where the owners of an organisation say how it takes part in the fediverse.
type FediverseTeamView struct {
	Slug, Name string
	Public     bool
	Claimed    bool // its team proved that it is theirs
	Host       string

	Chosen bool   // the handle, for ever
	Handle string // the part before the @, or one to propose
	On     bool   // it can be followed now

	Type                                    string
	Types                                   []string
	Discoverable, Indexable, Replies, Joins bool
	JoinsAsk                                bool
	Following, Waiting                      int
	AlsoKnownAs                             []string
	MovedTo                                 string
	MovedHome                               string // its page in the directory to which the entry moved too

	Typed string // the account of a move
	Wrong map[string]string
	Done  string
}

// FollowURL is where somebody follows an organisation from their own server.
func FollowURL(slug string) string { return EntryURL(slug) + "/follow" }

// FediverseTeamURL is where its owners say how an organisation takes part in the fediverse.
func FediverseTeamURL(slug string) string { return TeamURL(slug) + "/fediverse" }

// serverURL is the front page of a server that somebody named, or "".
func serverURL(host string) string {
	u, err := url.Parse("https://" + host)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return ""
	}
	return u.String()
}

// networks are those that the page tells about, by the codes of the locale's [fediverse_network].
var networks = []string{"mastodon", "mobilizon", "gotosocial", "gancio", "friendica"}
