package islands

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fetch"
	"archipel/federation/vocab"

	"github.com/google/uuid"
)

// A server that speaks ActivityPub and nothing of ours can be followed with less: one of its actors, whose events are shown.
// That is an [Agreement] under the actor's handle, with Plain set, of which only the direction In is used. What comes goes
// the way of every mirrored entry, with the handle as the way by which it came.

// Plain is what is kept of such an actor.
type Plain struct {
	Typed  string `json:"typed"`            // what the operator gave: a handle, or the actor's address
	Type   string `json:"type,omitempty"`   // Application, Group, Organization, Service, Person
	Page   string `json:"page,omitempty"`   // for people
	Online bool   `json:"online,omitempty"` // events without a place are wanted too, when they are online
}

// Server is the host that an agreement is about.
func (a *Agreement) Server() string { return serverOf(a.Host) }

// serverOf is the host of a way by which entries come: an island's is its name, a plain actor's the end of its handle.
func serverOf(way string) string { return way[strings.LastIndexByte(way, '@')+1:] }

func isPlain(way string) bool { return strings.Contains(way, "@") }

// plainActors are the types that an actor can have.
var plainActors = []string{"Application", "Group", "Organization", "Service", "Person"}

var notInName = regexp.MustCompile(`[^a-z0-9._-]+`)

// KeyOf is what an agreement is found by, of what an operator types: the handle of a plain actor, or the host of an island.
func KeyOf(text string) (string, error) {
	if text = strings.TrimSpace(text); strings.Contains(text, "@") && !strings.Contains(text, "/") {
		name, host, err := federation.HandleOf(text)
		if err != nil {
			return "", notFollowed(text)
		}
		return name + "@" + host, nil
	}
	return HostOf(text)
}

func notFollowed(text string) error {
	return directory.Invalid{{Field: "actor", Code: directory.CodeInvalid, Params: map[string]any{"value": text}}}
}

// plainKey is KeyOf of an actor: its handle, its address, or the name of its server alone, whose instance actor is meant.
func plainKey(text string) (string, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "/") {
		if !strings.Contains(text, "@") {
			text = federation.Relay + "@" + text
		}
		return KeyOf(text)
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || vocab.Host(text) == "" || len(text) > 500 || strings.ContainsAny(text, " \t\n") {
		return "", notFollowed(text)
	}
	segments := strings.Split(strings.Trim(u.Path, "/"), "/")
	name := strings.Trim(notInName.ReplaceAllString(strings.ToLower(segments[len(segments)-1]), "-"), "-.")
	if name == "" {
		name = federation.Relay
	}
	return KeyOf(name[:min(len(name), 64)] + "@" + vocab.Host(text))
}

// Follow follows an actor of a server that speaks plain ActivityPub: Mobilizon's relay or a group there, the actor of a
// Gancio instance, the account of an organisation. What it announces and publishes as events is shown when it is in the
// scope, or, when that names no territory, in that of this directory. online asks for events without a place besides, when
// they say that they are online. actor is a handle, an address, or the name of a server, whose relay is meant.
func Follow(ctx context.Context, store directory.Store, actor string, scope Scope, policy Policy, online bool) (Agreement, error) {
	key, err := plainKey(actor)
	if err != nil {
		return Agreement{}, err
	}
	if err := scope.Validate(); err != nil {
		return Agreement{}, err
	}
	for _, k := range scope.Kinds {
		if k != directory.Event {
			return Agreement{}, directory.Invalid{{Field: "scope.kinds", Code: directory.CodeNotHere, Params: map[string]any{"value": string(k)}}}
		}
	}
	if policy, err = policyOf(policy); err != nil {
		return Agreement{}, err
	}
	other := false // something else is wanted of an actor that is followed
	a, err := decide(ctx, store, key, func(a *Agreement) error {
		typed := strings.TrimSpace(actor)
		stands := a.follows(typed)
		other = stands && (a.Plain.Online != online || !sameScope(&a.In.Asked, &scope))
		if !stands && (a.Plain == nil || a.Plain.Typed != typed) {
			a.Actor, a.Inbox = "", ""
			a.Plain = &Plain{Typed: typed}
		}
		a.Plain.Online = online
		a.In.Asked, a.In.Agreed, a.In.Policy, a.In.Note = scope, Scope{Others: true}, policy, ""
		if stands {
			return nil // it hears nothing of what we take
		}
		a.In.Follow = "follows/" + uuid.NewString()
		a.In.set(Asked, true, "Follow")
		return nil
	})
	if err == nil && other {
		err = askSoon(ctx, store, key, true)
	}
	return a, err
}

// follows reports whether a plain actor is followed, and is the one that an operator means who typed this. The handle, or the
// name of the server alone, means the actor that is known by it, whatever was typed first; another address can be another actor.
func (a *Agreement) follows(typed string) bool {
	return a.Plain != nil && a.In.Active() && a.Actor != "" && (typed == a.Plain.Typed || typed == a.Actor || !strings.Contains(typed, "/"))
}

// policyOf is a policy, or the usual one.
func policyOf(p Policy) (Policy, error) {
	switch p {
	case "":
		return Show, nil
	case Show, Review, Suggest:
		return p, nil
	}
	return "", directory.Invalid{{Field: "policy", Code: directory.CodeUnknown, Params: map[string]any{"value": string(p)}}}
}

// errNoActor is an actor that cannot be followed.
var errNoActor = fmt.Errorf("this actor cannot be followed: %w", vocab.ErrForm)

