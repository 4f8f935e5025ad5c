package federation

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

// kindJoin are the records of who says elsewhere that they come: entry/hash of the actor. They are gone when the event is over
// for a month, as its date stands.
const (
	kindJoin   = "ap-join"
	joinKept   = 30 * 24 * time.Hour
	maxJoins   = 10_000 // of one event
	joinsAtOut = 500
)

// participation is somebody elsewhere who takes part in an event, or asks to.
type participation struct {
	Actor    string     `json:"actor"`
	Activity string     `json:"activity"`
	At       time.Time  `json:"at"`
	Name     string     `json:"name,omitempty"`
	Handle   string     `json:"handle,omitempty"`
	Note     string     `json:"note,omitempty"`  // what they say to the team; plain text
	State    GuestState `json:"state,omitempty"` // empty: they come
}

// offers is what the team of the organisation that posts an entry lets people elsewhere do.
type offers struct {
	replies, joins bool
	asks           bool // who wants to come waits for the team's yes
	participants   int
}

// joinMode is the word for who may come, as FEP-8a8e and Mobilizon have it.
func (o offers) joinMode() string {
	if o.asks {
		return "restricted"
	}
	return "free"
}

// takesPart says what people elsewhere can do under a post. Under those of the instance itself, answers are welcome.
func (s *Service) takesPart(ctx context.Context, who identity, e *directory.Entry) (offers, error) {
	o := offers{replies: true}
	if who.entry == "" {
		return o, nil
	}
	org, err := s.Directory.Entry(ctx, who.entry)
	if err != nil || org.Fediverse == nil {
		return offers{}, err
	}
	o.replies = org.Fediverse.Replies
	o.asks = org.Fediverse.JoinsAsk
	o.joins = org.Fediverse.Joins && e.Kind == directory.Event && e.Event != nil && e.Event.RegisterURL == ""
	if o.joins {
		o.participants, err = s.Participants(ctx, e.ID)
	}
	return o, err
}

// Participants is how many people elsewhere say that they come.
func (s *Service) Participants(ctx context.Context, id directory.ID) (n int, err error) {
	prefix, p := string(id)+"/", s.policy.get()
	for after := prefix; ; {
		records, err := s.store.Records(ctx, kindJoin, after, joinsAtOut)
		if err != nil || len(records) == 0 {
			return n, err
		}
		for _, r := range records {
			if !strings.HasPrefix(r.Key, prefix) {
				return n, nil
			}
			var one participation
			if json.Unmarshal(r.Value, &one) == nil && one.State == GuestComes && !p.hides(one.Actor) {
				n++
			}
			after = r.Key
		}
	}
}

