package directory

import "time"

// Correction is what another instance suggests for an entry of ours.
type Correction struct {
	ID      ID     // the same whenever the same suggestion comes
	Of      ID     // the entry
	Base    Seq    // the version that the suggestion is about
	Entry   Entry  // as it would be then, without anything private
	Note    string // what its sender says, plain text
	Island  string // host of the instance
	Created time.Time
}
