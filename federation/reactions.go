package federation

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

const kindReaction = "ap-reaction" // entry/Like|Announce/hash of the actor

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

// eraseAll erases the records of a kind that are about an actor, whose hash their keys end with.
func (s *Service) eraseAll(ctx context.Context, kind, actor string) error {
	suffix := "/" + hashKey(actor)
	return eachRecord(ctx, s.store, kind, func(r directory.Record) error {
		if !strings.HasSuffix(r.Key, suffix) {
			return nil
		}
		return s.store.DeleteRecord(ctx, kind, r.Key, 0)
	})
}

func (s *Service) silenced(actor string) bool {
	p := s.policy.get()
	return p.Rule(vocab.Host(actor)).Severity == Silence
}

// hides reports whether what somebody elsewhere did is left aside: their server is blocked or silenced, perhaps only since.
func (p *Policy) hides(actor string) bool {
	host := vocab.Host(actor)
	return p.Blocked(host) || p.Rule(host).Severity == Silence
}

// count is how many reactions of a kind an entry has; those of blocked and silenced servers do not count.
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
			if json.Unmarshal(r.Value, &one) == nil && !p.hides(one.Actor) {
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
