package frontend

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
)

func query(key, value string) string { return url.Values{key: {value}}.Encode() }

// problemCode is the part of the locale's error keys for an HTTP status.
func problemCode(status int) string {
	switch status {
	case 400, 404, 405, 409, 410, 413, 429, 503:
		return fmt.Sprint(status)
	case 401, 403:
		return "403"
	case 422:
		return "400"
	}
	if status < 500 {
		return "400"
	}
	return "500"
}

func retryMethod(v ProblemView) string {
	if strings.EqualFold(v.Method, "POST") {
		return "post"
	}
	return "get"
}

func contactLink(s string) templ.SafeURL {
	if strings.Contains(s, "@") && !strings.Contains(s, "/") && !strings.HasPrefix(s, "mailto:") {
		return safeLink("mailto:" + s)
	}
	if u := safeLink(s); strings.Contains(s, ":") {
		return u
	}
	return ""
}

// keptField is one value that somebody typed, so that nothing has to be typed twice.
type keptField struct {
	id, name, value string
	long            bool
}

func kept(values url.Values) []keptField {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []keptField
	for _, name := range names {
		for _, v := range values[name] {
			out = append(out, keptField{fmt.Sprint(len(out)), name, v, len(v) > 80 || strings.Contains(v, "\n")})
		}
	}
	return out
}
