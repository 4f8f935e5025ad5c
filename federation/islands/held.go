package islands

import (
	"context"
	"slices"

	"archipel/directory"
)

// Listed lists the entries of one directory, those that come by way of one plain actor, or all when host is empty, that have
// a status for their own sake: those that wait are [directory.Pending] or [directory.Draft], those that a moderator left
// aside [directory.Hidden]. What no agreement stands behind, and what the operator hides by an [Overlay], is none of them.
// The oldest come first.
func (m *Mirrors) Listed(host string, in ...directory.Status) []directory.ID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	asked := func(k mark) bool { return host == "" || m.names.list[k.origin] == host }
	if isPlain(host) {
		through := m.through(host)
		asked = func(k mark) bool { return through[k.via] }
	}
	var ids []directory.ID
	for id, k := range m.all {
		if !k.gone && k.was == 0 && k.held == 0 && slices.Contains(in, statuses[k.status]) && asked(k) {
			ids = append(ids, directory.ID(id.String()))
		}
	}
	slices.Sort(ids)
	return ids
}

// Decide makes entries of others public that waited for it, or were left aside, or leaves them aside. What else the entries
// are, and whether an agreement stands behind them, stays as it is. It returns how many changed.
func (s *Service) Decide(ctx context.Context, author string, ids []directory.ID, show bool) (int, error) {
	to := directory.Hidden
	if show {
		to = directory.Published
	}
	changed := map[directory.ID]bool{}
	seen := s.visibility()
	err := s.rewrite(ctx, ids, author, "", func(e *directory.Entry, over *Overlay, _ map[string]string) {
		m := e.Private.Mirror
		stands := &e.Status
		if m.Was != "" {
			stands = &m.Was
		}
		delete(changed, e.ID) // it may have changed since the last try
		if *stands != to && (show || *stands != directory.Published) {
			*stands, changed[e.ID] = to, true
		}
		s.settle(e, over, seen)
	})
	if err == nil {
		err = s.settleSince(ctx, seen)
	}
	return len(changed), err
}
