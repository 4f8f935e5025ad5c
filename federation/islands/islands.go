// Package islands is the archipelago: directories that agree to show one another's entries. It holds the agreements, sends
// on what they name, takes what comes, and keeps both sides equal. FEDERATION.md says what it speaks.
package islands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/federation"
	"archipel/federation/vocab"
)

// actorName is the name of the actor that other directories follow.
const actorName = "mirror"

// Options configure a [Service]. Network, Directory, Mirrors, Taxonomy and Site are required.
type Options struct {
	Network   *federation.Service
	Directory *directory.Directory
	Mirrors   *Mirrors // a view of Directory
	Taxonomy  *taxonomy.Taxonomy
	Zones     func(*directory.Entry) []string // codes of the zones that an entry lies in, with those above; nil: none are known
	Site      func() Site                     // asked whenever it is shown
	PublicURL string                          // as the Network has it
	Version   string                          // of the program
	Log       *slog.Logger
	Now       func() time.Time
	Poll      time.Duration                                 // how often peers are asked what changed, besides what they tell; 0 for 10 minutes
	Locate    func(ctx context.Context, e *directory.Entry) // gives an event of a plain actor with an address its position; nil: nobody can
	Look      time.Duration                                 // how often the store is looked at for what was decided elsewhere; 0 for 2 seconds

	// Correct keeps a correction that another directory suggests until somebody decides about it; the same may come again,
	// under the same ID. A [directory.Invalid] refuses it. Nil: none is taken. The decision goes to [Service.AnswerOffer].
	Correct func(context.Context, directory.Correction) error
	// Unfit says in the words of this directory why a correction that is not valid is refused at once; nil: in English.
	Unfit func(directory.Invalid) string
	// Answered is told what became of a correction that [Service.Suggest] offered: [Approved], [Declined], [Questioned] or
	// [Lost], with a reason that may be empty. key is the same when the same answer is told again. Nil: nobody is told.
	Answered func(ctx context.Context, id directory.ID, answer, key, reason string) error
}

// Site is what other directories see of this one before they agree to anything.
type Site struct {
	Name, Summary, Territory string
	Languages                []string
	Licence                  string // of entries that name none; SPDX
	Contact                  string
}

// Service is this directory's part in the archipelago. Create it with [New], before the Network is served, and drive it
// with [Service.Run].
type Service struct {
	Options
	base, host string
	scheme     string // of every address: https, or http on loopback
	store      directory.Store

	self   *self
	cache  *agreements
	heard  contacts
	bodies bodyCache
	ledger ledgers
	wake   chan struct{} // the store was looked at: there may be something to do
	news   chan struct{} // it is to be looked at now
	flows  flows
	syncs  syncLocks
	door   door

	fetches fetchLimits // for plain actors
	refused lately      // of their things
}

// New opens the archipelago for a directory, and gives the Network its actor.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zones == nil {
		o.Zones = func(*directory.Entry) []string { return nil }
	}
	if o.Poll <= 0 {
		o.Poll = 10 * time.Minute
	}
	if o.Look <= 0 {
		o.Look = 2 * time.Second
	}
	scheme, _, _ := strings.Cut(o.PublicURL, "://")
	s := &Service{
		Options: o, base: o.PublicURL, host: vocab.Host(o.PublicURL), scheme: scheme, store: o.Directory.Store(),
		wake: make(chan struct{}, 1), news: make(chan struct{}, 1), cache: &agreements{},
	}
	var err error
	if s.self, err = openSelf(ctx, s.store); err != nil {
		return nil, fmt.Errorf("islands: %w", err)
	}
	if err := errors.Join(s.cache.refresh(ctx, s.store), s.self.refresh(ctx, s)); err != nil {
		return nil, fmt.Errorf("islands: %w", err)
	}
	if err := s.distrust(ctx); err != nil {
		return nil, fmt.Errorf("islands: %w", err)
	}
	o.Network.Admit(actorName, s)
	for path, h := range map[string]http.HandlerFunc{
		"/ap/mirror": s.actor, "/mirror/island": s.island, "/mirror/changes": s.changes, "/mirror/digest": s.digest,
		"/mirror/bucket": s.bucket, "/mirror/objects": s.objects, "/ap/mirror/outbox": s.empty, "/ap/mirror/followers": s.empty,
	} {
		o.Network.Handle("GET "+path, h)
	}
	return s, nil
}

func (s *Service) mirrorID() string { return s.Network.ActorID(actorName) }

// Run tells other directories what the operator decided, delivers, asks them what changed and purges what is to go, until
// ctx ends. Of several nodes one does so; each serves, and takes what comes.
func (s *Service) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.Directory.Leases().Run(ctx, "islands", s.work) })
	tick := time.NewTicker(s.Look)
	defer tick.Stop()
	for {
		s.refresh(ctx)
		s.drive(ctx)
		s.ledger.drop(s.Now())
		poke(s.wake)
		select {
		case <-ctx.Done():
			return
		case <-s.news:
		case <-tick.C:
		}
	}
}

// refresh takes up what was decided by other processes.
func (s *Service) refresh(ctx context.Context) {
	err := errors.Join(s.cache.refresh(ctx, s.store), s.self.refresh(ctx, s))
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("islands: the agreements cannot be read", "err", err)
	}
}