// meetPlain finds a plain actor, and looks at it again once a day.
func (s *Service) meetPlain(ctx context.Context, a *Agreement) error {
	actor := a.Actor
	if actor == "" && strings.Contains(a.Plain.Typed, "/") {
		actor = a.Plain.Typed
	}
	if actor == "" {
		var err error
		if actor, err = s.Network.ActorOf(ctx, a.Host); err != nil {
			return err
		}
	}
	if vocab.Host(actor) == s.host {
		return fmt.Errorf("%.200q is here: %w", actor, errNoActor)
	}
	doc, err := s.Network.Object(ctx, actor)
	if err != nil {
		return err
	}
	t := vocab.ReadThing(doc)
	switch {
	case isMirror(doc):
		return fmt.Errorf("%s is a directory of the archipelago, which is asked for more: %w", vocab.Host(actor), errNoActor)
	case !slices.Contains(plainActors, t.Type) || !vocab.SameOrigin(t.Inbox, t.ID):
		return fmt.Errorf("%.200q is of type %.40q: %w", actor, t.Type, errNoActor)
	}
	for _, other := range s.cache.list() {
		if other.Actor == t.ID && other.Host != a.Host && (other.In.Active() || other.In.State == Asked) {
			return fmt.Errorf("%.200q is followed as %s: %w", t.ID, other.Host, errNoActor)
		}
	}
	about := Description{Version: 1, Name: t.Name, Address: t.URL, Summary: federation.PlainText(t.Summary)}
	about.clean(t.ID)
	if t.Name == "" && t.Username != "" {
		about.Name = cut(t.Username, 200)
	}
	a.Actor, a.Inbox, a.Name, a.About, a.Seen = t.ID, t.Inbox, about.Name, about, s.Now().UTC()
	a.Plain.Type, a.Plain.Page = t.Type, about.Address
	// Before it is told anything: its answer may be here before its server has said that it heard us.
	_, err = change(ctx, s.store, kindIsland, a.Host, func(v *Agreement, _ int64) (bool, error) {
		if v.Plain == nil || v.Plain.Typed != a.Plain.Typed {
			return false, nil // the operator means another one by now
		}
		v.Actor, v.Inbox, v.Name, v.About, v.Seen = a.Actor, a.Inbox, a.Name, a.About, a.Seen
		v.Plain.Type, v.Plain.Page = a.Plain.Type, a.Plain.Page
		return true, nil
	})
	if err == nil {
		err = s.cache.refresh(ctx, s.store)
	}
	return err
}

// plainMessage is what a plain actor is told.
func (s *Service) plainMessage(a *Agreement) map[string]any {
	relay := s.Network.ActorID(federation.Relay)
	follow := map[string]any{"id": s.followID(a), "type": "Follow", "actor": relay, "object": a.Actor}
	doc := map[string]any{"@context": vocab.Context, "to": []any{a.Actor}}
	if a.In.Tell == "Follow" {
		for k, v := range follow {
			doc[k] = v
		}
		return doc
	}
	doc["id"], doc["type"], doc["actor"], doc["object"] = relay+"#undo/"+a.In.TellID, "Undo", relay, follow
	return doc
}

// followed is the plain agreement with an actor, or nil.
func (s *Service) followed(actor string) *Agreement {
	for _, a := range s.cache.list() {
		if a.Plain != nil && a.Actor == actor && actor != "" {
			return a
		}
	}
	return nil
}

// answeredPlain takes what a plain actor says to our Follow. Some name the Follow by its id, some tell it whole, and some
// give it an id of their own.
func (s *Service) answeredPlain(ctx context.Context, key string, a *vocab.Activity) error {
	o := a.Object()
	ours := func(v *Agreement) bool {
		return v.In.Follow != "" && (o.ID == s.followID(v) ||
			o.Type == "Follow" && vocab.Text(o.Doc, "actor") == s.Network.ActorID(federation.Relay) && vocab.Text(o.Doc, "object") == v.Actor && !strings.HasPrefix(o.ID, s.base))
	}
	begins, stood := false, false
	_, err := change(ctx, s.store, kindIsland, key, func(v *Agreement, _ int64) (bool, error) {
		v.Host = key
		begins = false
		switch {
		case v.Actor != a.Actor || !ours(v) || v.In.ByUs && denies(&v.In):
			return false, nil
		case a.Type == "Accept" && v.In.State == Asked:
			begins, stood = true, v.In.Standing
			v.In.set(Accepted, false, "")
		case a.Type == "Reject" && v.In.State == Asked:
			v.In.set(Refused, false, "")
		case a.Type == "Reject" && v.In.Active():
			v.In.set(Ended, false, "")
		default:
			return false, nil
		}
		return true, nil
	})
	if err == nil {
		err = s.cache.refresh(ctx, s.store)
	}
	if err == nil && stood {
		return s.want(ctx, key, true)
	}
	if err == nil && begins {
		return s.begin(ctx, key)
	}
	s.stir()
	return err
}

// leftPlain ends what stands with an actor that is gone.
func (s *Service) leftPlain(ctx context.Context, key string) error {
	_, err := change(ctx, s.store, kindIsland, key, func(v *Agreement, _ int64) (bool, error) {
		if !v.In.Active() && v.In.State != Asked {
			return false, nil
		}
		v.In.set(Ended, false, "")
		v.In.Note = ""
		return true, nil
	})
	s.stir()
	return err
}

// isGone reports whether a document is not there any more, also when that is said in another way than by a status.
func isGone(doc map[string]any, err error) bool {
	return federation.Gone(err) || err == nil && vocab.Text(doc, "type") == "Tombstone"
}

// away reports whether a server did not answer, or not well: others of it need not be asked now.
func away(err error) bool {
	var status *fetch.StatusError
	return err != nil && federation.MayPass(err) && (!errors.As(err, &status) || status.Code >= 500 || status.Code == 429)
}
