package frontend

import "time"

// PasskeyButton signs in by a passkey, where the browser has such.
type PasskeyButton struct {
	Next string // local path to go on to
}

// PasskeysView is one's own passkeys.
type PasskeysView struct {
	Can         bool // the site has a name and https: passkeys can be added
	Rows        []PasskeyRow
	Form        Form
	Now         []FormField // what removing one asks for as well
	SignInAgain bool        // one has to have signed in just now
}

// PasskeyRow is a passkey in a list.
type PasskeyRow struct {
	ID, Name      string
	Created, Seen time.Time
	Synced        bool // kept by more than one device
}
