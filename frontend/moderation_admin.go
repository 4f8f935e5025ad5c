package frontend

import "time"

// AdminView is what those who run the instance change and look after.
type AdminView struct {
	Fields    []AdminField
	Revision  int64 // of the settings that the form shows
	Health    HealthView
	Fediverse bool // there is a page of the fediverse
	Done      string
	Wrong     string
}

// AdminField is one text of the site.
type AdminField struct {
	Name    string // a code of the locale's [admin_field]
	Value   string
	Wrong   string
	Long    bool     // several lines
	Choices []string // codes of the locale's family Family; empty: free text
	Family  string
}

// HealthView is how the directory fares.
type HealthView struct {
	Followers, Parts                 []HealthLine
	MailsWaiting, MailsFailed        int
	Calendars                        int // that organisations have elsewhere
	CalendarsFailing                 []CalendarHealth
	Entries, Pending, Nowhere, Stale int
	Notes                            []HealthNote // what the rooms of the house say of themselves
}

// HealthNote is a line on the page of the directory's health.
type HealthNote struct {
	Text, URL string // URL may be empty
	Bad       bool   // somebody should do something
}

// HealthLine is one part of the program.
type HealthLine struct {
	Name    string
	Lag     int // changes that it has yet to read
	Failing bool
	Since   time.Time
}
