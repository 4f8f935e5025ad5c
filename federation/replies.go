package federation

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

const (
	kindReply   = "ap-reply"    // entry/hash of the reply's id
	kindReplyBy = "ap-reply-by" // hash of the author/hash of the reply's id: where it is, for who takes it back
	kindVoice   = "ap-voice"    // entry/hash of an author: what the team said about them
)

// What one entry, one domain and all together may leave here. Of what nobody has said yes to, the last two count.
const (
	maxReplies         = 300
	maxRepliesOfDomain = 60 // under one entry
	maxWaitingOfDomain = 1000
	maxWaitingReplies  = 20_000

	waitingKept = 90 * 24 * time.Hour  // a reply about which nobody decides
	refusedKept = 180 * 24 * time.Hour // one that was refused, so that it does not come back as a new one
	maxWords    = 10_000               // bytes of a reply; of a longer one the beginning is kept, as plain text
	maxReplyDoc = 16 << 10             // a larger document is not kept beside what was read of it
)

// ReplyState is what was decided about a reply.
type ReplyState string

// States of a reply. Nothing is shown to the public but what is [ReplyShown].
const (
	ReplyPending ReplyState = "pending" // it waits for the entry's team, or for moderators
	ReplyShown   ReplyState = "shown"
	ReplyRefused ReplyState = "refused"
)

// Reply is what somebody elsewhere wrote in public under one of our objects.
type Reply struct {
	ID        string         `json:"id"`
	Actor     string         `json:"actor"`
	Name      string         `json:"name,omitempty"`   // of its author, plain text
	Handle    string         `json:"handle,omitempty"` // "@maud@elsewhere.example"
	Entry     directory.ID   `json:"entry"`
	URL       string         `json:"url,omitempty"`       // its page on its own server
	Warning   string         `json:"warning,omitempty"`   // what its author says before it is shown; plain text
	Content   string         `json:"content"`             // sanitised HTML without pictures, its elements closed
	Published string         `json:"published,omitempty"` // RFC 3339
	Received  time.Time      `json:"received"`
	State     ReplyState     `json:"state"`
	Decided   time.Time      `json:"decided,omitzero"`
	By        string         `json:"by,omitempty"`  // who decided: an author of the log
	Doc       map[string]any `json:"doc,omitempty"` // as it was received, unless it is large

	Key string `json:"-"` // tells it apart under its entry
	Rev int64  `json:"-"` // of its record: what a decision is about
}

// words are what its author can change and a decision is about.
func (r *Reply) words() [2]string { return [2]string{r.Warning, r.Content} }

// place is the record by which an author's replies are found, and by which those that wait are counted.
type place struct {
	Entry directory.ID `json:"entry"`
	Host  string       `json:"host"`
	State ReplyState   `json:"state"`
}

func replyKey(entry directory.ID, id string) string { return string(entry) + "/" + hashKey(id) }

func placeKey(actor, id string) string { return hashKey(actor) + "/" + hashKey(id) }

// keepFor is until when a reply in that state is kept; zero: as long as its entry is there.
func (s *Service) keepFor(state ReplyState) time.Time {
	switch state {
	case ReplyPending:
		return s.Now().Add(waitingKept)
	case ReplyRefused:
		return s.Now().Add(refusedKept)
	}
	return time.Time{}
}

// reply keeps a public Note that answers one of our objects, or its new text. What is here already follows its author whatever
// is wished here by now: words that they changed or made private do not come back when somebody thinks again.
func (s *Service) reply(ctx context.Context, a *vocab.Activity) error {
	o := vocab.ReadThing(a.Object().Doc)
	if !vocab.SameOrigin(o.ID, a.Actor) || len(o.ID) > vocab.MaxAddress {
		return nil // not theirs to say
	}
	var at place
	known, err := get(ctx, s.store, kindReplyBy, placeKey(a.Actor, o.ID), &at)
	if err != nil || known == 0 && a.Type == "Update" {
		return err
	}
	says := o.Type == "Note" && len(o.By) == 1 && o.By[0] == a.Actor && o.Public() // a private message is for nobody's queue
	var under directory.ID
	if i := slices.IndexFunc(o.InReplyTo, s.ours); i >= 0 {
		under, _ = s.entryOf(o.InReplyTo[i])
	}
	if known > 0 && (!says || under != at.Entry) {
		// It is no longer under that entry, or no longer for everybody: what was shown goes.
		if err := s.deleteReply(ctx, a.Actor, o.ID); err != nil {
			return err
		}
	}
	if !says || under == "" {
		return nil
	}
	var before Reply
	rev, err := get(ctx, s.store, kindReply, replyKey(under, o.ID), &before)
	if err != nil || rev > 0 && before.Actor != a.Actor {
		return err
	}
	if rev == 0 {
		if welcome, err := s.takesReply(ctx, a.Actor, &o); err != nil || !welcome {
			return err
		}
	}
	r := s.readReply(ctx, a, &o)
	r.Entry, r.State = under, before.State
	said, err := s.voice(ctx, under, a.Actor)
	if err != nil {
		return err
	}
	switch {
	case said == VoiceHide:
		r.State = ReplyRefused
	case said == VoiceShow && before.State != ReplyRefused:
		r.State = ReplyShown
	case rev == 0, before.State == ReplyShown && before.words() != r.words():
		r.State = ReplyPending // others have read what they said yes to
	default:
		r.Decided, r.By = before.Decided, before.By
	}
	return s.putReply(ctx, r, rev)
}

