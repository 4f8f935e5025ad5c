package api

import (
	"testing"

	"archipel/frontend"
)

func TestPeopleStayUnnamedInThePublicHistory(t *testing.T) {
	for author, want := range map[string]string{
		"account:01a2": "", "visitor": "", "mail:jo@example.org": "", "jo": "", "": "", "system": "",
		"import": "un import", "calendar": "un agenda suivi", "island:isere.example": "isere.example", "island:agenda@mobilizon.example": "agenda@mobilizon.example",
	} {
		if got := new(Server).authorName(frontend.T("fr"), author); got != want {
			t.Errorf("%q is shown as %q, want %q", author, got, want)
		}
	}
}
