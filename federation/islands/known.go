package islands

import (
	"cmp"
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

// Known is what visitors are told of the directory that an entry belongs to.
type Known struct {
	Name string // what it calls itself, or else its host; somebody else's words
	URL  string // of its pages
}

// Island says who is behind a host that entries belong to. It is answered from memory.
func (s *Service) Island(host string) Known {
	k := Known{Name: host, URL: s.scheme + "://" + host + "/"}
	if a := s.cache.get(host); a != nil {
		if name := oneLine(cmp.Or(a.About.Name, a.Name)); name != "" {
			k.Name = name
		}
		if u := pageOf(a.About.Address, host); u != "" {
			k.URL = u
		}
		return k
	}
	for _, a := range s.cache.list() { // events of a server that is followed by one of its actors
		if name := oneLine(a.Name); a.Plain != nil && a.Server() == host && name != "" {
			k.Name = name
			break
		}
	}
	return k
}

// Page is the address of an entry's page where it belongs; empty for one of ours.
func (s *Service) Page(e *directory.Entry) string {
	if e.Origin == "" {
		return ""
	}
	if e.Private == nil || e.Private.Mirror == nil {
		return s.scheme + "://" + e.Origin + "/"
	}
	m := e.Private.Mirror
	if m.URL != "" {
		return m.URL
	}
	if len(m.Via) > 0 && isPlain(m.Via[0]) && e.Source != nil { // such servers have no addresses by ID
		if u := webPage(e.Source.URL); u != "" {
			return u
		}
		return s.scheme + "://" + e.Origin + "/"
	}
	id := e.ID
	if m.ID != "" {
		id = m.ID
	}
	return s.scheme + "://" + e.Origin + "/id/" + string(id)
}

// SilentSince is when those by whom an entry comes were last heard, when none of them was for [StaleAfter]; zero otherwise.
func (s *Service) SilentSince(ctx context.Context, e *directory.Entry) time.Time {
	if e.Origin == "" || e.Private == nil || e.Private.Mirror == nil {
		return time.Time{}
	}
	now := s.Now()
	heard := s.heard.at(ctx, s.store, now)
	var last time.Time
	for _, way := range e.Private.Mirror.Via {
		a := s.cache.get(way)
		if a == nil || !a.In.Active() {
			continue
		}
		at, known := heard[way]
		if !known || at.Before(a.In.Since) {
			at = a.In.Since
		}
		if at.After(last) {
			last = at
		}
	}
	if last.IsZero() || now.Sub(last) <= StaleAfter {
		return time.Time{}
	}
	return last
}

// contacts keep for a minute when each island was last heard, so that a list of its entries costs nothing.
type contacts struct {
	mu   sync.Mutex
	read time.Time
	last map[string]time.Time
}

// at gives them. What cannot be read stays as it was known: a badge is nothing to fail for.
func (c *contacts) at(ctx context.Context, store directory.Records, now time.Time) map[string]time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.read); c.last != nil && age >= 0 && age < time.Minute {
		return c.last
	}
	last := map[string]time.Time{}
	err := each(ctx, store, kindSync, func(host string, _ int64, v SyncState) error {
		last[host] = v.Contact
		return nil
	})
	if err == nil || c.last == nil {
		c.last = last
	}
	c.read = now
	return c.last
}

// oneLine is what a stranger calls itself, as it can stand in a line of ours.
func oneLine(name string) string { return strings.Join(strings.Fields(cut(tidy(name), 200)), " ") }

// pageOf is an address of a page on a host, or empty: an island speaks for itself only.
func pageOf(address, host string) string {
	if u := webPage(address); u != "" && vocab.Host(u) == host {
		return u
	}
	return ""
}

// maxPage is how long the address of a page may be, in bytes.
const maxPage = 2000

func webPage(address string) string {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxPage || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return ""
	}
	return u.String()
}
