package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/fetch"
)

// peer delivers to one inbox what changes in the directory. It is a Follower of the log: its cursor is the queue, and goes
// on where it was after a crash or a week without network.
type peer struct {
	s     *Service
	inbox string
	host  string
	ahead map[directory.ID]directory.Seq // delivered in a later version than the change that was its turn
	saved time.Time

	renewed directory.Seq  // told of new keys up to this change
	knows   map[string]int // by actor: the generation of keys that it took when it did not take the one whose turn it was

	refusal      refusal // how it refuses what is sent; see refusals.go
	refusalRev   int64
	refusalKnown bool
}

const peerPrefix = "deliver "

// Name implements [directory.Follower].
func (p *peer) Name() string { return peerPrefix + p.inbox }

// Shared implements [directory.Shared]: one node delivers to an inbox.
func (p *peer) Shared() bool { return true }

// peerInbox is the inbox of the peer of that name.
func peerInbox(name string) (string, bool) { return strings.CutPrefix(name, peerPrefix) }

// saveEvery is how often a peer notes how far it came within a batch of changes.
const saveEvery = 20 * time.Millisecond

// Consume implements [directory.Follower]. An entry is brought as it stands now when its first change has its turn, and the
// later ones are passed over: so nothing before the cursor is owed to the peer, wherever we stop, and of several versions
// only the latest is sent.
func (p *peer) Consume(ctx context.Context, changes []directory.Change) error {
	p.refusalKnown = false   // another node may have delivered meanwhile
	before := changes[0].Seq // what the peer knows is the state below this
	for i := range changes {
		c := &changes[i]
		err := p.renewKeys(ctx, c.Seq)
		if err == nil && p.ahead[c.Entry.ID] < c.Seq {
			err = p.bring(ctx, c, before)
		}
		if err != nil {
			if c.Seq > before {
				err = errors.Join(err, directory.Progress(ctx, c.Seq-1))
			}
			return err
		}
		if p.ahead[c.Entry.ID] <= c.Seq {
			delete(p.ahead, c.Entry.ID)
		}
		if time.Since(p.saved) > saveEvery && i < len(changes)-1 {
			p.saved = time.Now()
			if err := directory.Progress(ctx, c.Seq); err != nil {
				return err
			}
		}
	}
	p.saved = time.Now() // the directory saves the end of the batch
	return nil
}

// deliver posts to the peer's inbox what one of our actors says. A failure that may pass is a *[directory.Later].
func (p *peer) deliver(ctx context.Context, who identity, body []byte) error {
	s := p.s
	if policy := s.policy.get(); policy.Blocked(p.host) {
		return nil // its followers are about to be dropped
	}
	wait, err := p.wait(ctx)
	if err != nil {
		return err
	}
	if wait > 0 {
		return &directory.Later{After: wait, Err: fmt.Errorf("%s is away", p.host)}
	}
	release, err := s.hosts.turn(ctx, p.host)
	if err != nil {
		return err
	}
	defer release()
	if wait, err = s.hosts.wait(ctx, p.host); err != nil {
		return err
	} else if wait > 0 { // what was sent before this, while it waited for its turn, failed
		return &directory.Later{After: wait, Err: fmt.Errorf("%s is away", p.host)}
	}
	// A node that was paused may have been replaced: then it is the other's turn.
	if err := directory.Held(ctx); err != nil {
		return err
	}
	newest, err := s.identity(ctx, who.entry)
	if err != nil {
		return err
	}
	who.keys = newest.keys.upTo(max(who.keys.generation, p.knows[who.id]))
	err = s.send(ctx, who, p.host, p.inbox, body, true)
	if stranger(err) && who.keys.generation < newest.keys.generation {
		// It has learnt of the new keys before its turn came, and the old ones are shown to nobody any more.
		again := s.send(ctx, newest, p.host, p.inbox, body, true)
		if again == nil {
			p.knows[who.id] = newest.keys.generation
			err = nil
		} else {
			err = plainer(err, again, stranger)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return p.judge(ctx, body, err)
}

// post sends an activity of one of our actors, two at a time to one host, in the form of signature that it takes.
func (s *Service) post(ctx context.Context, who identity, host, inbox string, body []byte, toFollowers bool) error {
	if p := s.policy.get(); p.Blocked(host) {
		return fmt.Errorf("%s is blocked: %w", host, errStranger)
	}
	release, err := s.hosts.turn(ctx, host)
	if err != nil {
		return err
	}
	defer release()
	return s.send(ctx, who, host, inbox, body, toFollowers)
}

// send is post for who has the host's turn.
func (s *Service) send(ctx context.Context, who identity, host, inbox string, body []byte, toFollowers bool) error {
	return s.knockingBy(ctx, who, host, func(sign fetch.Sign) error {
		return s.client.Post(ctx, inbox, typeActivity, body, func(r *http.Request, body []byte) error {
			if toFollowers {
				r.Header.Set("Collection-Synchronization", s.syncHeader(who, host))
			}
			return sign(r, body)
		})
	})
}
