// Package links looks, slowly and politely, whether the web addresses of the directory's own public entries still answer.
//
// An address is asked about once a month, by one node at a time. What is wrong is kept in records of the store, by the address:
// a page that many entries name is asked once, and an entry whose address was corrected has nothing wrong any more. A failure
// counts only when the network of this server is known to work, and an address is called broken only after several failures
// over several days. That a server does not let a program in says nothing about what people see.
package links

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/publicnet"
)

// Kinds of the records. Keys are those of [keyOf], but for the one witness record.
const (
	kindFine    = "link"         // answers; the record expires when it is to be asked again
	kindTrouble = "link-trouble" // does not answer, or has moved
	kindWitness = "link-witness" // addresses that answered lately
)

// Codes of what is wrong with an address.
const (
	Gone     = "gone"    // the server says that there is no such page
	Host     = "host"    // the name leads nowhere, or to no public server
	Refused  = "network" // no connection
	Timeout  = "timeout" // no answer in time
	TLS      = "tls"     // the certificate is not valid: browsers warn
	Failing  = "server"  // the server fails
	MovedFor = "moved"   // it answers, at another address for good
)

// Codes lists the codes, for those who have words for them.
var Codes = []string{Gone, Host, Refused, Timeout, TLS, Failing, MovedFor}

// Trouble is what is known of an address that does not answer, or has moved.
type Trouble struct {
	URL      string         `json:"url"`
	Entries  []directory.ID `json:"entries"` // that had it when it was asked, at most [maxEntries]
	Code     string         `json:"code"`
	Status   int            `json:"status,omitempty"` // of the answer; 0: there was none
	To       string         `json:"to,omitempty"`     // where it has moved, of [MovedFor]
	Failures int            `json:"failures,omitempty"`
	Since    time.Time      `json:"since"` // of the first failure in a row, or when the move was seen
	Tried    time.Time      `json:"tried"`
	Next     time.Time      `json:"next"`

	key string
	rev int64
}

// Broken reports whether it failed often and long enough to be called broken. A server that fails may be under repair: it
// gets two weeks.
func (t *Trouble) Broken() bool {
	lasted := t.Tried.Sub(t.Since)
	switch t.Code {
	case MovedFor:
		return false
	case Failing:
		return t.Failures >= 5 && lasted >= 14*day
	}
	return t.Failures >= 3 && lasted >= 3*day
}

// Told reports whether people are told of it.
func (t *Trouble) Told() bool { return t.Code == MovedFor || t.Broken() }

const day = 24 * time.Hour

// maxEntries is how many of the entries that have an address its record names.
const maxEntries = 20

// Options are the parts of a [Service]. Directory and On are required.
type Options struct {
	Directory *directory.Directory
	On        func() bool // whether the operator wants links looked at
	UserAgent string      // names the instance
	Loopback  bool        // allows servers on this machine, for tests and trials
	Log       *slog.Logger
	Now       func() time.Time
	Wait      func(ctx context.Context, d time.Duration) error // for tests; nil: waits
}

// Service looks at links. Create it with [New], drive it with [Service.Run].
type Service struct {
	Options
	http  *http.Client
	rules publicnet.Rules
	asked map[string]time.Time // by host, of this run
	next  time.Time            // before it, nobody is asked
}

