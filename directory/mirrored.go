package directory

import (
	"slices"
	"time"
)

// Mirrored is what is kept with an entry that belongs to another instance; see [Entry.Origin].
type Mirrored struct {
	Epoch   int64 `json:"epoch,omitempty"`   // of the origin's log: another one after it was restored from a backup
	Version Seq   `json:"version,omitempty"` // in the origin's log; states are ordered by Epoch, then Version

	ID       ID        `json:"id,omitempty"`  // at its origin, where that is not its ID here because somebody had it before
	Via      []string  `json:"via,omitempty"` // hosts of the instances that show it to us, sorted; none: withdrawn
	URL      string    `json:"url,omitempty"` // of its page at its origin, as that says; empty: where its address leads
	Received time.Time `json:"received,omitzero"`
	Raw      string    `json:"raw,omitempty"` // the activity as it was received, with its origin's proof, packed

	// Held is since when the entry is out of public view because no agreement stands behind it any more, and Was the
	// status that it had.
	Held time.Time `json:"held,omitzero"`
	Was  Status    `json:"was,omitempty"`
}

// Newer reports whether a state of the origin comes after the one that is known. Of what was purged none is known.
func (m *Mirrored) Newer(epoch int64, version Seq) bool {
	return m == nil || m.Epoch == 0 && m.Version == 0 || epoch > m.Epoch || epoch == m.Epoch && version > m.Version
}

func (m *Mirrored) clone() *Mirrored {
	if m == nil {
		return nil
	}
	c := *m
	c.Via = slices.Clone(m.Via)
	return &c
}

// Version is the Seq of an entry's last change, as far as the views know.
func (d *Directory) Version(id ID) (Seq, bool) {
	d.know.RLock()
	defer d.know.RUnlock()
	r, ok := d.reg.find(id)
	return r.version, ok
}
