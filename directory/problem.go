package directory

import (
	"errors"
	"fmt"
	"strings"
)

// Problem says what is wrong with one field. The words that people read are made from Code in their language.
type Problem struct {
	Field  string         `json:"field"` // the path in the public form: "name", "links[1].url", "geometry"
	Code   string         `json:"code"`  // one of the Problem codes
	Params map[string]any `json:"params,omitempty"`
}

// Codes of problems.
const (
	CodeRequired   = "required"
	CodeTooLong    = "too_long"     // params: max, got (characters)
	CodeTooMany    = "too_many"     // params: max, got
	CodeInvalid    = "invalid"      // params: value
	CodeUnknown    = "unknown"      // params: value
	CodeOutOfRange = "out_of_range" // params: value, min, max
	CodeSwapped    = "swapped"      // coordinates look like [latitude, longitude]
	CodeScheme     = "scheme"       // params: value; URL with a scheme that is not allowed
	CodeControl    = "control"      // control characters, or text that is not UTF-8
	CodeTaken      = "taken"        // params: value; somebody else has it
	CodeOrder      = "order"        // the end comes before the start
	CodeImmutable  = "immutable"    // this field cannot be changed
	CodeNotHere    = "not_here"     // this field does not belong to this kind of entry
	CodeNotYours   = "not_yours"    // only those who keep the other entry can say so
)

// Error gives the problem in English, for logs and programs.
func (p Problem) Error() string {
	s := p.Field + ": " + strings.ReplaceAll(p.Code, "_", " ")
	if v, ok := p.Params["value"]; ok {
		s += fmt.Sprintf(" (%.80q)", fmt.Sprint(v))
	}
	if v, ok := p.Params["max"]; ok {
		s += fmt.Sprintf(" (at most %v)", v)
	}
	return s
}

// Invalid is every problem of one entry; it is an error.
type Invalid []Problem

func (v Invalid) Error() string {
	parts := make([]string, len(v))
	for i, p := range v {
		parts[i] = p.Error()
	}
	return "invalid entry: " + strings.Join(parts, "; ")
}

// Errors that callers test with [errors.Is].
var (
	ErrStale       = errors.New("somebody else wrote first") // Append: after is not the head
	ErrNotFound    = errors.New("no such entry")
	ErrGone        = errors.New("entry was removed")
	ErrUnavailable = errors.New("the store cannot be reached")
	ErrFull        = errors.New("no space left to write")
	ErrCorrupt     = errors.New("the stored data are damaged")
)

// ConflictError reports that somebody changed the entry after the editor had read it. Nothing was written.
type ConflictError struct {
	Mine   Entry // what the editor sent
	Theirs Entry // what stands now
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("entry %s changed meanwhile: you had version %d, version %d stands", e.Theirs.ID, e.Mine.Version, e.Theirs.Version)
}
