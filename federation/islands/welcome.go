package islands

import (
	"context"
	"fmt"
)

// welcome lets those islands be asked at once that this process could not hear before: all of them when it begins, for what
// they said meanwhile is lost, and one that is not blocked any more. When the operator decided something about other servers
// everything is compared, since a hub may have shown what was refused then.
type welcome struct {
	heard  map[string]bool // islands that could be asked when it was looked last
	policy string
}

func (w *welcome) look(ctx context.Context, s *Service) error {
	policy, heard := fmt.Sprintf("%+v", s.Network.Policy()), map[string]bool{}
	for _, a := range s.cache.list() {
		if !a.In.Active() || a.Actor == "" || s.Network.Blocks(a.Host) {
			continue
		}
		heard[a.Host] = true
		decided := w.heard != nil && w.policy != policy
		if w.heard[a.Host] && !decided {
			continue
		}
		if err := s.want(ctx, a.Host, decided); err != nil {
			return err
		}
	}
	w.policy, w.heard = policy, heard
	return nil
}
