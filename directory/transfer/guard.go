package transfer

import (
	"regexp"
	"strings"
)

var number = regexp.MustCompile(`^[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$`)

// guard puts an apostrophe before a cell that a spreadsheet would run as a formula: one that begins with = + - @, a tab
// or a line break and is no number. A cell that only looks guarded gets one more, so that unguard gives back exactly
// what was written.
func guard(s string) string {
	if bare := strings.TrimLeft(s, "'"); dangerous(bare) && !(bare == s && number.MatchString(s)) {
		return "'" + s
	}
	return s
}

// unguard takes back what guard did.
func unguard(s string) string {
	if strings.HasPrefix(s, "'") && dangerous(strings.TrimLeft(s, "'")) {
		return s[1:]
	}
	return s
}

func dangerous(s string) bool {
	return s != "" && strings.IndexByte("=+-@\t\r\n", s[0]) >= 0
}

// Guard is a cell of any other table, made as safe for spreadsheets as those of the export.
func Guard(s string) string { return guard(s) }
