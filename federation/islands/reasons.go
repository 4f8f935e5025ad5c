package islands

// Why something that another server showed is not taken, as it is counted in [SyncState.Refused].
const (
	whyUnproved   = "not proved, or not well-formed"
	whyOthers     = "of another island, which was not agreed"
	whyLeft       = "of an island that is not followed any more"
	whyBlocked    = "of a blocked island"
	whyScope      = "out of scope"
	whyTaken      = "its id is somebody else's"
	whyLimit      = "more entries than agreed"
	whyInvalid    = "not valid here"
	whyLarge      = "too large"
	whyMany       = "too many corrections"
	whyCorrection = "no correction of an entry of ours"

	// of plain actors
	whyAway    = "not to be had"
	whyForm    = "not well-formed"
	whyServer  = "of a blocked server"
	whyElse    = "of another server, which was not asked for"
	whyIsland  = "of an island that is followed itself"
	whyPrivate = "not public"
	whyOver    = "over"
	whyPlace   = "without a place"
)

// Reasons lists all of them.
func Reasons() []string {
	return []string{
		whyUnproved, whyOthers, whyLeft, whyBlocked, whyScope, whyTaken, whyLimit, whyInvalid, whyLarge, whyMany, whyCorrection,
		whyAway, whyForm, whyServer, whyElse, whyIsland, whyPrivate, whyOver, whyPlace,
	}
}

// Reason is why a directory is turned away by the program of another one: nobody there has seen what it asks for.
type Reason string

// Reasons for which a directory is turned away.
const (
	ReasonFull  Reason = "full"  // too many wait for an answer already: it may ask again in some days
	ReasonLarge Reason = "large" // it says more of itself than is kept
)

// reasonOf is a reason that somebody gave, as far as it is known here.
func reasonOf(code string) Reason {
	if r := Reason(code); r == ReasonFull || r == ReasonLarge {
		return r
	}
	return ""
}
