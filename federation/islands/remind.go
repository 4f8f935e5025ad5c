package islands

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"archipel/federation/fetch"

	"github.com/google/uuid"
)

// remindEvery is how often an island is told again at most what it should know.
const remindEvery = time.Hour

// remind says again how one side of an agreement stands, to an island that does what does not fit it: one of the two was
// restored from a backup that is older than the agreement as the other knows it.
func (s *Service) remind(ctx context.Context, host string, d Direction) error {
	_, err := change(ctx, s.store, kindIsland, host, func(v *Agreement, _ int64) (bool, error) {
		side := v.sides(d)[0]
		tell := side.stands(d)
		if tell == "" || side.Tell != "" || side.Follow == "" || s.Now().Sub(side.Reminded) < remindEvery {
			return false, nil
		}
		if tell == "Follow" {
			// What has the id of what came before is not looked at; but a parting word about that may be under way.
			side.Former, side.Follow = side.Follow, "follows/"+uuid.NewString()
		}
		side.Tell, side.TellID, side.TellNext, side.Reminded = tell, uuid.NewString(), time.Time{}, s.Now().UTC()
		return true, nil
	})
	s.stir()
	return err
}

// stands is the type of the activity that says how a side stands; empty when the other one is to speak first.
func (s *Side) stands(d Direction) string {
	switch {
	case d == In && (s.Active() || s.State == Paused && !s.ByUs):
		return "Follow"
	case d == In && (s.State == Ended || s.State == Paused || s.State == Refused):
		return "Undo"
	case d == Out && s.Active():
		return "Accept"
	case d == Out && s.ByUs && (s.State == Ended || s.State == Paused || s.State == Refused):
		return "Reject"
	}
	return ""
}

// sameScope reports whether two scopes are written in the same way.
func sameScope(a, b *Scope) bool {
	one, errOne := encode(a)
	other, errOther := encode(b)
	return errOne == nil && errOther == nil && bytes.Equal(one, other)
}

// denied reports whether a peer answers that there is no agreement.
func denied(err error) bool {
	var status *fetch.StatusError
	return errors.As(err, &status) && status.Code == http.StatusForbidden
}

// distrust forgets how far islands were read when our own log ends before what was written then: it comes from a backup that
// was made while something arrived, or a file is damaged. They are read anew.
func (s *Service) distrust(ctx context.Context) error {
	return each(ctx, s.store, kindSync, func(host string, _ int64, v SyncState) error {
		if v.Cursor == "" || v.Head <= s.Directory.Head() {
			return nil
		}
		s.Log.Warn("islands: our log ends before what an island told us; it is read anew", "island", host)
		return s.changeSync(ctx, host, func(v *SyncState) { v.Cursor, v.Head = "", 0 })
	})
}
