// Package digest sends by mail what is new in an area: somebody chooses a place, a radius, what it shall be about and how often,
// confirms by mail, and receives new and changed entries and coming events until one click ends it.
//
// Nothing is kept of an address before it is confirmed: the choice travels in the signed link. A subscription ends by its
// owner's word only, and takes the address with it. What a mail tells is fixed by the log: from where the mail before ended,
// to a place in the log that all nodes agree on for each day. So a crash or a second node loses nothing and sends nothing twice.
package digest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"archipel/api/account"
	"archipel/api/signed"
	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/geocode"
)

// Options are the parts of a [Service]. All are required but Places, Log and Now; [Service.Forget] needs the Directory alone.
type Options struct {
	Directory *directory.Directory
	Index     *geo.Index
	Taxonomy  *taxonomy.Taxonomy
	Places    *geocode.Gazetteer // knows places by name; nil: a place comes from the map only
	Accounts  *account.Service
	Keys      *signed.Keys
	Site      func() Site

	Log *slog.Logger
	Now func() time.Time
}

// Site is what the service needs to know of the instance.
type Site struct {
	Languages []string // the first is the default
	Zone      *time.Location
}

// Service keeps subscriptions and sends digests. Create it with [New]; [Service.Run] drives it.
type Service struct{ Options }

// New makes a service.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{o}
}

// Kinds of records.
const (
	kindSubscription = "digest"       // by [addressKey] and id
	kindRun          = "digest-run"   // by time: how far the log is told by the mails of that time
	kindSpent        = "digest-spent" // by id: links that confirmed, and may not again
)

const (
	day           = 24 * time.Hour
	confirmWithin = 3 * day
	perAddress    = 10 // subscriptions of one mail address
	hour          = 7  // of the site's day, when digests are sent
	maxReturned   = 3  // mails in a row that come back, before a subscription pauses
)

// Rhythm is how often somebody receives a digest.
type Rhythm string

// Rhythms.
const (
	Daily   Rhythm = "daily"
	Weekly  Rhythm = "weekly"
	Monthly Rhythm = "monthly"
)

// Rhythms lists how often somebody can receive a digest.
var Rhythms = []Rhythm{Daily, Weekly, Monthly}

// Radii are the distances that can be chosen, in kilometres.
var Radii = []int{2, 5, 10, 20, 30, 50, 100}

// Choice is what somebody wants to receive.
type Choice struct {
	Mail       string           `json:"mail"`
	Lang       string           `json:"lang"`
	Place      string           `json:"place"` // its name, as people read it
	Near       [2]float64       `json:"near"`  // [longitude, latitude] in degrees
	Radius     int              `json:"radius"`
	Kinds      []directory.Kind `json:"kinds,omitempty"`      // empty: all
	Categories []string         `json:"categories,omitempty"` // empty: all
	Every      Rhythm           `json:"every"`
}

// subscription is a confirmed choice.
type subscription struct {
	Choice
	Since time.Time     `json:"since"`
	Told  directory.Seq `json:"told"`           // the log is told up to here
	Dates time.Time     `json:"dates,omitzero"` // coming dates are told up to here
	Next  time.Time     `json:"next"`           // when the next digest is due

	Sent     string    `json:"sent,omitempty"`     // key of the last mail
	Returned int       `json:"returned,omitempty"` // mails in a row that came back
	Paused   time.Time `json:"paused,omitzero"`    // since when nothing is sent because mails come back

	key string
	rev int64
}

// addressKey begins the keys of an address's subscriptions.
func addressKey(mail string) string {
	sum := sha256.Sum256([]byte(mail))
	return hex.EncodeToString(sum[:16]) + "/"
}

func read(r directory.Record) (*subscription, error) {
	s := &subscription{key: r.Key, rev: r.Rev}
	if err := json.Unmarshal(r.Value, s); err != nil {
		return nil, fmt.Errorf("digest %s: %w: %w", r.Key, directory.ErrCorrupt, err)
	}
	return s, nil
}

// load returns a subscription, or nil when it is not there.
func (s *Service) load(ctx context.Context, key string) (*subscription, error) {
	r, err := s.Directory.Store().Record(ctx, kindSubscription, key)
	if err != nil || r.Rev == 0 {
		return nil, err
	}
	r.Key = key
	return read(r)
}

// save writes a subscription as it was read and changed, or returns an error wrapping [directory.ErrStale].
func (s *Service) save(ctx context.Context, sub *subscription) error {
	b, err := json.Marshal(sub)
	if err != nil {
		return err
	}
	if err := s.Directory.Store().PutRecord(ctx, kindSubscription, directory.Record{Key: sub.key, Value: b, Rev: sub.rev}); err != nil {
		return err
	}
	sub.rev++
	return nil
}

