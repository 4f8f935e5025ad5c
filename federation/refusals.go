package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"archipel/directory"
	"archipel/federation/fetch"
)

// What an inbox says to a delivery is one of these.
type verdict int

const (
	accepted verdict = iota
	away             // the host does not answer, or not now: it is asked later, and nobody there meanwhile
	unknown          // it does not take our signature, or us; or there is no such inbox, or not there: asked later, others there are not held up
	refused          // it will not have this activity: the next
	vanished         // there will never be such an inbox again
)

// judgement is what an answer means. Signatures of both forms, and the newest keys, have been tried before 401 or 403 comes here.
func judgement(err error) verdict {
	var status *fetch.StatusError
	if err == nil {
		return accepted
	}
	if errors.As(err, &status) {
		switch {
		case status.Code == http.StatusGone:
			return vanished
		case status.Code == http.StatusUnauthorized, status.Code == http.StatusForbidden, status.Code == http.StatusNotFound, status.Code/100 == 3:
			return unknown
		}
	}
	if temporary(err) {
		return away
	}
	return refused
}

const (
	kindRefusal = "ap-refusal" // by the inbox: those that do not know us

	insistFor = 2 * 24 * time.Hour // then one activity is given up at a time, in the hope that the next is taken
)

// refusal is how an inbox that does not know us has fared since it took the last delivery.
type refusal struct {
	Inbox  string    `json:"inbox"`
	Host   string    `json:"host"`
	Since  time.Time `json:"since"`
	Tries  int       `json:"tries"`
	Next   time.Time `json:"next"`
	Reason string    `json:"reason"`
}

// wait is how long an inbox, or its host, is not to be asked yet.
func (p *peer) wait(ctx context.Context) (time.Duration, error) {
	if !p.refusalKnown {
		p.refusal = refusal{}
		rev, err := get(ctx, p.s.store, kindRefusal, hashKey(p.inbox), &p.refusal)
		if err != nil {
			return 0, err
		}
		p.refusalRev, p.refusalKnown = rev, true
	}
	wait, err := p.s.hosts.wait(ctx, p.host)
	return max(wait, p.refusal.Next.Sub(p.s.Now())), err
}

// judge notes how a delivery ended. It returns nil when the next one has its turn, and else a *[directory.Later].
func (p *peer) judge(ctx context.Context, body []byte, sent error) error {
	s := p.s
	var status *fetch.StatusError
	asked := time.Duration(0)
	if errors.As(sent, &status) {
		asked = status.RetryAfter
	}
	switch judgement(sent) {
	case accepted:
		if p.refusalRev > 0 {
			if err := s.store.DeleteRecord(ctx, kindRefusal, hashKey(p.inbox), 0); err != nil {
				return err
			}
			p.refusal, p.refusalRev = refusal{}, 0
		}
		return s.hosts.succeeded(ctx, p.host)
	case vanished:
		s.dropFollowers(ctx, func(f *follower) bool { return f.to() == p.inbox }, "its inbox is gone")
		return nil
	case refused:
		s.Log.Info("federation: an activity was refused", "inbox", p.inbox, "activity", activityID(body), "err", sent)
		return s.hosts.refused(ctx, p.host, activityID(body), sent)
	case unknown:
		return p.unknown(ctx, body, sent, asked)
	}
	wait, giveUp, err := s.hosts.failed(ctx, p.host, sent, asked)
	if err != nil {
		return err
	}
	if giveUp {
		s.dropFollowers(ctx, func(f *follower) bool { return f.Host == p.host }, "away for too long")
	}
	return &directory.Later{After: wait, Err: sent}
}

// unknown notes that an inbox does not know us. It is asked less and less often; after two days each try that fails gives one
// activity up, after sixty its followers.
func (p *peer) unknown(ctx context.Context, body []byte, cause error, asked time.Duration) error {
	s := p.s
	now := s.Now().UTC()
	next := p.refusal
	if p.refusalRev == 0 {
		next = refusal{Inbox: p.inbox, Host: p.host, Since: now}
	}
	next.Tries++
	since := now.Sub(next.Since)
	wait := max(pauseAfter(next.Tries, since > deadAfter, rand.Float64()), asked)
	next.Next, next.Reason = now.Add(wait), short(cause.Error(), 300)
	if since > dropAfter {
		s.dropFollowers(ctx, func(f *follower) bool { return f.to() == p.inbox }, "it has not taken anything for too long")
		return s.store.DeleteRecord(ctx, kindRefusal, hashKey(p.inbox), 0)
	}
	if err := put(ctx, s.store, kindRefusal, hashKey(p.inbox), next, p.refusalRev, time.Time{}); err != nil {
		p.refusalKnown = false
		return err
	}
	p.refusal, p.refusalRev = next, p.refusalRev+1
	if since > insistFor {
		s.Log.Info("federation: an activity was given up", "inbox", p.inbox, "activity", activityID(body), "err", cause)
		return s.hosts.refused(ctx, p.host, activityID(body), cause)
	}
	return &directory.Later{After: wait, Err: fmt.Errorf("%s: %w", p.inbox, cause)}
}

// activityID is the id of an activity of ours.
func activityID(body []byte) string {
	var doc struct{ ID string }
	_ = json.Unmarshal(body, &doc)
	return doc.ID
}
