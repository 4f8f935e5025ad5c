package geo

import "slices"

// Origins lists the hosts of other instances to which entries belong, or belonged since the index was built, sorted.
func (s *Snapshot) Origins() []string {
	if len(s.origins.list) < 2 {
		return nil
	}
	hosts := slices.Clone(s.origins.list[1:])
	slices.Sort(hosts)
	return hosts
}
