package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"archipel/directory"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
)

// Passkeys are a further way to sign in (Web Authentication, Level 3): the key stays in the person's device or password
// manager, we keep what checks its signatures. The name of the site is part of every signature, so a page of another site
// gets nothing that works here.

// maxPasskeys is how many an account may have.
const maxPasskeys = 20

// challengeLife is how long somebody may take from the button to the finger on the sensor.
const challengeLife = 5 * time.Minute

// ErrPasskey is an answer of a passkey that cannot be accepted; who reads it learns no more.
var ErrPasskey = errors.New("this passkey was not accepted")

// passkeyRecord is what is kept of one; its key is the account's id and the hash of the credential's.
type passkeyRecord struct {
	Name       string              `json:"name"`
	Created    time.Time           `json:"created"`
	Seen       time.Time           `json:"seen,omitzero"`
	Credential webauthn.Credential `json:"credential"`
}

// Passkey is a passkey as its owner sees it.
type Passkey struct {
	ID            string // names it for removal
	Name          string
	Created, Seen time.Time
	Synced        bool // kept by more than one device
}

// challengeRecord is a question that was put to a passkey; its key is the hash of the challenge. It is used up by the answer,
// right or wrong.
type challengeRecord struct {
	Binding string               `json:"binding"` // hash of the cookie of the browser that asked
	Account string               `json:"account,omitempty"`
	Name    string               `json:"name,omitempty"`
	Session webauthn.SessionData `json:"session"`
}

// passkeyUser is an account as the library wants it.
type passkeyUser struct {
	*Account
	keys []webauthn.Credential
}

// WebAuthnID and the others are the library's interface.
func (u *passkeyUser) WebAuthnID() []byte {
	id, err := uuid.Parse(u.ID)
	if err != nil {
		return []byte(u.ID)
	}
	return id[:]
}
func (u *passkeyUser) WebAuthnName() string                       { return u.Mail }
func (u *passkeyUser) WebAuthnDisplayName() string                { return u.Name }
func (u *passkeyUser) WebAuthnCredentials() []webauthn.Credential { return u.keys }

// relying is this site for passkeys; nil where browsers have none: without https, and on a bare number instead of a name.
// The site's own address counts, never one that a request claims; only on the developer's own machine there is none.
func (s *Service) relying(c *fiber.Ctx) *webauthn.WebAuthn {
	origin := s.PublicURL
	if host := string(c.Request().Host()); origin == "" && (host == "localhost" || strings.HasPrefix(host, "localhost:")) {
		origin = "http://" + host
	}
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() == "" || net.ParseIP(u.Hostname()) != nil || u.Scheme != "https" && u.Hostname() != "localhost" {
		return nil
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: s.Site().Name, RPOrigins: []string{u.Scheme + "://" + u.Host}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired},
	})
	if err != nil {
		s.Log.Error("passkeys are off", "err", err)
		return nil
	}
	return w
}

// keep remembers a question for the browser that asked for it.
func (s *Service) keepChallenge(ctx context.Context, binding string, one challengeRecord) error {
	if binding == "" {
		return ErrPasskey
	}
	one.Binding = hashed(binding)
	return save(ctx, s.Store, kindChallenge, hashed(one.Session.Challenge), one, 0, s.Now().Add(challengeLife))
}

// spendChallenge is the question that an answer is about, once.
func (s *Service) spendChallenge(ctx context.Context, binding, challenge string) (*challengeRecord, error) {
	key := hashed(challenge)
	r, err := s.Store.Record(ctx, kindChallenge, key)
	if err != nil {
		return nil, err
	}
	if r.Rev == 0 {
		return nil, fmt.Errorf("%w: no such challenge", ErrPasskey)
	}
	if err := s.Store.DeleteRecord(ctx, kindChallenge, key, r.Rev); err != nil {
		if errors.Is(err, directory.ErrStale) {
			return nil, fmt.Errorf("%w: the challenge was used meanwhile", ErrPasskey)
		}
		return nil, err
	}
	var one challengeRecord
	if err := json.Unmarshal(r.Value, &one); err != nil {
		return nil, fmt.Errorf("challenge: %w: %w", directory.ErrCorrupt, err)
	}
	switch {
	case !r.Expires.IsZero() && !s.Now().Before(r.Expires):
		return nil, fmt.Errorf("%w: the challenge is too old", ErrPasskey)
	case binding == "" || one.Binding != hashed(binding):
		return nil, fmt.Errorf("%w: another browser asked", ErrPasskey)
	}
	return &one, nil
}

// passkeyOf is an account with its passkeys.
func (s *Service) passkeyOf(ctx context.Context, id string) (*passkeyUser, error) {
	a, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	u := &passkeyUser{Account: a}
	err = s.eachPasskey(ctx, id, func(_ string, one *passkeyRecord) { u.keys = append(u.keys, one.Credential) })
	return u, err
}

