package directory

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// zones keeps what was read of the time zone database, which does not change while the program runs: some hundred zones
// exist, and thousands of events name one of them.
var zones sync.Map

// Zone is the zone of IANA's time zone database with this name. The error is of a name that another machine may not know or
// may understand as something else: none, that of the machine's own zone, and what some systems keep beside the database.
func Zone(name string) (*time.Location, error) {
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), nil
	}
	own := strings.HasPrefix(name, "posix/") || strings.HasPrefix(name, "right/") // the latter counts leap seconds
	switch name {
	case "", "Local", "localtime", "posixrules":
		own = true
	}
	if own {
		return nil, fmt.Errorf("%q is no zone of IANA's database", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	zones.Store(name, loc)
	return loc, nil
}
