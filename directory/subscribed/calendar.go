// Package subscribed keeps the calendars that associations have elsewhere: it fetches them on schedule and makes their
// events entries of the directory, changes them as they change there, and takes them away when they are gone.
//
// What is known of a calendar is a record of the store. One node at a time fetches it: whoever writes its claim into the
// record first. Every step can be cut short and begun again: an event is found by its source, so that none is made twice.
package subscribed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/directory/ical"
	"archipel/publicnet"

	"github.com/google/uuid"
)

// Kind is the kind of the records of calendars; a key is the organisation's id, "/" and a digest of the address.
const Kind = "calendar"

// Author is how the log names what was written because a calendar says so.
const Author = "calendar"

// MaxPerOrganisation is how many calendars an organisation can subscribe to, and MaxPending how many events of one of them may
// wait for moderation at once.
const (
	MaxPerOrganisation = 10
	MaxPending         = 200
)

// State says what is done with a calendar.
type State string

// States of a calendar.
const (
	Active  State = "active"
	Paused  State = "paused"
	Removed State = "removed" // its name is kept, so that it finds its events again when it comes back
)

// Codes of what can be wrong with a fetch.
const (
	BadAddress   = "address"      // not an address that may be asked
	BadHost      = "host"         // the name leads nowhere, or to no public server
	BadTimeout   = "timeout"      // no answer in time
	BadNetwork   = "network"      // the connection failed
	BadTLS       = "tls"          // the certificate is not valid
	BadStatus    = "status"       // an answer that is no success
	BadSignIn    = "sign_in"      // the calendar is not public
	BadGone      = "gone"         // it is not there (any more)
	BadType      = "type"         // the answer is no calendar
	BadSize      = "size"         // it is too large
	BadRedirects = "redirects"    // it leads from one address to another
	BadStore     = "store"        // our own store did not answer
	BadOrg       = "organisation" // the organisation is not there any more
)

// Trouble is why a calendar is not up to date.
type Trouble struct {
	Code   string    `json:"code"`
	Status int       `json:"status,omitempty"` // of the answer, of [BadStatus]
	Since  time.Time `json:"since"`            // of the first failure in a row
}

// Held is a fetch in which so many events were gone that nothing was taken away until the team says so.
type Held struct {
	Missing int       `json:"missing"`
	Of      int       `json:"of"`
	Since   time.Time `json:"since"`
}

// Refused is an event that the directory would not take.
type Refused struct {
	Name  string `json:"name"`
	Field string `json:"field"`
	Code  string `json:"code"`
}

// Calendar is a calendar of an organisation's elsewhere.
type Calendar struct {
	Key     string       `json:"-"`
	Of      directory.ID `json:"of"`
	URL     string       `json:"url"`
	Name    string       `json:"name"` // of the source of its events: unique, and the same for ever
	By      string       `json:"by"`   // account that subscribed, in whose trust its events are published
	State   State        `json:"state"`
	Created time.Time    `json:"created"`

	Title    string        `json:"title,omitempty"` // as the calendar calls itself
	ETag     string        `json:"etag,omitempty"`
	Modified string        `json:"modified,omitempty"`
	Digest   string        `json:"digest,omitempty"` // of the last body that was taken over whole
	Interval time.Duration `json:"interval,omitempty"`
	Next     time.Time     `json:"next"`
	Tried    time.Time     `json:"tried,omitzero"`   // last fetch
	Fetched  time.Time     `json:"fetched,omitzero"` // last fetch that succeeded
	Asked    time.Time     `json:"asked,omitzero"`   // when somebody last wanted it fetched at once

	Events   int            `json:"events"`            // of the last fetch
	Waiting  int            `json:"waiting,omitempty"` // of these, those that are not taken yet, as [MaxPending] wait already
	Warnings []ical.Warning `json:"warnings,omitempty"`
	Refused  []Refused      `json:"refused,omitempty"`
	Failures int            `json:"failures,omitempty"` // in a row
	Trouble  *Trouble       `json:"trouble,omitempty"`
	Held     *Held          `json:"held,omitempty"`
	Accept   bool           `json:"accept,omitempty"` // the team says that what is gone is meant to be

	Purge bool `json:"purge,omitempty"` // removed, and its events are to go with it

	Claim string    `json:"claim,omitempty"` // of the node that fetches it
	Until time.Time `json:"until,omitzero"`  // end of the claim, should that node die

	rev int64
}