// work is what one node does for all, after each look at the store.
func (s *Service) work(ctx context.Context) error {
	var asking sync.WaitGroup
	defer asking.Wait()
	var settled reconciled
	var purged, mapped time.Time
	var back welcome
	var licence siteLicence
	epoch := s.self.epoch()
	maps := map[string]int64{}
	for {
		s.tell(ctx, &asking)
		s.bring(ctx, &asking)
		if v, now := s.visibility(), s.Now(); settled.due(v.key, now) {
			if err := s.reconcile(ctx, v); err == nil {
				settled.done(v.key, now)
			} else if ctx.Err() == nil {
				s.Log.Warn("islands: what may be seen is not settled yet", "err", err)
			}
		}
		if err := licence.look(ctx, s); err != nil && ctx.Err() == nil {
			s.Log.Warn("islands: a new licence of the site is told later", "err", err)
		}
		if now := s.self.epoch(); now != epoch {
			epoch = now
			s.tellEpoch(ctx, &asking, now)
		}
		if err := back.look(ctx, s); err != nil && ctx.Err() == nil {
			s.Log.Warn("islands: who is to be asked cannot be noted", "err", err)
		}
		s.pollAll(ctx, &asking)
		if now := time.Now(); now.Sub(mapped) >= s.Look && s.syncs.try("maps") {
			mapped = now
			asking.Go(func() {
				defer s.syncs.done("maps")
				if err := s.remap(ctx, maps); err != nil && ctx.Err() == nil {
					s.Log.Warn("islands: entries are translated again later", "err", err)
				}
			})
		}
		if now := s.Now(); now.Sub(purged) > time.Hour {
			purged = now
			if s.syncs.try("purge") { // of a large island it takes long, and nothing else waits for it
				asking.Go(func() {
					defer s.syncs.done("purge")
					if err := s.purge(ctx); err != nil && ctx.Err() == nil {
						s.Log.Warn("islands: purging will go on later", "err", err)
					}
				})
			}
			if err := s.tendOffers(ctx); err != nil && ctx.Err() == nil {
				s.Log.Warn("islands: old corrections will be forgotten later", "err", err)
			}
			if err := s.forgetStrangers(ctx); err != nil && ctx.Err() == nil {
				s.Log.Warn("islands: who only knocked will be forgotten later", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		}
	}
}

// stir makes Run look at once.
func (s *Service) stir() { poke(s.news) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is awake already
	}
}

// want notes that a peer is to be asked as soon as possible, by whichever node does so.
func (s *Service) want(ctx context.Context, host string, full bool) error {
	err := s.changeSync(ctx, host, func(v *SyncState) {
		if v.Soon = true; full {
			v.again()
		}
	})
	s.stir()
	return err
}

// begin is want for a peer that nobody could ask before: who does so already compares everything.
func (s *Service) begin(ctx context.Context, host string) error {
	err := s.changeSync(ctx, host, func(v *SyncState) { v.Soon, v.Compared = true, time.Time{} })
	s.stir()
	return err
}

// pollAll starts to ask those peers whose time has come, each in its own goroutine, one at a time.
func (s *Service) pollAll(ctx context.Context, wg *sync.WaitGroup) {
	for _, a := range s.cache.list() {
		if !a.In.Active() || a.Actor == "" || s.Network.Blocks(a.Server()) || !s.syncs.try(a.Host) {
			continue
		}
		state, err := s.syncState(ctx, a.Host)
		if err != nil {
			s.syncs.done(a.Host)
			continue
		}
		now := s.Now()
		full := now.Sub(state.Compared) > compareEvery
		if due := state.Soon || full || !now.Before(state.Next); !due || now.Before(state.Wait) && !state.Soon {
			s.syncs.done(a.Host)
			continue
		}
		host := a.Host
		wg.Go(func() {
			err := s.sync(ctx, host, full)
			if err != nil && ctx.Err() == nil {
				s.Log.Info("islands: a peer could not be asked", "island", host, "err", err)
			}
			s.rest(ctx) // whoever says all the time that there is news is not asked all the time
			s.syncs.done(host)
			s.stir()
		})
	}
}

// rest is the pause between two askings of one peer.
func (s *Service) rest(ctx context.Context) {
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Sync asks an island now what changed, and compares everything when full is set. It waits until that is done.
func (s *Service) Sync(ctx context.Context, host string, full bool) error {
	if err := s.cache.refresh(ctx, s.store); err != nil {
		return err
	}
	for !s.syncs.try(host) {
		t := time.NewTimer(20 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
	defer s.syncs.done(host)
	return s.sync(ctx, host, full)
}

// syncLocks let one at a time ask a peer.
type syncLocks struct {
	mu   sync.Mutex
	busy map[string]bool
}

func (l *syncLocks) try(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[host] {
		return false
	}
	if l.busy == nil {
		l.busy = map[string]bool{}
	}
	l.busy[host] = true
	return true
}

func (l *syncLocks) done(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, host)
}

// jitter spreads what many directories would do at the same moment.
func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }

func isStale(err error) bool { return errors.Is(err, directory.ErrStale) }
