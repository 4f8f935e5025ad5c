package directory

import "archipel/directory/hours"

// Holidays are the public holidays where the entry is; nil where they are not known.
func (e *Entry) Holidays() hours.Holidays {
	if e.Address == nil {
		return hours.France
	}
	return hours.HolidaysOf(e.Address.Country, e.Address.PostalCode)
}

// Hours returns the opening hours with the public holidays of the place; nil when there are none, or the text is not understood.
func (e *Entry) Hours() *hours.Hours {
	if e.OpeningHours == "" {
		return nil
	}
	h, err := hours.Parse(e.OpeningHours)
	if err != nil {
		return nil
	}
	return h.With(e.Holidays())
}
