package api

import "testing"

func TestPeopleStayUnnamedInThePublicHistory(t *testing.T) {
	for author, want := range map[string]string{
		"account:01a2": "", "visitor": "", "mail:jo@example.org": "", "jo": "", "": "", "import": "import", "peer:isere.example": "peer:isere.example",
	} {
		if got := authorName(author); got != want {
			t.Errorf("%q is shown as %q, want %q", author, got, want)
		}
	}
}
