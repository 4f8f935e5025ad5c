package islands

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"archipel/directory"
)

// cursor is a place in our log as others hold it: EPOCH.SEQ.CHANGE.MAC. It names the change at that place, so that a log
// which lost its end, and then grew again, is told from the one that was. Only we can make one.
type cursor struct {
	epoch int64
	seq   directory.Seq
	mark  string // id of the change at seq
}

func (s *Service) mac(text string) string {
	h := hmac.New(sha256.New, []byte(s.self.Secret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func (s *Service) token(seq directory.Seq, changeID string) string {
	text := fmt.Sprintf("%d.%d.%s", s.self.epoch(), seq, changeID)
	return text + "." + s.mac(text)
}

// tokenAt makes a cursor of a place.
func (s *Service) tokenAt(ctx context.Context, seq directory.Seq) (string, error) {
	if seq == 0 {
		return s.token(0, "-"), nil
	}
	changes, err := s.Directory.Changes(ctx, seq-1, 1)
	if err != nil {
		return "", err
	}
	if len(changes) == 0 || changes[0].Seq != seq {
		return "", fmt.Errorf("change %d: %w", seq, directory.ErrNotFound)
	}
	return s.token(seq, changes[0].ID), nil
}

// split reads a cursor, of whoever, without believing it.
func split(token string) (c cursor, mac string, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 4 || len(token) > 200 {
		return c, "", false
	}
	epoch, errE := strconv.ParseInt(parts[0], 10, 64)
	seq, errS := strconv.ParseInt(parts[1], 10, 64)
	return cursor{epoch, directory.Seq(seq), parts[2]}, parts[3], errE == nil && errS == nil && seq >= 0
}

// resolve says where in our log a cursor of ours is; ok is false when whoever holds it must begin anew. A true cursor that
// leads nowhere means that our own log lost its end: a new epoch begins, in which every state counts as newer than before.
func (s *Service) resolve(ctx context.Context, token string) (at directory.Seq, ok bool, err error) {
	c, mac, ok := split(token)
	if !ok || !hmac.Equal([]byte(mac), []byte(s.mac(strings.TrimSuffix(token, "."+mac)))) {
		return 0, false, nil
	}
	if c.epoch != s.self.epoch() {
		return 0, false, nil
	}
	if c.seq == 0 {
		return 0, true, nil
	}
	change, lost, err := s.find(ctx, c)
	switch {
	case err != nil || lost:
		return 0, false, err
	case s.Now().Sub(change.Time) > tombstonesKept:
		return 0, false, nil
	}
	return c.seq, true, nil
}

// lost reports whether a cursor shows that our log lost its end. What is no cursor of ours shows nothing.
func (s *Service) lost(ctx context.Context, token string) (bool, error) {
	c, mac, ok := split(token)
	if !ok || c.seq == 0 || !hmac.Equal([]byte(mac), []byte(s.mac(strings.TrimSuffix(token, "."+mac)))) || c.epoch != s.self.epoch() {
		return false, nil
	}
	_, lost, err := s.find(ctx, c)
	return lost, err
}

// find is the change that a true cursor names. When it is not there, a new epoch begins.
func (s *Service) find(ctx context.Context, c cursor) (change directory.Change, lost bool, err error) {
	head, err := s.store.Head(ctx)
	if err != nil {
		return change, false, err
	}
	if c.seq <= head {
		changes, err := s.Directory.Changes(ctx, c.seq-1, 1)
		if err != nil {
			return change, false, err
		}
		if len(changes) == 1 && changes[0].ID == c.mark {
			return changes[0], false, nil
		}
	}
	s.Log.Warn("islands: this directory was restored from a backup; all islands are told anew", "lost", c.seq, "head", head)
	return change, true, s.self.rolledBack(ctx, s.store, c.epoch, s.Now())
}