func (s *Service) eachPasskey(ctx context.Context, id string, fn func(hash string, one *passkeyRecord)) error {
	return s.eachRecord(ctx, kindPasskey, id, func(r directory.Record) error {
		var one passkeyRecord
		if err := json.Unmarshal(r.Value, &one); err != nil {
			return fmt.Errorf("passkey: %w: %w", directory.ErrCorrupt, err)
		}
		fn(strings.TrimPrefix(r.Key, id+"/"), &one)
		return nil
	})
}

// Passkeys lists an account's passkeys, the newest first.
func (s *Service) Passkeys(ctx context.Context, id string) ([]Passkey, error) {
	var out []Passkey
	err := s.eachPasskey(ctx, id, func(hash string, one *passkeyRecord) {
		out = append(out, Passkey{ID: hash[:16], Name: one.Name, Created: one.Created, Seen: one.Seen, Synced: one.Credential.Flags.BackupState})
	})
	sortBy(out, func(a, b Passkey) bool { return a.Created.After(b.Created) })
	return out, err
}

// addPasskey keeps the passkey that a browser made for an account, and tells its owner by mail.
func (s *Service) addPasskey(ctx context.Context, w *webauthn.WebAuthn, binding, account string, body []byte) error {
	answer, err := protocol.ParseCredentialCreationResponseBytes(body)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPasskey, err)
	}
	asked, err := s.spendChallenge(ctx, binding, answer.Response.CollectedClientData.Challenge)
	if err != nil {
		return err
	}
	if asked.Account == "" || asked.Account != account {
		return fmt.Errorf("%w: asked by another account, or for something else", ErrPasskey)
	}
	user, err := s.passkeyOf(ctx, account)
	if err != nil {
		return err
	}
	key, err := w.CreateCredential(user, asked.Session, answer)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPasskey, err)
	}
	key.Attestation = webauthn.CredentialAttestation{} // which device it is, is not ours to know
	one := passkeyRecord{Name: asked.Name, Created: s.Now().UTC(), Credential: *key}
	err = save(ctx, s.Store, kindPasskey, account+"/"+hashed(string(key.ID)), one, 0, time.Time{})
	if errors.Is(err, directory.ErrStale) {
		return fmt.Errorf("%w: there already", ErrPasskey)
	}
	if err == nil {
		s.notify(ctx, user.Account, "mail.passkey_added", map[string]string{"Passkey": one.Name})
	}
	return err
}

// usePasskey finds whose passkey it is that answered, and notes its use.
func (s *Service) usePasskey(ctx context.Context, w *webauthn.WebAuthn, binding string, body []byte) (*Account, error) {
	answer, err := protocol.ParseCredentialRequestResponseBytes(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPasskey, err)
	}
	asked, err := s.spendChallenge(ctx, binding, answer.Response.CollectedClientData.Challenge)
	if err != nil {
		return nil, err
	}
	if asked.Account != "" {
		return nil, fmt.Errorf("%w: asked for something else", ErrPasskey)
	}
	id, err := uuid.FromBytes(answer.Response.UserHandle)
	if err != nil {
		return nil, fmt.Errorf("%w: it names nobody", ErrPasskey)
	}
	key := id.String() + "/" + hashed(string(answer.RawID))
	for range 5 {
		var one passkeyRecord
		rev, err := load(ctx, s.Store, kindPasskey, key, &one)
		if err != nil {
			return nil, err
		}
		if rev == 0 {
			return nil, fmt.Errorf("%w: not known, or removed", ErrPasskey)
		}
		a, err := s.Get(ctx, id.String())
		if errors.Is(err, ErrNoAccount) || err == nil && (a.Blocked || a.Leaving) {
			return nil, fmt.Errorf("%w: its account may not sign in", ErrPasskey)
		}
		if err != nil {
			return nil, err
		}
		user := &passkeyUser{Account: a, keys: []webauthn.Credential{one.Credential}}
		used, err := w.ValidateDiscoverableLogin(func(_, _ []byte) (webauthn.User, error) { return user, nil }, asked.Session, answer)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPasskey, err)
		}
		if used.Authenticator.CloneWarning {
			return nil, fmt.Errorf("%w: its counter went back: there may be a copy of it", ErrPasskey)
		}
		one.Credential, one.Seen = *used, s.Now().UTC()
		err = save(ctx, s.Store, kindPasskey, key, one, rev, time.Time{})
		if errors.Is(err, directory.ErrStale) {
			continue // used or removed at the same moment: look again
		}
		return a, err
	}
	return nil, fmt.Errorf("%w: used too often at once", ErrPasskey)
}

// DeletePasskey removes a passkey of an account's, if it is there, and tells its owner by mail.
func (s *Service) DeletePasskey(ctx context.Context, account, id string) error {
	a, err := s.Get(ctx, account)
	if err != nil {
		return err
	}
	list, err := s.Passkeys(ctx, account)
	if err != nil {
		return err
	}
	for _, one := range list {
		if one.ID != id {
			continue
		}
		if err := s.deleteByPrefix(ctx, kindPasskey, account, id); err != nil {
			return err
		}
		s.notify(ctx, a, "mail.passkey_removed", map[string]string{"Passkey": one.Name})
	}
	return nil
}
