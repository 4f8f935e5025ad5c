package islands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"

	"github.com/google/uuid"
)

// isOffer reports whether an activity suggests a correction.
func isOffer(a *vocab.Activity) bool { return a.Type == "Offer" && a.Object().Type == "Update" }

// errOffer is a correction that is not taken.
var errOffer = errors.New("this correction is not taken")

// suggested takes a correction that another directory offers. What is forged, or about what is not ours, is left aside.
func (s *Service) suggested(ctx context.Context, peer *Agreement, doc map[string]any, a *vocab.Activity) error {
	if s.Correct == nil || !peer.Out.Active() {
		s.Log.Info("islands: a correction of somebody who does not follow us", "island", peer.Host)
		return nil
	}
	id := otherID(peer.Host, directory.ID("offer "+a.ID))
	var known takenOffer
	rev, err := get(ctx, s.store, kindOffered, string(id), &known)
	if err != nil || known.Kept {
		return err // it came before
	}
	if rev == 0 && !s.flows.offer(peer.Host, s.Now()) {
		s.noteRefusal(ctx, peer.Host, outcome{Refused: 1, Why: map[string]int{whyMany: 1}})
		return nil
	}
	c, err := s.correction(ctx, doc, a)
	if err == nil {
		err = s.roomFor(ctx, peer.Host)
	}
	if errors.Is(err, errOffer) || errors.Is(err, directory.ErrNotFound) {
		s.Log.Info("islands: a correction is not taken", "island", peer.Host, "offer", cut(a.ID, 200), "why", err)
		s.noteRefusal(ctx, peer.Host, outcome{Refused: 1, Why: map[string]int{whyCorrection: 1}})
		return nil
	}
	if err != nil {
		return err
	}
	c.ID, c.Island, c.Created = id, peer.Host, s.Now().UTC().Truncate(time.Millisecond)
	// Who decides at once finds the record. Until it says that the correction is kept, the same is taken again, under the
	// same ID.
	err = put(ctx, s.store, kindOffered, string(id), takenOffer{Host: peer.Host, Offer: a.ID, Of: c.Of, Came: c.Created}, 0)
	if err != nil && !isStale(err) {
		return err
	}
	var invalid directory.Invalid
	if err := s.Correct(ctx, c); errors.As(err, &invalid) {
		if err := s.AnswerOffer(ctx, id, Declined, s.unfit(invalid)); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	_, err = change(ctx, s.store, kindOffered, string(id), func(v *takenOffer, rev int64) (bool, error) {
		v.Kept = true
		return rev > 0, nil
	})
	return err
}

// unfit is why a correction is refused that is not valid here, for whoever suggested it.
func (s *Service) unfit(invalid directory.Invalid) string {
	if s.Unfit != nil {
		return s.Unfit(invalid)
	}
	return "Not valid here: " + invalid[0].Field
}

// roomFor says whether one more correction of an island may wait.
func (s *Service) roomFor(ctx context.Context, host string) error {
	open := 0
	err := each(ctx, s.store, kindOffered, func(_ string, _ int64, v takenOffer) error {
		if v.Host == host && !final(v.Answer) {
			open++
		}
		return nil
	})
	if err == nil && open >= maxOpened {
		err = fmt.Errorf("%d wait: %w", open, errOffer)
	}
	return err
}

// correction understands what is offered. The error is errOffer, or [directory.ErrNotFound], or may pass.
func (s *Service) correction(ctx context.Context, doc map[string]any, a *vocab.Activity) (c directory.Correction, err error) {
	update, _ := doc["object"].(map[string]any)
	object, _ := update["object"].(map[string]any)
	address, _ := object["id"].(string)
	rest, ours := strings.CutPrefix(address, s.base+"/id/")
	c.Of = directory.ID(rest)
	if !vocab.SameOrigin(a.ID, a.Actor) || vocab.Text(update, "actor") != a.Actor || !ours || !c.Of.Valid() {
		return c, fmt.Errorf("%.200q by %.200q: %w", address, a.Actor, errOffer)
	}
	if b, err := json.Marshal(doc); err != nil || len(b) > maxObject {
		return c, fmt.Errorf("too large: %w", errOffer)
	}
	e, err := s.Directory.Entry(ctx, c.Of)
	if err != nil {
		return c, err
	}
	if e.Origin != "" || !e.Public() {
		return c, fmt.Errorf("%s: %w", c.Of, directory.ErrNotFound)
	}
	base := e
	epoch, _ := integer(object["epoch"])
	if v, ok := integer(object["version"]); ok && epoch == s.self.epoch() && directory.Seq(v) < e.Version {
		if past, err := s.Directory.At(ctx, c.Of, directory.Seq(v)); err == nil && !past.Redacted && past.Entry.Public() {
			base = past.Entry
		}
	}
	wanted, err := json.Marshal(object["feature"])
	if err != nil {
		return c, errOffer
	}
	var feature struct {
		Geometry   json.RawMessage            `json:"geometry"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(wanted, &feature); err != nil || feature.Properties == nil {
		return c, fmt.Errorf("feature: %w", errOffer)
	}
	feature.Properties[geometryField] = feature.Geometry
	f, err := fields(&base)
	if err != nil {
		return c, err
	}
	var changed int
	for _, v := range asList(object["changed"]) {
		name, _ := v.(string)
		if !slices.Contains(offered, name) {
			continue // nothing else is theirs to say
		}
		if f[name] = feature.Properties[name]; len(f[name]) == 0 || string(f[name]) == "null" {
			delete(f, name)
		}
		changed++
	}
	c.Note, c.Base = plain(vocab.Text(doc, "summary")), base.Version
	if changed == 0 && c.Note == "" {
		return c, fmt.Errorf("it changes nothing: %w", errOffer)
	}
	if c.Entry, err = withFields(&base, f); err != nil {
		return c, fmt.Errorf("feature: %w: %w", err, errOffer)
	}
	c.Entry.Categories = slices.DeleteFunc(c.Entry.Categories, func(id string) bool { return !s.Taxonomy.Valid(id) && !slices.Contains(base.Categories, id) })
	directory.Normalize(&c.Entry)
	return c, nil
}

// AnswerOffer tells the directory that suggested a correction what became of it: [Approved], [Declined] or [Questioned], with a
// reason in plain text. The answer is brought as soon as possible; a second one of the same kind is not.
func (s *Service) AnswerOffer(ctx context.Context, id directory.ID, answer, reason string) error {
	var o takenOffer
	rev, err := get(ctx, s.store, kindOffered, string(id), &o)
	if err != nil || rev == 0 || final(o.Answer) {
		return err // it is forgotten, or answered
	}
	verb := map[string]string{Approved: "Accept", Declined: "Reject", Questioned: "TentativeReject"}[answer]
	if verb == "" {
		return directory.Invalid{{Field: "decision", Code: directory.CodeUnknown, Params: map[string]any{"value": answer}}}
	}
	now := s.Now().UTC().Truncate(time.Millisecond)
	key := "answer " + string(id) + " " + answer
	if answer == Questioned {
		key += " " + uuid.NewString()
	}
	doc := map[string]any{
		"@context": vocab.Context, "id": s.mirrorID() + "#" + strings.ToLower(verb) + "/" + uuid.NewString(), "type": verb, "actor": s.mirrorID(),
		"object":    map[string]any{"id": o.Offer, "type": "Offer", "object": s.objectID(o.Of)},
		"published": stamp(now),
	}
	if a := s.cache.get(o.Host); a != nil && a.Actor != "" {
		doc["to"] = []any{a.Actor}
	}
	if reason = plain(reason); reason != "" {
		doc["summary"] = reason
	}
	body, err := encode(doc)
	if err != nil {
		return err
	}
	if err := s.post(ctx, key, post{Host: o.Host, Body: body, Since: now}); err != nil {
		return err
	}
	_, err = change(ctx, s.store, kindOffered, string(id), func(v *takenOffer, _ int64) (bool, error) {
		if final(v.Answer) {
			return false, nil
		}
		v.Answer = answer
		return true, nil
	})
	return err
}
