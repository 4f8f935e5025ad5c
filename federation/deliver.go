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
	done  directory.Seq                  // delivered up to here
	ahead map[directory.ID]directory.Seq // delivered in a later version than the change that was its turn
	saved time.Time

	renewed directory.Seq // told of new keys up to this change
}

const peerPrefix = "deliver "

// Name implements [directory.Follower].
func (p *peer) Name() string { return peerPrefix + p.inbox }

// peerInbox is the inbox of the peer of that name.
func peerInbox(name string) (string, bool) { return strings.CutPrefix(name, peerPrefix) }

// saveEvery is how often a peer notes how far it came within a batch of changes.
const saveEvery = 2 * time.Second

// Consume implements [directory.Follower]. Of several versions of an entry only the latest is sent.
func (p *peer) Consume(ctx context.Context, changes []directory.Change) error {
	before := changes[0].Seq // what the peer knows is the state below this
	latest := make(map[directory.ID]directory.Seq, len(changes))
	for i := range changes {
		latest[changes[i].Entry.ID] = changes[i].Seq
	}
	for i := range changes {
		c := &changes[i]
		if c.Seq <= p.done {
			continue
		}
		err := p.renewKeys(ctx, c.Seq)
		if err == nil && latest[c.Entry.ID] == c.Seq && p.ahead[c.Entry.ID] < c.Seq {
			err = p.bring(ctx, c, before)
		}
		if err != nil {
			if saved := p.save(ctx); saved != nil {
				return errors.Join(err, saved)
			}
			return err
		}
		if p.ahead[c.Entry.ID] <= c.Seq {
			delete(p.ahead, c.Entry.ID)
		}
		p.done = c.Seq
		if time.Since(p.saved) > saveEvery {
			if err := p.save(ctx); err != nil {
				return err
			}
		}
	}
	p.saved = time.Now() // the directory saves the end of the batch
	return nil
}

// save makes durable how far the peer came.
func (p *peer) save(ctx context.Context) error {
	p.saved = time.Now()
	if p.done == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second) // also while the program stops
	defer cancel()
	return p.s.store.SaveCursor(ctx, p.Name(), p.done)
}

// deliver posts to the peer's inbox what one of our actors says. A failure that may pass is a *[directory.Later].
func (p *peer) deliver(ctx context.Context, who identity, body []byte) error {
	s := p.s
	if policy := s.policy.get(); policy.Blocked(p.host) {
		return nil // its followers are about to be dropped
	}
	wait, err := s.hosts.wait(ctx, p.host)
	if err != nil {
		return err
	}
	if wait > 0 {
		return &directory.Later{After: wait, Err: fmt.Errorf("%s is away", p.host)}
	}
	err = s.post(ctx, who, p.host, p.inbox, body, true)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var status *fetch.StatusError
	switch {
	case err == nil:
		return s.hosts.succeeded(ctx, p.host)
	case errors.As(err, &status) && status.Code == http.StatusGone:
		s.dropFollowers(ctx, func(f *follower) bool { return f.to() == p.inbox }, "its inbox is gone")
		return nil
	case !temporary(err):
		s.Log.Info("federation: an activity was refused", "inbox", p.inbox, "err", err)
		return nil
	}
	asked := time.Duration(0)
	if status != nil {
		asked = status.RetryAfter
	}
	wait, giveUp, failed := s.hosts.failed(ctx, p.host, err, asked)
	if failed != nil {
		return failed
	}
	if giveUp {
		s.dropFollowers(ctx, func(f *follower) bool { return f.Host == p.host }, "away for too long")
	}
	return &directory.Later{After: wait, Err: err}
}

// post sends an activity of one of our actors, two at a time to one host, in the form of signature that it takes.
func (s *Service) post(ctx context.Context, who identity, host, inbox string, body []byte, toFollowers bool) error {
	if p := s.policy.get(); p.Blocked(host) {
		return fmt.Errorf("%s is blocked: %w", host, errStranger)
	}
	slots := s.hosts.of(host).slots
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.knockingBy(ctx, who, host, func(sign fetch.Sign) error {
		return s.client.Post(ctx, inbox, typeActivity, body, func(r *http.Request, body []byte) error {
			if toFollowers {
				r.Header.Set("Collection-Synchronization", s.syncHeader(who, host))
			}
			return sign(r, body)
		})
	})
}
