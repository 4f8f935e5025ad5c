// Package account is who somebody is, and what they may do.
//
// Accounts, sessions, single-use links and API tokens are records of the store; of every secret only a hash is kept.
// [May] decides who may do what, by one table. [Service.Middleware] finds out who makes a request and refuses those that
// another site sends in a visitor's name; handlers call [Check], or stand behind [Require].
package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"archipel/directory"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
)

// Kinds of records. A record of any kind whose key begins with an account's id and "/" belongs to that account: it is part of
// the export of one's data, and goes when the account is deleted.
const (
	kindAccount = "account"      // by id
	kindMail    = "account-mail" // by mail address: whose it is
	kindToken   = "token"        // by account id and hash of the token
	kindSession = "session"      // by account id and hash of the cookie
	kindLink    = "link"         // by hash of the secret in a mail
	kindPasskey = "passkey"      // by account id and hash of the credential's id

	kindChallenge = "passkey-challenge" // by hash of what a passkey has to sign
)

// Account is what is kept of a person.
type Account struct {
	ID       string    `json:"id"` // UUIDv7
	Mail     string    `json:"mail"`
	Name     string    `json:"name"`
	Role     Role      `json:"role"`
	Lang     string    `json:"lang,omitempty"`
	Password string    `json:"password,omitempty"` // argon2id in its standard text form; empty: signs in by mail
	Epoch    int64     `json:"epoch"`              // raised to end every session and link at once
	Trusted  bool      `json:"trusted,omitempty"`  // publishes without waiting for moderation
	Blocked  bool      `json:"blocked,omitempty"`  // may not sign in
	Leaving  bool      `json:"leaving,omitempty"`  // is being deleted
	Wards    []Ward    `json:"wards,omitempty"`    // parts of the directory that a member moderates
	Created  time.Time `json:"created"`
	Seen     time.Time `json:"seen,omitzero"` // signed in last

	rev int64
}

// Errors of this package that callers tell apart.
var (
	ErrNoAccount = errors.New("no such account")
	ErrMailTaken = errors.New("another account has this mail address")
	ErrLastAdmin = errors.New("the directory would have no administrator left")
	ErrLink      = errors.New("this link was used already, has expired, or never existed")
	ErrSignIn    = errors.New("mail address and password do not belong together")
	ErrBusy      = errors.New("too many passwords are being checked at this moment")
)

// SignUp says who may make an account.
type SignUp string

// Ways to sign up; the zero value is [SignUpOpen].
const (
	SignUpOpen       SignUp = "open"
	SignUpInvitation SignUp = "invitation"
	SignUpClosed     SignUp = "closed"
)

// SignUps lists the ways to sign up.
var SignUps = []SignUp{SignUpOpen, SignUpInvitation, SignUpClosed}

// Options are the parts of a [Service]; one service per mailer. Store, Mailer and Site are required.
type Options struct {
	Store     directory.Store
	Mailer    *Mailer
	Site      func() Site
	PublicURL string   // scheme and host as visitors use them; https makes cookies Secure. Empty: as the request says
	Address   string   // scheme and host for links in mails when PublicURL is empty: never what a request claims
	Proxies   []string // addresses and CIDR ranges of reverse proxies whose X-Forwarded-For is believed

	// Signed says which requests prove by other means that they are meant (HTTP signatures between servers): they
	// have no actor, and may come from elsewhere.
	Signed func(path string) bool
	// Forget erases what else is known of a person whose account is deleted. It is called again after a crash.
	Forget func(ctx context.Context, a *Account) error
	// Teams says whether an account is one of an entry's own owners or editors; nil: nobody keeps an entry for another.
	Teams func(account string, entry directory.ID) (owns, edits bool)
	// Under lists every id that an entry in a category, or in one below it, may have; nil: the id itself. Zones lists the
	// territories that an entry lies in; nil: what its address says. Both tell what belongs to a [Ward].
	Under func(category string) []string
	Zones func(e *directory.Entry) []string
	// Owned is what else belongs to an account, for the export of one's data.
	Owned func(ctx context.Context, a *Account) (any, error)
	// Digests is what an account's mail address has subscribed to, for the export of one's data; nil: there is nothing.
	Digests func(ctx context.Context, a *Account) (any, error)

	Log *slog.Logger
	Now func() time.Time
}