// Plain reports whether the calendar is fetched without encryption.
func (c *Calendar) Plain() bool { return strings.HasPrefix(c.URL, "http:") }

// Host is the server that it comes from.
func (c *Calendar) Host() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Failing reports whether the last fetch failed, or was held back.
func (c *Calendar) Failing() bool { return c.State == Active && (c.Trouble != nil || c.Held != nil) }

// Options are the parts of a [Service]. Directory and Index are required.
type Options struct {
	Directory *directory.Directory
	Index     *Index                                                                  // a view of the directory
	Zone      func() *time.Location                                                   // of the site; nil: UTC
	Licence   func() string                                                           // of events whose organisation names none; nil: none
	Publish   func(ctx context.Context, account string, org *directory.Entry) bool    // whether events need no moderation; nil: they do
	Locate    func(ctx context.Context, e *directory.Entry)                           // gives an event with an address its position; nil: nobody can
	Tell      func(ctx context.Context, c *Calendar, org *directory.Entry, held bool) // tells the team of trouble; nil: the page only
	Loopback  bool                                                                    // allows servers on this machine, for tests and trials
	UserAgent string
	Now       func() time.Time
	Log       *slog.Logger
}

// Service fetches calendars. Create it with [New], drive it with [Service.Run].
type Service struct {
	Options
	store directory.Store
	fetch *fetcher
	node  string
	wake  chan struct{}
}

// New makes a service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Zone == nil {
		o.Zone = func() *time.Location { return time.UTC }
	}
	if o.Licence == nil {
		o.Licence = func() string { return "" }
	}
	if o.UserAgent == "" {
		o.UserAgent = "Archipel"
	}
	return &Service{Options: o, store: o.Directory.Store(), fetch: newFetcher(o.UserAgent, o.Loopback), node: uuid.NewString(), wake: make(chan struct{}, 1)}
}

// Errors that callers tell apart.
var (
	ErrSubscribed = errors.New("this calendar is subscribed to already")
	ErrTooMany    = errors.New("the organisation has as many calendars as it can")
	ErrSoon       = errors.New("the calendar was fetched a moment ago")
	ErrNone       = errors.New("there is no such calendar")
)

// ParseURL is the address of a calendar as somebody gives it: https, http, or webcal, which stands for https. The error is a
// [directory.Invalid] that names the field "url".
func (s *Service) ParseURL(raw string) (string, error) {
	bad := func(code string) (string, error) {
		return "", directory.Invalid{{Field: "url", Code: code, Params: map[string]any{"value": raw}}}
	}
	raw = strings.TrimSpace(raw)
	switch {
	case raw == "":
		return "", directory.Invalid{{Field: "url", Code: directory.CodeRequired}}
	case len(raw) > directory.MaxURL:
		return "", directory.Invalid{{Field: "url", Code: directory.CodeTooLong, Params: map[string]any{"max": directory.MaxURL, "got": len(raw)}}}
	}
	raw = directory.NormalizeURL(raw)
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return bad(directory.CodeInvalid)
	}
	switch strings.ToLower(u.Scheme) {
	case "webcal", "webcals":
		u.Scheme = "https"
	case "http", "https":
		u.Scheme = strings.ToLower(u.Scheme)
	default:
		return bad(directory.CodeScheme)
	}
	u.Fragment, u.RawFragment = "", ""
	u.Host = strings.ToLower(u.Host)
	if u.Path == "" {
		u.Path = "/"
	}
	if s.rules().Check(u) != nil {
		return bad(directory.CodeNotHere)
	}
	return u.String(), nil
}

