package hours

import "time"

// Holidays knows the public holidays of a country or a part of it. Values can be compared: equal ones have the same holidays.
type Holidays interface {
	// Holiday reports whether a day is one.
	Holiday(year int, month time.Month, day int) bool
}

// French are the public holidays of France, article L3133-1 of the Code du travail.
type French uint8

// The parts of France by their holidays. Those of overseas are not here.
const (
	France        French = iota
	AlsaceMoselle        // with Good Friday and the 26th of December
)

// Holiday reports whether a day is a public holiday.
func (f French) Holiday(year int, month time.Month, day int) bool {
	switch [2]int{int(month), day} {
	case [2]int{1, 1}, [2]int{5, 1}, [2]int{5, 8}, [2]int{7, 14}, [2]int{8, 15}, [2]int{11, 1}, [2]int{11, 11}, [2]int{12, 25}:
		return true
	case [2]int{12, 26}:
		return f == AlsaceMoselle
	}
	if month < time.March || month > time.June {
		return false
	}
	easter := easter(year)
	switch time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Sub(easter) / (24 * time.Hour) {
	case 1, 39, 50: // Easter Monday, Ascension, Whit Monday
		return true
	case -2:
		return f == AlsaceMoselle
	}
	return false
}

// easter is Easter Sunday in the Gregorian calendar, at midnight UTC (the anonymous algorithm of 1876).
func easter(year int) time.Time {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	g := (8*b + 13) / 25
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return time.Date(year, time.Month(n/31), n%31+1, 0, 0, 0, 0, time.UTC)
}

// HolidaysOf returns the public holidays at an address: country by its ISO 3166-1 code of two letters, empty meaning
// France, and the postal code. It returns nil where they are not known here.
func HolidaysOf(country, postalCode string) Holidays {
	if country != "" && country != "FR" {
		return nil
	}
	if len(postalCode) == 5 {
		switch postalCode[:2] {
		case "57", "67", "68":
			return AlsaceMoselle
		case "97", "98":
			return nil // each with days of its own
		}
	}
	return France
}