// Site is what the service needs to know of the instance.
type Site struct {
	Name      string
	Languages []string // the first is the default
	SignUp    SignUp
}

// Service keeps accounts. Create it with [New].
type Service struct {
	Options
	proxies  proxies
	limits   *limiter
	password *hasher

	watch func(c *fiber.Ctx, decided []Action) // told of every unsafe request that was let in, by tests
}

// New makes a service.
func New(o Options) (*Service, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Signed == nil {
		o.Signed = func(string) bool { return false }
	}
	trusted, err := parseProxies(o.Proxies)
	if err != nil {
		return nil, err
	}
	s := &Service{Options: o, proxies: trusted, limits: newLimiter(o.Now), password: newHasher()}
	o.Mailer.link = s.fillLink
	return s, nil
}

// load reads a record into v and returns its revision, 0 when absent.
func load(ctx context.Context, s directory.Records, kind, key string, v any) (rev int64, err error) {
	r, err := s.Record(ctx, kind, key)
	if err != nil || r.Rev == 0 {
		return 0, err
	}
	if err := json.Unmarshal(r.Value, v); err != nil {
		return 0, fmt.Errorf("%s record: %w: %w", kind, directory.ErrCorrupt, err)
	}
	return r.Rev, nil
}

func save(ctx context.Context, s directory.Records, kind, key string, v any, rev int64, expires time.Time) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.PutRecord(ctx, kind, directory.Record{Key: key, Value: b, Rev: rev, Expires: expires})
}

// Get returns an account, or [ErrNoAccount].
func (s *Service) Get(ctx context.Context, id string) (*Account, error) {
	return get(ctx, s.Store, id)
}

func get(ctx context.Context, store directory.Records, id string) (*Account, error) {
	if id == "" {
		return nil, ErrNoAccount
	}
	var a Account
	rev, err := load(ctx, store, kindAccount, id, &a)
	if err != nil {
		return nil, err
	}
	if rev == 0 {
		return nil, ErrNoAccount
	}
	a.rev = rev
	return &a, nil
}

// ByMail returns the account of a mail address, or [ErrNoAccount].
func (s *Service) ByMail(ctx context.Context, mail string) (*Account, error) {
	mail, err := NormalMail(mail)
	if err != nil {
		return nil, ErrNoAccount
	}
	var of mailRecord
	rev, err := load(ctx, s.Store, kindMail, mail, &of)
	if err != nil {
		return nil, err
	}
	if rev == 0 {
		return nil, ErrNoAccount
	}
	a, err := s.Get(ctx, of.Account)
	if err == nil && a.Mail != mail {
		return nil, ErrNoAccount // a change of address that was cut short
	}
	return a, err
}

// mailRecord says whose an address is.
type mailRecord struct {
	Account string    `json:"account"`
	Since   time.Time `json:"since"`
}

// create writes a new account, whose address nobody may have.
func (s *Service) create(ctx context.Context, a *Account) error {
	mail, err := NormalMail(a.Mail)
	if err != nil {
		return err
	}
	a.Mail, a.Created = mail, s.Now().UTC()
	if a.ID == "" {
		a.ID = uuid.Must(uuid.NewV7()).String()
	}
	if a.Role == Nobody {
		a.Role = Member
	}
	if err := s.claimMail(ctx, mail, a.ID); err != nil {
		return err
	}
	if err := save(ctx, s.Store, kindAccount, a.ID, a, 0, time.Time{}); err != nil {
		return err
	}
	a.rev = 1
	return nil
}

