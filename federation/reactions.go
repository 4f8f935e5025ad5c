package federation

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

const (
	kindReaction = "ap-reaction" // entry/Like|Announce/hash of the actor
	kindReply    = "ap-reply"    // hash of the reply's id
)

// reaction is a Like or an Announce of one of our objects: one of each kind for each actor.
type reaction struct {
	Actor    string    `json:"actor"`
	Activity string    `json:"activity"`
	At       time.Time `json:"at"`
}

func reactionKey(id directory.ID, kind, actor string) string {
	return string(id) + "/" + kind + "/" + hashKey(actor)
}

// published returns the entry behind one of our addresses, when it is public.
func (s *Service) published(ctx context.Context, address string) (e directory.Entry, ok bool, err error) {
	id, ours := s.entryOf(address)
	if !ours {
		return e, false, nil
	}
	if e, err = s.Directory.Entry(ctx, id); err != nil {
		if temporary(err) {
			return e, false, err
		}
		return e, false, nil
	}
	return e, publishes(&e), nil
}

// react counts a Like or an Announce.
func (s *Service) react(ctx context.Context, a *vocab.Activity) error {
	e, ok, err := s.published(ctx, a.Object().ID)
	if err != nil || !ok || s.silenced(a.Actor) {
		return err
	}
	err = put(ctx, s.store, kindReaction, reactionKey(e.ID, a.Type, a.Actor), reaction{a.Actor, a.ID, s.Now().UTC()}, 0, time.Time{})
	if isStale(err) {
		return nil // it counts already
	}
	return err
}

// unreact takes a Like or an Announce back, which must come along: every network sends it so.
func (s *Service) unreact(ctx context.Context, actor string, o vocab.Ref) error {
	id, ok := s.entryOf(vocab.Text(o.Doc, "object"))
	if !ok || o.Type != "Like" && o.Type != "Announce" {
		return nil
	}
	return s.store.DeleteRecord(ctx, kindReaction, reactionKey(id, o.Type, actor), 0)
}

func (s *Service) silenced(actor string) bool {
	p := s.policy.get()
	return p.Rule(vocab.Host(actor)).Severity == Silence
}

// count is how many reactions of a kind an entry has; those of blocked servers do not count.
func (s *Service) count(ctx context.Context, id directory.ID, kind string) (int, error) {
	prefix, n, p := string(id)+"/"+kind+"/", 0, s.policy.get()
	for after := prefix; ; {
		records, err := s.store.Records(ctx, kindReaction, after, 500)
		if err != nil {
			return 0, err
		}
		for _, r := range records {
			if !strings.HasPrefix(r.Key, prefix) {
				return n, nil
			}
			var one reaction
			if json.Unmarshal(r.Value, &one) == nil && !p.Blocked(vocab.Host(one.Actor)) {
				n++
			}
			after = r.Key
		}
		if len(records) == 0 {
			return n, nil
		}
	}
}

// reactions says how many liked or announced an entry, and not who.
func (s *Service) reactions(w http.ResponseWriter, r *http.Request) {
	kind := map[string]string{"likes": "Like", "shares": "Announce"}[r.PathValue("what")]
	e, ok, err := s.published(r.Context(), s.base+"/id/"+r.PathValue("id"))
	n := 0
	if err == nil && ok && kind != "" {
		n, err = s.count(r.Context(), e.ID, kind)
	}
	switch {
	case err != nil:
		s.fail(w, err)
	case !ok || kind == "":
		refuse(w, http.StatusNotFound, "")
	default:
		s.answer(w, http.StatusOK, typeActivity, map[string]any{
			"@context": vocab.Context, "id": s.base + r.URL.Path, "type": "Collection", "attributedTo": s.relayID(), "totalItems": n,
		})
	}
}

// Reply is what somebody elsewhere wrote under one of our objects. It is shown nowhere before a moderator has said yes.
type Reply struct {
	ID        string         `json:"id"`
	Actor     string         `json:"actor"`
	Entry     directory.ID   `json:"entry"`
	Warning   string         `json:"warning,omitempty"`   // what its author says before it is shown; plain text
	Content   string         `json:"content"`             // sanitised HTML
	Published string         `json:"published,omitempty"` // RFC 3339
	Received  time.Time      `json:"received"`
	State     string         `json:"state"` // "pending"
	Doc       map[string]any `json:"doc"`   // as it was received
}

// reply keeps a public Note that answers one of our objects, or its new text.
func (s *Service) reply(ctx context.Context, a *vocab.Activity) error {
	o := vocab.ReadThing(a.Object().Doc)
	if o.Type != "Note" || !vocab.SameOrigin(o.ID, a.Actor) || len(o.By) != 1 || o.By[0] != a.Actor || s.silenced(a.Actor) {
		return nil // not theirs to say, or nothing that is said here
	}
	i := slices.IndexFunc(o.InReplyTo, s.ours)
	if i < 0 {
		return nil
	}
	e, ok, err := s.published(ctx, o.InReplyTo[i])
	if err != nil || !ok {
		return err
	}
	who, err := s.author(ctx, &e, true)
	if err != nil {
		return err
	}
	if terms, err := s.takesPart(ctx, who, &e); err != nil || !terms.replies {
		return err // its organiser may not want any
	}
	if !o.Public() {
		return nil // a private message is for nobody's queue
	}
	published := ""
	if !o.Published.IsZero() {
		published = o.Published.UTC().Format(time.RFC3339)
	}
	if o.MediaType == "text/plain" {
		o.Content = paragraph(o.Content)
	}
	var before Reply
	rev, err := get(ctx, s.store, kindReply, hashKey(o.ID), &before)
	if err != nil || rev > 0 && before.Actor != a.Actor || rev == 0 && a.Type == "Update" {
		return err
	}
	return put(ctx, s.store, kindReply, hashKey(o.ID), Reply{
		ID: o.ID, Actor: a.Actor, Entry: e.ID, Warning: short(plain(o.Summary), 500), Content: cleanHTML(o.Content), Published: published,
		Received: s.Now().UTC(), State: "pending", Doc: a.Object().Doc,
	}, rev, time.Time{})
}

// deleteReply forgets a reply that its own author deleted.
func (s *Service) deleteReply(ctx context.Context, actor, id string) error {
	var r Reply
	rev, err := get(ctx, s.store, kindReply, hashKey(id), &r)
	if err != nil || rev == 0 || r.Actor != actor {
		return err
	}
	return s.store.DeleteRecord(ctx, kindReply, hashKey(id), 0)
}

// deleteRepliesOf forgets what an actor who is gone wrote.
func (s *Service) deleteRepliesOf(ctx context.Context, actor string) error {
	return eachRecord(ctx, s.store, kindReply, func(rec directory.Record) error {
		var r Reply
		if json.Unmarshal(rec.Value, &r) != nil || r.Actor != actor {
			return nil
		}
		return s.store.DeleteRecord(ctx, kindReply, rec.Key, 0)
	})
}