// takesReply says whether a new reply is kept: its entry is public, its organiser wants replies, and there are not too many.
func (s *Service) takesReply(ctx context.Context, actor string, o *vocab.Thing) (bool, error) {
	if s.silenced(actor) {
		return false, nil
	}
	e, ok, err := s.published(ctx, o.InReplyTo[slices.IndexFunc(o.InReplyTo, s.ours)])
	if err != nil || !ok {
		return false, err
	}
	who, err := s.author(ctx, &e, true)
	if err != nil {
		return false, err
	}
	if terms, err := s.takesPart(ctx, who, &e); err != nil || !terms.replies {
		return false, err
	}
	full, err := s.repliesFull(ctx, e.ID, vocab.Host(actor))
	if full && err == nil {
		s.Log.Info("federation: a reply is left aside, there are too many", "id", o.ID, "entry", e.ID)
	}
	return !full, err
}

// readReply takes of a Note what is kept.
func (s *Service) readReply(ctx context.Context, a *vocab.Activity, o *vocab.Thing) Reply {
	r := Reply{ID: o.ID, Actor: a.Actor, Warning: short(plain(o.Summary), 500), Received: s.Now().UTC(), Doc: a.Object().Doc}
	if !o.Published.IsZero() {
		r.Published = o.Published.UTC().Format(time.RFC3339)
	}
	if o.MediaType == "text/plain" {
		o.Content = paragraph(o.Content)
	}
	if r.Content = replyHTML(o.Content); len(r.Content) > maxWords {
		r.Content = paragraph(short(plain(o.Content), maxWords/2))
	}
	if b, err := encode(r.Doc); err != nil || len(b) > maxReplyDoc {
		r.Doc = nil
	}
	if vocab.SameOrigin(o.URL, a.Actor) && len(o.URL) < 2000 {
		r.URL = o.URL // no other server: its name stands beside the link
	}
	r.Name, r.Handle = s.nameOf(ctx, a.Actor)
	return r
}

// putReply writes a reply over the revision rev, and where it is. Of the two the place is written first: a reply of which
// nobody knows where it is could not be taken back.
func (s *Service) putReply(ctx context.Context, r Reply, rev int64) error {
	until, key := s.keepFor(r.State), placeKey(r.Actor, r.ID)
	old, err := s.store.Record(ctx, kindReplyBy, key)
	if err != nil {
		return err
	}
	where := place{Entry: r.Entry, Host: vocab.Host(r.Actor), State: r.State}
	if err := put(ctx, s.store, kindReplyBy, key, where, old.Rev, until); err != nil {
		return err
	}
	if err := put(ctx, s.store, kindReply, replyKey(r.Entry, r.ID), r, rev, until); err != nil {
		return err
	}
	s.echoes.forget(r.Entry)
	return nil
}

// repliesFull reports whether an entry, or a domain, has left as many replies as are kept.
func (s *Service) repliesFull(ctx context.Context, entry directory.ID, host string) (bool, error) {
	domain, here, ofDomain := registrable(host), 0, 0
	err := s.eachReply(ctx, entry, func(r *Reply) error {
		if here++; registrable(vocab.Host(r.Actor)) == domain {
			ofDomain++
		}
		return nil
	})
	if err != nil || here >= maxReplies || ofDomain >= maxRepliesOfDomain {
		return true, err
	}
	return s.crowd.full(ctx, s, domain)
}

// replyCrowd knows how many replies wait of each domain. It counts them anew every ten minutes while new ones come.
type replyCrowd struct {
	mu      sync.Mutex
	counted time.Time
	all     int
	of      map[string]int
}