// join takes somebody who wants to come to an event, where its organiser asked for that; everybody else is told that no
// list is kept (FEP-8a8e asks for an answer).
// decided says that the team has decided about one that it has, who is told so now; again, that this was tried before.
func (s *Service) join(ctx context.Context, a *vocab.Activity, decided, again bool) error {
	id, ok := s.entryOf(a.Object().ID)
	if !ok {
		return nil
	}
	e, err := s.Directory.Entry(ctx, id)
	if err != nil || e.Kind != directory.Event || !publishes(&e) {
		return err
	}
	actor, err := s.actors.get(ctx, a.Actor)
	if err != nil {
		return err
	}
	who, err := s.author(ctx, &e, true)
	if err != nil {
		return err
	}
	next, ahead := e.Event.Next(s.Now(), nil)
	terms, err := s.takesPart(ctx, who, &e)
	if err != nil {
		return err
	}
	key := string(id) + "/" + hashKey(a.Actor)
	var is participation
	rev, err := get(ctx, s.store, kindJoin, key, &is)
	switch {
	case err != nil:
		return err
	case decided && (rev == 0 || is.Activity != a.ID):
		return nil // they left meanwhile, or asked anew
	case decided && is.State == GuestRefused:
		return s.reportTo(ctx, who, actor, "Reject", a)
	case decided && is.State == GuestComes:
		return s.reportTo(ctx, who, actor, "Accept", a)
	case !terms.joins || !ahead || next.State == directory.Cancelled || s.silenced(a.Actor):
		return s.reportTo(ctx, who, actor, "Ignore", a)
	case rev > 0 && is.State == GuestRefused:
		return s.reportTo(ctx, who, actor, "Reject", a)
	case rev > 0 && is.State == GuestWaits:
		return nil
	case rev == 0 && again:
		return nil // they left since
	case rev == 0 && terms.participants >= maxJoins:
		return s.reportTo(ctx, who, actor, "Ignore", a)
	}
	if rev == 0 {
		is = participation{Actor: a.Actor, Activity: a.ID, At: s.Now().UTC(), Note: short(plain(vocab.Text(a.Doc, "participationMessage")), 500)}
		is.Name, is.Handle = s.nameOf(ctx, a.Actor)
		if terms.asks {
			is.State = GuestWaits
		}
		if err := put(ctx, s.store, kindJoin, key, is, 0, joinExpires(next)); err != nil && !isStale(err) {
			return err
		}
	}
	if is.State == GuestWaits {
		return nil // the team is asked
	}
	return s.reportTo(ctx, who, actor, "Accept", a)
}

// joinExpires is until when it is kept who comes on a date.
func joinExpires(date directory.Span) time.Time {
	if date.End.After(date.Start) {
		return date.End.Add(joinKept)
	}
	return date.Start.Add(joinKept)
}

// renewJoins keeps who comes as long as the date of the event says that stands now: it may have been moved since they said so.
func (s *Service) renewJoins(ctx context.Context) error {
	var e directory.Entry
	return eachRecord(ctx, s.store, kindJoin, func(rec directory.Record) (err error) {
		event, _, _ := strings.Cut(rec.Key, "/")
		if id := directory.ID(event); id != e.ID {
			if e, err = s.Directory.Entry(ctx, id); errors.Is(err, directory.ErrNotFound) {
				e, err = directory.Entry{ID: id}, nil
			}
		}
		var one participation
		if err != nil || e.Event == nil || json.Unmarshal(rec.Value, &one) != nil {
			return err
		}
		date, ahead := e.Event.Next(one.At, nil) // the one that they meant, of a recurring event
		switch {
		case ahead:
		case e.Event.RRule != "" || len(e.Event.RDates) > 0:
			return nil
		default: // it was moved to before they said so
			date = directory.Span{Start: e.Event.Start, End: e.Event.End}
		}
		until := joinExpires(date).UTC().Truncate(time.Millisecond)
		switch {
		case until.Equal(rec.Expires):
			return nil
		case !until.After(s.Now()):
			err = s.store.DeleteRecord(ctx, kindJoin, rec.Key, rec.Rev)
		default:
			err = s.store.PutRecord(ctx, kindJoin, directory.Record{Key: rec.Key, Value: rec.Value, Rev: rec.Rev, Expires: until})
		}
		if isStale(err) {
			return nil // they, or the team, changed their mind meanwhile
		}
		return err
	})
}

// leave takes back that somebody comes.
func (s *Service) leave(ctx context.Context, actor string, o vocab.Ref) error {
	id, ok := s.entryOf(o.ID)
	if !ok {
		return nil
	}
	return s.store.DeleteRecord(ctx, kindJoin, string(id)+"/"+hashKey(actor), 0)
}

// leaveAll takes an actor who is gone off every list.
func (s *Service) leaveAll(ctx context.Context, actor string) error {
	suffix := "/" + hashKey(actor)
	return eachRecord(ctx, s.store, kindJoin, func(r directory.Record) error {
		if !strings.HasSuffix(r.Key, suffix) {
			return nil
		}
		return s.store.DeleteRecord(ctx, kindJoin, r.Key, 0)
	})
}
