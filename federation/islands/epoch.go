package islands

import (
	"context"
	"fmt"
	"sync"
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
