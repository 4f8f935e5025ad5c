package islands

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// tellEpoch lets all that follow us ask at once after a new epoch began: nothing that changes need tell them for long. Whom it
// does not reach asks by itself, with the next poll.
func (s *Service) tellEpoch(ctx context.Context, wg *sync.WaitGroup, epoch int64) {
	for _, a := range s.cache.list() {
		if !a.Out.Active() || a.Inbox == "" || s.Network.Blocks(a.Host) {
			continue
		}
		wg.Go(func() {
			token, err := s.tokenAt(ctx, s.Directory.Head())
			if err == nil {
				p := &push{s: s, host: a.Host}
				err = p.hint(ctx, a, fmt.Sprintf("%s#hint/epoch/%d/%s", s.mirrorID(), epoch, hashOf(a.Host)), token)
			}
			if err != nil && ctx.Err() == nil {
				s.Log.Info("islands: a peer hears later that all is told anew", "island", a.Host, "err", err)
			}
		})
	}
}

// licenceSettles is how long the site must have a licence before islands are told of it: until every node says so.
const licenceSettles = 10 * time.Second

// siteLicence is the licence that the site gives to entries without one, as it was last looked at.
type siteLicence struct {
	licence string
	since   time.Time
	told    bool
}

// look begins a new epoch after the site got another licence: the entries that have none of their own carry it, and nothing else
// says that they changed.
func (l *siteLicence) look(ctx context.Context, s *Service) error {
	now := s.Now()
	if is := s.Site().Licence; l.since.IsZero() || is != l.licence {
		*l = siteLicence{licence: is, since: now}
	}
	if l.told || now.Sub(l.since) < licenceSettles {
		return nil
	}
	began := false
	stored, err := change(ctx, s.store, kindSelf, "self", func(v *storedSelf, _ int64) (bool, error) {
		began = v.Licence != nil && *v.Licence != l.licence
		if v.Licence != nil && !began {
			return false, nil
		}
		if v.Licence = &l.licence; began {
			v.Epoch = max(v.Epoch+1, now.Unix())
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	s.self.took(stored.Epoch)
	if l.told = true; began {
		s.Log.Info("islands: the site has another licence; all islands are told anew", "licence", l.licence)
	}
	return nil
}
