// Package freshness asks the people of each entry, once in a while and by mail, whether what the directory says is still true.
//
// A letter has three signed links per entry: still true, change it, closed. Following one shows a page and changes nothing,
// since mail scanners follow links; the button on the page acts. Who was asked what and when is a record per person, written
// before the letter goes to the outbox: neither a crash nor a second node makes anybody be asked twice.
package freshness

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/api/signed"
	"archipel/directory"
)

// Settings is what the service needs to know of the instance.
type Settings struct {
	Ask       int      // months between two questions about an entry; 0: nobody is asked
	Languages []string // the first is the default
	Fictional bool     // the entries are made up, and so are their addresses
}

// Options are the parts of a [Service]. All are required but Log and Now.
type Options struct {
	Directory *directory.Directory
	Accounts  *account.Service
	Keys      *signed.Keys
	Site      func() Settings
	// Unseen lists the public entries of ours that nobody confirmed or changed since a moment, events that are over left out.
	Unseen func(before time.Time) []directory.ID

	Log *slog.Logger
	Now func() time.Time
}

// Service asks and takes the answers. Create it with [New]; [Service.Run] drives it.
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

const (
	kindPerson = "freshness" // records of who was asked what; they never expire, so that a restored backup asks nobody again

	day       = 24 * time.Hour
	quiet     = 6 * 7 * day // between two letters to one person, and until the one reminder
	ahead     = 30 * day    // what becomes due soon goes into the same letter
	finishFor = 20 * day    // how long a letter that was cut short is finished: the outbox knows it for longer
	listed    = 25          // entries of one letter
	perPass   = 200         // letters of one pass: a mail server is not flooded when a whole import comes of age
	pause     = time.Hour   // between two passes
)

// person is what is kept of somebody who is asked. Its key is an account's id and "/freshness", or "@" and the hash of a
// mail address: the address itself is not kept.
type person struct {
	Round    int                        `json:"round"`             // counts letters with new questions
	At       time.Time                  `json:"at"`                // of the round
	Reminded time.Time                  `json:"reminded,omitzero"` // the round's one reminder
	Pending  string                     `json:"pending,omitempty"` // a letter that may not be in the outbox yet: ask or remind
	Never    time.Time                  `json:"never,omitzero"`    // asked not to be asked again
	Entries  map[directory.ID]*question `json:"entries,omitempty"`

	key string
	rev int64
}

// question is about one entry.
type question struct {
	Round  int           `json:"round"`
	At     time.Time     `json:"at"`
	Answer string        `json:"answer,omitempty"` // confirm, change, close
	Closed directory.Seq `json:"closed,omitempty"` // the version that the answer hid
}

// last is when the person was written to last.
func (p *person) last() time.Time {
	if p.Reminded.After(p.At) {
		return p.Reminded
	}
	return p.At
}

func (s *Service) load(ctx context.Context, key string) (*person, error) {
	r, err := s.Directory.Store().Record(ctx, kindPerson, key)
	if err != nil {
		return nil, err
	}
	return read(key, r)
}

func read(key string, r directory.Record) (*person, error) {
	p := &person{key: key, rev: r.Rev}
	if r.Rev > 0 {
		if err := json.Unmarshal(r.Value, p); err != nil {
			return nil, fmt.Errorf("freshness %s: %w: %w", key, directory.ErrCorrupt, err)
		}
	}
	if p.Entries == nil {
		p.Entries = map[directory.ID]*question{}
	}
	return p, nil
}

// save writes a person as it was read and changed, or returns an error wrapping [directory.ErrStale].
func (s *Service) save(ctx context.Context, p *person) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := s.Directory.Store().PutRecord(ctx, kindPerson, directory.Record{Key: p.key, Value: b, Rev: p.rev}); err != nil {
		return err
	}
	p.rev++
	return nil
}

// update changes a person, again if another node did meanwhile.
func (s *Service) update(ctx context.Context, key string, change func(*person)) error {
	for try := 0; ; try++ {
		p, err := s.load(ctx, key)
		if err != nil {
			return err
		}
		change(p)
		if err = s.save(ctx, p); err == nil || !errors.Is(err, directory.ErrStale) || try == 5 {
			return err
		}
	}
}

// recipient is somebody who can say whether an entry is still true.
type recipient struct {
	key           string
	account, mail string // one of them
	lang          string
}

// recipients are the owners of an entry, also through the organisation in whose name it was posted; when none can be reached,
// whoever answers at its published address, or else at the one that moderators know.
func (s *Service) recipients(ctx context.Context, e *directory.Entry) (out []recipient, err error) {
	team, err := s.Directory.Keepers(ctx, e)
	if err != nil {
		return nil, err
	}
	for _, id := range team.Owners {
		a, err := s.Accounts.Get(ctx, id)
		if errors.Is(err, account.ErrNoAccount) || err == nil && (a.Blocked || a.Leaving) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, recipient{key: a.ID + "/freshness", account: a.ID, lang: a.Lang})
	}
	if len(out) > 0 {
		return out, nil
	}
	var addresses []string
	if e.Contact != nil {
		addresses = append(addresses, e.Contact.Email)
	}
	if e.Private != nil {
		addresses = append(addresses, e.Private.Email)
	}
	for _, address := range addresses {
		mail, err := account.NormalMail(address)
		if err != nil {
			continue // an import may bring anything
		}
		sum := sha256.Sum256([]byte(mail))
		return []recipient{{key: "@" + hex.EncodeToString(sum[:]), mail: mail, lang: s.spoken(e.Lang)}}, nil
	}
	return nil, nil
}

// spoken is an entry's language where the directory speaks it, else the site's first.
func (s *Service) spoken(tag string) string {
	offered := s.Site().Languages
	base, _, _ := strings.Cut(tag, "-")
	if slices.Contains(offered, base) {
		return base
	}
	return offered[0]
}

// seen is when a person confirmed an entry, or else changed it, last.
func seen(e *directory.Entry) time.Time {
	if e.Checked.IsZero() {
		return e.Updated
	}
	return e.Checked
}

// author is how the log names a person who answers.
func author(key string) string {
	if id, ok := strings.CutSuffix(key, "/freshness"); ok {
		return account.AuthorPrefix + id
	}
	return "visitor"
}