// claimMail makes an address belong to an account, unless another account really has it.
func (s *Service) claimMail(ctx context.Context, mail, id string) error {
	mine := mailRecord{Account: id, Since: s.Now().UTC()}
	for range 5 {
		var of mailRecord
		rev, err := load(ctx, s.Store, kindMail, mail, &of)
		if err != nil {
			return err
		}
		if rev > 0 && of.Account != id {
			switch holder, err := s.Get(ctx, of.Account); {
			case err == nil && holder.Mail == mail:
				return ErrMailTaken
			case err != nil && !errors.Is(err, ErrNoAccount):
				return err
			}
			// The claim of a change that was cut short; a fresh one may still be under way.
			if s.Now().Sub(of.Since) < time.Minute {
				return ErrMailTaken
			}
		}
		if err := save(ctx, s.Store, kindMail, mail, mine, rev, time.Time{}); !errors.Is(err, directory.ErrStale) {
			return err
		}
	}
	return fmt.Errorf("mail address: %w", directory.ErrStale)
}

// update changes an account with f, again if somebody else changed it meanwhile.
func (s *Service) update(ctx context.Context, id string, f func(*Account) error) (*Account, error) {
	for try := 0; ; try++ {
		a, err := s.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := f(a); err != nil {
			return nil, err
		}
		err = save(ctx, s.Store, kindAccount, id, a, a.rev, time.Time{})
		if err == nil {
			a.rev++
			return a, nil
		}
		if !errors.Is(err, directory.ErrStale) || try == 5 {
			return nil, err
		}
	}
}

// All calls fn with every account, in the order in which they were made, until fn returns false.
func (s *Service) All(ctx context.Context, fn func(*Account) bool) error {
	for after := ""; ; {
		page, err := s.Store.Records(ctx, kindAccount, after, 200)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			var a Account
			if err := json.Unmarshal(r.Value, &a); err != nil {
				return fmt.Errorf("account %s: %w: %w", r.Key, directory.ErrCorrupt, err)
			}
			a.rev = r.Rev
			if !fn(&a) {
				return nil
			}
			after = r.Key
		}
	}
}

// HasAdmin reports whether somebody can administer the directory.
func (s *Service) HasAdmin(ctx context.Context) (found bool, err error) {
	err = s.All(ctx, func(a *Account) bool {
		found = a.Role == Admin && !a.Blocked
		return !found
	})
	return found, err
}

// Actor is an account as it acts.
func (a *Account) Actor() *Actor {
	return &Actor{ID: a.ID, Name: a.Name, Role: a.Role, Lang: a.Lang, Trusted: a.Trusted, Wards: a.Wards}
}

// NormalMail is the form of a mail address that accounts are found by: in lower case, nothing around it. The error is a
// [directory.Invalid] that names the field "mail".
func NormalMail(mail string) (string, error) {
	mail = strings.ToLower(strings.TrimSpace(mail))
	bad := func(code string) (string, error) {
		return "", directory.Invalid{{Field: "mail", Code: code}}
	}
	local, host, ok := strings.Cut(mail, "@")
	switch {
	case mail == "":
		return bad(directory.CodeRequired)
	case len(mail) > 254 || len(local) > 64:
		return "", directory.Invalid{{Field: "mail", Code: directory.CodeTooLong, Params: map[string]any{"max": 254, "got": len(mail)}}}
	case !ok || local == "" || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, ".."):
		return bad(directory.CodeInvalid)
	case strings.ContainsFunc(local, func(r rune) bool {
		return r > 0x7e && !unicode.IsLetter(r) && !unicode.IsDigit(r) || r <= ' ' || strings.ContainsRune(`"(),:;<>@[\]`, r)
	}):
		return bad(directory.CodeInvalid)
	case !validHost(host):
		return bad(directory.CodeInvalid)
	}
	return mail, nil
}

func validHost(host string) bool {
	labels := strings.Split(host, ".")
	if len(labels) < 2 && host != "localhost" {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.ContainsFunc(l, func(r rune) bool { return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			return false
		}
	}
	return true
}

// secret is a fresh token of 256 random bits, in letters that URLs and cookies take as they are.
func secret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// hashed is how a secret is kept: nobody who reads the store can use it.
func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