// New makes a service.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.UserAgent == "" {
		o.UserAgent = "Archipel"
	}
	if o.Wait == nil {
		o.Wait = func(ctx context.Context, d time.Duration) error {
			t := time.NewTimer(max(d, 0))
			defer t.Stop()
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-t.C:
				return nil
			}
		}
	}
	transport := publicnet.Transport(o.Loopback)
	transport.DisableKeepAlives = true // one request a month
	return &Service{Options: o, rules: publicnet.Rules{Loopback: o.Loopback, Plain: true}, asked: map[string]time.Time{},
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// keyOf names the records of an address. Its fragment is of no interest to a server.
func keyOf(raw string) string {
	raw, _, _ = strings.Cut(raw, "#")
	sum := sha256.Sum256([]byte(raw))
	return hex.EncodeToString(sum[:16])
}

// Addresses are the web addresses of an entry that are looked at, each once: its website and its links.
func Addresses(e *directory.Entry) (list []string) {
	add := func(raw string) {
		if u, err := url.Parse(raw); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !slices.Contains(list, raw) {
			list = append(list, raw)
		}
	}
	if e.Contact != nil {
		add(e.Contact.Website)
	}
	for _, l := range e.Links {
		add(l.URL)
	}
	return list
}

// Of gives what people are told of the addresses of an entry, in their order; none of one that belongs to another instance.
func (s *Service) Of(ctx context.Context, e *directory.Entry) (out []Trouble, err error) {
	if e.Origin != "" || !s.On() {
		return nil, nil
	}
	for _, raw := range Addresses(e) {
		t, err := s.trouble(ctx, keyOf(raw))
		if err != nil {
			return nil, err
		}
		if t != nil && t.Told() {
			t.URL = raw
			out = append(out, *t)
		}
	}
	return out, nil
}

// List gives the addresses that people are told of, in the order of their keys, from the one after the given key on; next is
// the key to go on after, empty at the end. Some may be in no entry any more.
func (s *Service) List(ctx context.Context, after string, limit int) (out []Trouble, next string, err error) {
	for {
		page, err := s.Directory.Store().Records(ctx, kindTrouble, after, 200)
		if err != nil || len(page) == 0 {
			return out, "", err
		}
		for _, r := range page {
			if len(out) == limit {
				return out, after, nil
			}
			after = r.Key
			t, err := decode(r)
			if err != nil {
				return nil, "", err
			}
			if t.Told() {
				out = append(out, *t)
			}
		}
	}
}

// Key names a trouble for [Service.List].
func (t *Trouble) Key() string { return t.key }

// Count counts the addresses that are broken, and those that have moved.
func (s *Service) Count(ctx context.Context) (broken, moved int, err error) {
	list, _, err := s.List(ctx, "", 100_000)
	for i := range list {
		if list[i].Code == MovedFor {
			moved++
		} else {
			broken++
		}
	}
	return broken, moved, err
}

// trouble reads what is known of an address, nil when nothing is wrong.
func (s *Service) trouble(ctx context.Context, key string) (*Trouble, error) {
	r, err := s.Directory.Store().Record(ctx, kindTrouble, key)
	if err != nil || r.Rev == 0 {
		return nil, err
	}
	return decode(r)
}

func decode(r directory.Record) (*Trouble, error) {
	t := &Trouble{key: r.Key, rev: r.Rev}
	if err := json.Unmarshal(r.Value, t); err != nil {
		return nil, fmt.Errorf("link %s: %w: %w", r.Key, directory.ErrCorrupt, err)
	}
	return t, nil
}

// save writes what is wrong with an address, unless another node wrote it meanwhile. What no entry has any more is forgotten
// in time, since nobody asks again.
func (s *Service) save(ctx context.Context, t *Trouble) error {
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return lost(s.Directory.Store().PutRecord(ctx, kindTrouble, directory.Record{Key: t.key, Value: b, Rev: t.rev, Expires: t.Next.Add(45 * day)}))
}

// fine writes that an address answers, and when it is to be asked again.
func (s *Service) fine(ctx context.Context, key string, was *Trouble, until time.Time) error {
	store := s.Directory.Store()
	r, err := store.Record(ctx, kindFine, key)
	if err != nil {
		return err
	}
	if err := lost(store.PutRecord(ctx, kindFine, directory.Record{Key: key, Value: []byte("{}"), Rev: r.Rev, Expires: until})); err != nil {
		return err
	}
	if was == nil {
		return nil
	}
	return lost(store.DeleteRecord(ctx, kindTrouble, key, was.rev))
}

// lost makes of a write that another node was faster with no error: what it wrote is as good.
func lost(err error) error {
	if errors.Is(err, directory.ErrStale) {
		return nil
	}
	return err
}