func (c *replyCrowd) full(ctx context.Context, s *Service, domain string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := s.Now(); c.of == nil || now.Sub(c.counted) > 10*time.Minute {
		all, of := 0, map[string]int{}
		err := s.eachPlace(ctx, "", func(_ string, at place) error {
			if at.State != ReplyShown {
				all++
				of[registrable(at.Host)]++
			}
			return nil
		})
		if err != nil {
			return true, err
		}
		c.counted, c.all, c.of = now, all, of
	}
	if c.all >= maxWaitingReplies || c.of[domain] >= maxWaitingOfDomain {
		return true, nil
	}
	c.all++
	c.of[domain]++
	return false, nil
}

// eachReply calls fn with every reply under an entry.
func (s *Service) eachReply(ctx context.Context, entry directory.ID, fn func(*Reply) error) error {
	return eachWithPrefix(ctx, s.store, kindReply, string(entry)+"/", func(rec directory.Record) error {
		var r Reply
		if json.Unmarshal(rec.Value, &r) != nil {
			return nil // written by an older version
		}
		r.Key, r.Rev = strings.TrimPrefix(rec.Key, string(entry)+"/"), rec.Rev
		return fn(&r)
	})
}

// eachPlace calls fn with where every reply of an author is, and ("") of all; key is the second part of their keys.
func (s *Service) eachPlace(ctx context.Context, actor string, fn func(key string, at place) error) error {
	prefix := ""
	if actor != "" {
		prefix = hashKey(actor) + "/"
	}
	return eachWithPrefix(ctx, s.store, kindReplyBy, prefix, func(rec directory.Record) error {
		var at place
		if json.Unmarshal(rec.Value, &at) != nil {
			return nil
		}
		_, key, _ := strings.Cut(rec.Key, "/")
		return fn(key, at)
	})
}

// eachWithPrefix is eachRecord for those whose keys begin so.
func eachWithPrefix(ctx context.Context, store directory.Store, kind, prefix string, fn func(directory.Record) error) error {
	for after := prefix; ; {
		records, err := store.Records(ctx, kind, after, 500)
		if err != nil || len(records) == 0 {
			return err
		}
		for _, r := range records {
			if !strings.HasPrefix(r.Key, prefix) {
				return nil
			}
			if err := fn(r); err != nil {
				return err
			}
		}
		after = records[len(records)-1].Key
	}
}

// deleteReply forgets a reply that its own author deleted.
func (s *Service) deleteReply(ctx context.Context, actor, id string) error {
	var at place
	rev, err := get(ctx, s.store, kindReplyBy, placeKey(actor, id), &at)
	if err != nil || rev == 0 {
		return err
	}
	return s.dropReply(ctx, actor, at.Entry, hashKey(id))
}

// dropReply erases a reply, and then where it is.
func (s *Service) dropReply(ctx context.Context, actor string, entry directory.ID, key string) error {
	if err := s.store.DeleteRecord(ctx, kindReply, string(entry)+"/"+key, 0); err != nil {
		return err
	}
	s.echoes.forget(entry)
	return s.store.DeleteRecord(ctx, kindReplyBy, hashKey(actor)+"/"+key, 0)
}

// deleteRepliesOf forgets what an actor wrote who is gone, or who wants nothing to do with us.
func (s *Service) deleteRepliesOf(ctx context.Context, actor string) error {
	return s.eachPlace(ctx, actor, func(key string, at place) error { return s.dropReply(ctx, actor, at.Entry, key) })
}

// wrote reports whether there are replies of an actor.
func (s *Service) wrote(ctx context.Context, actor string) (found bool, err error) {
	prefix := hashKey(actor) + "/"
	records, err := s.store.Records(ctx, kindReplyBy, prefix, 1)
	return len(records) > 0 && strings.HasPrefix(records[0].Key, prefix), err
}

// nameOf is how an actor calls itself, in plain words, as far as it is known, and its handle.
func (s *Service) nameOf(ctx context.Context, actor string) (name, handle string) {
	a, err := s.actors.known(ctx, actor)
	if err != nil || a == nil {
		return "", ""
	}
	t := vocab.ReadThing(a.Doc)
	name = short(plain(t.Name), 100)
	if user := short(plain(t.Username), 64); user != "" && !strings.ContainsAny(user, "@/ ") {
		handle = "@" + user + "@" + vocab.Host(actor)
	}
	return name, handle
}