func (s *Service) rules() publicnet.Rules { return publicnet.Rules{Loopback: s.Loopback, Plain: true} }

func keyOf(of directory.ID, address string) string {
	sum := sha256.Sum256([]byte(address))
	return string(of) + "/" + hex.EncodeToString(sum[:12])
}

// Add subscribes to a calendar; it is fetched at once by whoever runs the service.
func (s *Service) Add(ctx context.Context, org *directory.Entry, address, account string) (*Calendar, error) {
	address, err := s.ParseURL(address)
	if err != nil {
		return nil, err
	}
	all, err := s.Of(ctx, org.ID)
	if err != nil {
		return nil, err
	}
	key := keyOf(org.ID, address)
	for _, c := range all {
		if c.Key == key {
			return nil, ErrSubscribed
		}
	}
	if len(all) >= MaxPerOrganisation {
		return nil, ErrTooMany
	}
	old, err := s.load(ctx, key)
	if err != nil && !errors.Is(err, ErrNone) {
		return nil, err
	}
	c := &Calendar{Key: key, Of: org.ID, URL: address, By: account, State: Active, Created: s.Now().UTC()}
	c.Next = c.Created
	if old != nil { // it was removed, and its events may still be there
		c.Name, c.rev = old.Name, old.rev
	} else {
		c.Name = sourceName(org, c)
	}
	if err := s.save(ctx, c); err != nil {
		if errors.Is(err, directory.ErrStale) {
			return nil, ErrSubscribed // somebody of the team was faster
		}
		return nil, err
	}
	s.nudge()
	return c, nil
}

// sourceName is how the public reads where an event comes from. It does not tell the address: some are secret.
func sourceName(org *directory.Entry, c *Calendar) string {
	name := []rune(org.Name)
	return string(name[:min(len(name), 150)]) + " – " + c.Host() + " #" + c.Key[len(c.Key)-6:]
}

// Of lists the calendars of an organisation that are not removed, the oldest first.
func (s *Service) Of(ctx context.Context, org directory.ID) ([]*Calendar, error) {
	prefix := string(org) + "/"
	records, err := s.store.Records(ctx, Kind, prefix, 100)
	if err != nil {
		return nil, err
	}
	var out []*Calendar
	for _, r := range records {
		if !strings.HasPrefix(r.Key, prefix) {
			break
		}
		c, err := decode(r)
		if err != nil {
			return nil, err
		}
		if c.State != Removed {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b *Calendar) int { return a.Created.Compare(b.Created) })
	return out, nil
}

// Named is the calendar whose events have a source of that name, or [ErrNone].
func (s *Service) Named(ctx context.Context, org directory.ID, name string) (*Calendar, error) {
	all, err := s.Of(ctx, org)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Name == name {
			return c, nil
		}
	}
	return nil, ErrNone
}

// Health counts the calendars that are fetched, and gives those that fail.
func (s *Service) Health(ctx context.Context) (active int, failing []*Calendar, err error) {
	err = s.each(ctx, func(c *Calendar) error {
		if c.State == Active {
			active++
		}
		if c.Failing() {
			failing = append(failing, c)
		}
		return nil
	})
	return active, failing, err
}

func (s *Service) each(ctx context.Context, fn func(*Calendar) error) error {
	for after := ""; ; {
		page, err := s.store.Records(ctx, Kind, after, 100)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			after = r.Key
			c, err := decode(r)
			if err != nil {
				return err
			}
			if err := fn(c); err != nil {
				return err
			}
		}
	}
}

func decode(r directory.Record) (*Calendar, error) {
	c := &Calendar{}
	if err := json.Unmarshal(r.Value, c); err != nil {
		return nil, fmt.Errorf("calendar %s: %w: %w", r.Key, directory.ErrCorrupt, err)
	}
	c.Key, c.rev = r.Key, r.Rev
	return c, nil
}

