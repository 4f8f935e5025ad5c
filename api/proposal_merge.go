package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"archipel/directory"
)

// mergeProposal puts what a proposal changes into the entry as it stands: whatever it leaves as its sender read it stays as
// it is now, also within a contact, an address, a schedule or a translation. Lists and geometries are taken whole.
func (s *Server) mergeProposal(ctx context.Context, p *Proposal, now *directory.Entry) (directory.Entry, error) {
	proposed, err := p.Proposed(now)
	if err != nil || p.Base == now.Version {
		return proposed, err
	}
	base, err := s.Directory.At(ctx, p.Of, p.Base)
	if err != nil || base.Redacted {
		return proposed, err
	}
	var feature [3]json.RawMessage
	for i, e := range []*directory.Entry{&base.Entry, &proposed, now} {
		if feature[i], err = json.Marshal(e); err != nil { // the public form
			return proposed, err
		}
	}
	b, err := threeWay(feature[0], feature[1], feature[2])
	if err != nil {
		return proposed, err
	}
	var merged directory.Entry
	if err := json.Unmarshal(b, &merged); err != nil {
		return proposed, fmt.Errorf("proposal %s: %w", p.ID, err)
	}
	merged.ID, merged.Private, merged.Status, merged.Version = now.ID, now.Clone().Private, now.Status, now.Version
	merged.Created, merged.Updated, merged.Origin, merged.Slug, merged.Aliases = now.Created, now.Updated, now.Origin, now.Slug, now.Aliases
	return merged, nil
}

// threeWay is mine with what changed from base to theirs, member by member where the values are JSON objects; nil stands for
// a member that is not there. Everything else is one value: theirs where they changed it.
func threeWay(base, theirs, mine json.RawMessage) (json.RawMessage, error) {
	switch {
	case bytes.Equal(theirs, base):
		return mine, nil
	case bytes.Equal(mine, base) || !isObject(base) || !isObject(theirs) || !isObject(mine):
		return theirs, nil
	}
	var was, wanted, merged map[string]json.RawMessage
	for value, into := range map[*json.RawMessage]*map[string]json.RawMessage{&base: &was, &theirs: &wanted, &mine: &merged} {
		if *value == nil {
			*into = map[string]json.RawMessage{}
		} else if err := json.Unmarshal(*value, into); err != nil {
			return nil, err
		}
	}
	names := map[string]bool{}
	for name := range was {
		names[name] = true
	}
	for name := range wanted {
		names[name] = true
	}
	for name := range names {
		value, err := wanted[name], error(nil)
		switch {
		case name != "geometry": // a type of one and coordinates of another are no shape
			value, err = threeWay(was[name], value, merged[name])
		case bytes.Equal(value, was[name]):
			value = merged[name]
		}
		if err != nil {
			return nil, err
		}
		if merged[name] = value; value == nil {
			delete(merged, name)
		}
	}
	if len(merged) == 0 {
		return nil, nil
	}
	return json.Marshal(merged)
}

// isObject reports whether a value is a JSON object, or is not there: then it is one without members.
func isObject(v json.RawMessage) bool { return v == nil || v[0] == '{' }
