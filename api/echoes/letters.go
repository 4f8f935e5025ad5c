package echoes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/federation"
	"archipel/frontend"
)

const (
	kindTold  = "echo-told" // account: what it was told of
	toldKept  = 200 * 24 * time.Hour
	lookEvery = time.Hour
	tellEvery = 20 * time.Hour // at most one mail to anybody in that time
	mostNamed = 10             // entries in one mail
)

// told is what somebody was told of.
type told struct {
	Newest time.Time `json:"newest"` // when the last thing came that was in a mail
	At     time.Time `json:"at"`     // when that mail was written
}

// Letters tells the people of entries by mail that replies or participants wait for them: once a day at most, and only when
// something new came.
type Letters struct {
	Directory  *directory.Directory
	Federation *federation.Service
	Accounts   *account.Service
	Now        func() time.Time
	Fail       func(error) // told when a look failed; it is tried again
}

// Run looks every hour, until ctx ends.
func (t *Letters) Run(ctx context.Context) {
	wait := time.NewTimer(time.Minute) // a program that is restarted often does nothing else
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		if _, err := t.Pass(ctx); err != nil && ctx.Err() == nil {
			t.Fail(err)
		}
		wait.Reset(lookEvery)
	}
}

// line is an entry in a mail.
type line struct {
	entry *directory.Entry
	federation.Waiting
}

// Pass looks once, and returns how many mails went to the outbox.
func (t *Letters) Pass(ctx context.Context) (letters int, err error) {
	all, err := t.Federation.Waiting(ctx)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	ids := make([]directory.ID, 0, len(all))
	for id := range all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	people := map[string][]line{}
	for part := range slices.Chunk(ids, 200) {
		entries, err := t.Directory.Entries(ctx, part)
		if err != nil {
			return 0, err
		}
		for i := range entries {
			e := &entries[i]
			if !e.Public() || e.Origin != "" {
				continue
			}
			team, err := t.Directory.Keepers(ctx, e)
			if err != nil {
				return 0, err
			}
			for _, who := range team.All() {
				people[who] = append(people[who], line{e, all[e.ID]})
			}
		}
	}
	for who, lines := range people {
		sent, err := t.tell(ctx, who, lines)
		if err != nil {
			return letters, err
		}
		if sent {
			letters++
		}
	}
	return letters, nil
}

// tell writes to one person, unless they know or had a mail a short while ago.
func (t *Letters) tell(ctx context.Context, who string, lines []line) (bool, error) {
	store, now := t.Directory.Store(), t.Now().UTC()
	rec, err := store.Record(ctx, kindTold, who)
	if err != nil {
		return false, err
	}
	var was told
	if rec.Rev > 0 {
		_ = json.Unmarshal(rec.Value, &was) // what cannot be read is told again
	}
	newest := time.Time{}
	for i := range lines {
		if lines[i].Newest.After(newest) {
			newest = lines[i].Newest
		}
	}
	if !newest.After(was.Newest) || now.Sub(was.At) < tellEvery {
		return false, nil
	}
	slices.SortFunc(lines, func(a, b line) int { return b.Newest.Compare(a.Newest) })
	var named []string
	var links []account.Link
	for _, l := range lines[:min(len(lines), mostNamed)] {
		if l.Replies > 0 {
			links = append(links, account.Link{URL: t.Accounts.Base() + frontend.RepliesURL(l.entry.Slug), Text: oneLine(l.entry.Name), Key: "mail.echoes.replies", N: l.Replies})
		}
		if l.Guests > 0 {
			links = append(links, account.Link{URL: t.Accounts.Base() + frontend.GuestsURL(l.entry.Slug), Text: oneLine(l.entry.Name), Key: "mail.echoes.guests", N: l.Guests})
		}
		named = append(named, oneLine(l.entry.Name))
	}
	err = t.Accounts.Mailer.Send(ctx, account.Message{
		Key: fmt.Sprintf("echoes %s %d", who, newest.UnixNano()), Account: who, Template: "mail.echoes", Params: map[string]string{"Entry": named[0]}, Links: links,
	})
	if err != nil {
		return false, fmt.Errorf("mail about what waits under %s: %w", lines[0].entry.ID, err)
	}
	b, err := json.Marshal(told{newest, now})
	if err != nil {
		return false, err
	}
	err = store.PutRecord(ctx, kindTold, directory.Record{Key: who, Value: b, Rev: rec.Rev, Expires: now.Add(toldKept)})
	if errors.Is(err, directory.ErrStale) {
		return false, nil // another node told them the same
	}
	return true, err
}

// oneLine makes one line of a name.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