func (s *Service) load(ctx context.Context, key string) (*Calendar, error) {
	r, err := s.store.Record(ctx, Kind, key)
	if err != nil {
		return nil, err
	}
	if r.Rev == 0 {
		return nil, ErrNone
	}
	return decode(r)
}

// save writes a calendar, unless somebody wrote it since it was read.
func (s *Service) save(ctx context.Context, c *Calendar) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := s.store.PutRecord(ctx, Kind, directory.Record{Key: c.Key, Value: b, Rev: c.rev}); err != nil {
		return fmt.Errorf("calendar %s: %w", c.Key, err)
	}
	c.rev++
	return nil
}

// change applies f to a calendar of an organisation as it stands, again when somebody else changed it meanwhile.
func (s *Service) change(ctx context.Context, key string, f func(*Calendar) error) (*Calendar, error) {
	for {
		c, err := s.load(ctx, key)
		if err != nil {
			return nil, err
		}
		if c.State == Removed {
			return nil, ErrNone
		}
		if err := f(c); err != nil {
			return nil, err
		}
		err = s.save(ctx, c)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, directory.ErrStale) || ctx.Err() != nil {
			return nil, err
		}
	}
}

// soon is how long one waits between two fetches that somebody asks for.
const soon = 2 * time.Minute

// Refresh has a calendar fetched at once, or says [ErrSoon]. key is the organisation's id, "/" and the digest.
func (s *Service) Refresh(ctx context.Context, key string) error {
	now := s.Now().UTC()
	_, err := s.change(ctx, key, func(c *Calendar) error {
		if now.Sub(c.Asked) < soon || now.Sub(c.Tried) < soon/4 {
			return ErrSoon
		}
		c.Asked, c.Next, c.State = now, now, Active
		return nil
	})
	if err == nil {
		s.nudge()
	}
	return err
}

// Pause stops fetching a calendar, or begins again. Its events stay as they are.
func (s *Service) Pause(ctx context.Context, key string, pause bool) error {
	_, err := s.change(ctx, key, func(c *Calendar) error {
		c.State = Active
		if pause {
			c.State = Paused
		} else {
			c.Next = s.Now().UTC()
		}
		return nil
	})
	if err == nil {
		s.nudge()
	}
	return err
}

// Accept says that the events that are gone are meant to be.
func (s *Service) Accept(ctx context.Context, key string) error {
	_, err := s.change(ctx, key, func(c *Calendar) error {
		c.Accept, c.Next, c.Digest, c.ETag, c.Modified = true, s.Now().UTC(), "", "", ""
		return nil
	})
	if err == nil {
		s.nudge()
	}
	return err
}

// Remove ends a subscription. Its events stay, as entries like others, or go with it.
func (s *Service) Remove(ctx context.Context, key string, withEvents bool) error {
	c, err := s.change(ctx, key, func(c *Calendar) error {
		c.State, c.Trouble, c.Held, c.Accept, c.Purge = Removed, nil, nil, false, withEvents
		c.Digest, c.ETag, c.Modified = "", "", ""
		return nil
	})
	if err != nil || !withEvents {
		return err
	}
	return s.purge(ctx, c)
}

// purge takes the events of a removed calendar away. It is done when nobody can be in the middle of a fetch any more.
func (s *Service) purge(ctx context.Context, c *Calendar) error {
	current, err := s.entries(ctx, c)
	if err != nil {
		return err
	}
	gone := make([]directory.Entry, 0, len(current))
	for _, e := range current {
		e.Status = directory.Removed
		gone = append(gone, e)
	}
	if _, err := s.write(ctx, gone); err != nil || s.Now().Before(c.Until) {
		return err // Run comes back
	}
	c.Purge = false
	if err := s.save(ctx, c); err != nil && !errors.Is(err, directory.ErrStale) {
		return err
	}
	return nil
}

// nudge has the calendars looked at now.
func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