// of lists the subscriptions of an address.
func (s *Service) of(ctx context.Context, prefix string) (out []*subscription, err error) {
	page, err := s.Directory.Store().Records(ctx, kindSubscription, prefix, perAddress+1)
	if err != nil {
		return nil, err
	}
	for _, r := range page {
		if len(r.Key) < len(prefix) || r.Key[:len(prefix)] != prefix {
			break
		}
		sub, err := read(r)
		if err != nil {
			return nil, err
		}
		out = append(out, sub)
	}
	return out, nil
}

// Kept is what is kept of the subscriptions of an account's mail address, for the export of one's data; nil when there are none.
func (s *Service) Kept(ctx context.Context, a *account.Account) (any, error) {
	mail, err := account.NormalMail(a.Mail)
	if err != nil {
		return nil, nil // it has none
	}
	list, err := s.of(ctx, addressKey(mail))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list, nil
}

// Forget erases all subscriptions of a mail address.
func (s *Service) Forget(ctx context.Context, mail string) error {
	mail, err := account.NormalMail(mail)
	if err != nil {
		return nil // it has none
	}
	return s.forget(ctx, addressKey(mail))
}

func (s *Service) forget(ctx context.Context, prefix string) error {
	for {
		list, err := s.of(ctx, prefix)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, sub := range list {
			if err := s.Directory.Store().DeleteRecord(ctx, kindSubscription, sub.key, 0); err != nil {
				return err
			}
		}
	}
}

// errFull is an address with as many subscriptions as one may have.
var errFull = errors.New("this address has too many subscriptions")

// subscribe keeps a confirmed choice. id is the link's: a link that is followed again makes nothing new.
func (s *Service) subscribe(ctx context.Context, c Choice, id string) (*subscription, error) {
	prefix := addressKey(c.Mail)
	sub, err := s.load(ctx, prefix+id)
	if err != nil || sub != nil {
		return sub, err
	}
	store := s.Directory.Store()
	if spent, err := store.Record(ctx, kindSpent, id); err != nil {
		return nil, err
	} else if spent.Rev > 0 {
		return nil, signed.ErrExpired // it was confirmed, and ended since
	}
	list, err := s.of(ctx, prefix)
	if err != nil {
		return nil, err
	}
	if len(list) >= perAddress {
		return nil, errFull
	}
	now := s.Now().UTC()
	sub = &subscription{Choice: c, Since: now, Told: s.Directory.Head(), Next: next(c.Every, now, s.Site().Zone), key: prefix + id}
	if err := s.save(ctx, sub); errors.Is(err, directory.ErrStale) {
		return s.load(ctx, prefix+id)
	} else if err != nil {
		return nil, err
	}
	return sub, s.spend(ctx, id)
}

// spend makes a link confirm no more.
func (s *Service) spend(ctx context.Context, id string) error {
	err := s.Directory.Store().PutRecord(ctx, kindSpent, directory.Record{Key: id, Value: []byte("{}"), Expires: s.Now().Add(confirmWithin + day)})
	if errors.Is(err, directory.ErrStale) {
		return nil
	}
	return err
}

// end erases a subscription, and the address with it.
func (s *Service) end(ctx context.Context, key string) error {
	if err := s.spend(ctx, key[len(addressKey("")):]); err != nil {
		return err
	}
	return s.Directory.Store().DeleteRecord(ctx, kindSubscription, key, 0)
}

// next is the first time after now at which a digest is due: at seven on the site's clocks, every day, on Mondays, or on the
// first of the month.
func next(every Rhythm, now time.Time, zone *time.Location) time.Time {
	local := now.In(zone)
	for n := 0; ; n++ {
		at := time.Date(local.Year(), local.Month(), local.Day()+n, hour, 0, 0, 0, zone)
		if at.After(now) && (every == Daily || every == Weekly && at.Weekday() == time.Monday || every == Monthly && at.Day() == 1) {
			return at.UTC()
		}
	}
}

// reach is until when coming dates are told: beyond the next digest, so that one can still plan.
func reach(every Rhythm, now time.Time, zone *time.Location) time.Time {
	days := map[Rhythm]int{Daily: 3, Weekly: 10, Monthly: 40}[every]
	local := now.In(zone)
	return time.Date(local.Year(), local.Month(), local.Day()+days, 0, 0, 0, 0, zone)
}
