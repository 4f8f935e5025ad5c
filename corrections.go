package main

import "archipel/api"

// corrections is the way by which corrections travel; nil when the instance takes no part.
func (f *fediverse) corrections() api.Corrections {
	if f == nil {
		return nil
	}
	return f.islands
}
