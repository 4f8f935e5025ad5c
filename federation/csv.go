package federation

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/publicsuffix"
)

// csvColumns are the columns of Mastodon's list of domain blocks.
var csvColumns = []string{"#domain", "#severity", "#reject_media", "#reject_reports", "#public_comment", "#obfuscate"}

const (
	maxCSVRows  = 50_000
	maxComment  = 2000 // bytes; longer ones are cut short
	maxCSVWrong = 1000 // rows that are named
)

// BlockList is a list of domain blocks as a file has it.
type BlockList struct {
	Rules  map[string]Rule `json:"rules"`
	Masked int             `json:"masked,omitzero"` // rows whose domain is hidden by asterisks: they cannot be used
	Wrong  []CSVWrong      `json:"wrong,omitempty"` // rows that cannot be read
}

// CSVWrong is what is wrong with a row.
type CSVWrong struct {
	Line  int    `json:"line"`  // of the file, from 1
	Field string `json:"field"` // column, without its mark; "" for the whole row
	Value string `json:"value"` // at most 100 bytes
	Why   string `json:"why"`   // domain, wide, own, severity, boolean, quotes, rows
}

func (w CSVWrong) Error() string {
	return fmt.Sprintf("line %d: %s %q: %s", w.Line, w.Field, w.Value, map[string]string{
		"domain": "no domain", "wide": "covers everything below a top-level domain", "own": "covers this instance",
		"severity": "want suspend, silence or noop", "boolean": "want true or false", "quotes": "quotes that do not match", "rows": "too many rows",
	}[w.Why])
}

// ReadBlockList reads a list in Mastodon's form, with or without its first row, or a bare list of domains, one a line: they are
// suspended. A row that cannot
// be read is told and left out. own is the host of this instance, which no rule may cover.
func ReadBlockList(r io.Reader, own string) BlockList {
	list := BlockList{Rules: map[string]Rule{}}
	in := csv.NewReader(io.LimitReader(r, 16<<20))
	in.FieldsPerRecord, in.LazyQuotes, in.TrimLeadingSpace, in.ReuseRecord = -1, true, true, true
	at := map[string]int{}
	for i, name := range csvColumns {
		at[name[1:]] = i // until the first row says otherwise
	}
	wrong := func(line int, field, value, why string) {
		if len(list.Wrong) < maxCSVWrong {
			list.Wrong = append(list.Wrong, CSVWrong{line, field, short(strings.ToValidUTF8(value, "�"), 100), why})
		}
	}
	for n := 0; ; n++ {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return list
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			wrong(bad.StartLine, "", "", "quotes")
			continue
		}
		if err != nil {
			wrong(n+1, "", err.Error(), "quotes")
			return list
		}
		line, _ := in.FieldPos(0)
		if n > maxCSVRows {
			wrong(line, "", strconv.Itoa(maxCSVRows), "rows")
			return list
		}
		first := strings.TrimPrefix(row[0], "\ufeff")
		if n == 0 && (first == "domain" || strings.HasPrefix(first, "#")) {
			clear(at)
			at["domain"] = 0
			for i, name := range row {
				at[strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")), "#")] = i
			}
			continue
		}
		field := func(name string) string {
			if i, ok := at[name]; ok && i < len(row) {
				return strings.TrimSpace(strings.TrimPrefix(row[i], "\ufeff"))
			}
			return ""
		}
		name := field("domain")
		switch {
		case name == "" || strings.HasPrefix(name, "#"):
			continue
		case strings.Contains(strings.TrimPrefix(name, "*."), "*"):
			list.Masked++
			continue
		}
		domain, why := blockable(name, own)
		if why != "" {
			wrong(line, "domain", name, why)
			continue
		}
		rule := Rule{Severity: Severity(strings.ToLower(field("severity"))), Comment: comment(field("public_comment"))}
		switch rule.Severity {
		case "":
			rule.Severity = Suspend
		case Suspend, Silence, Noop:
		default:
			wrong(line, "severity", field("severity"), "severity")
			continue
		}
		ok := true
		for _, flag := range []struct {
			name string
			to   *bool
		}{{"reject_media", &rule.RejectMedia}, {"reject_reports", &rule.RejectReports}, {"obfuscate", &rule.Obfuscate}} {
			if text := field(flag.name); text != "" && ok {
				if *flag.to, err = strconv.ParseBool(strings.ToLower(text)); err != nil {
					wrong(line, flag.name, text, "boolean")
					ok = false
				}
			}
		}
		if ok {
			list.Rules[domain] = rule
		}
	}
}

// Blockable returns a domain in the form in which rules name it, or why there can be no rule about it: "domain", it is none;
// "wide", it covers all names below a top-level domain; "own", it covers this instance.
func (s *Service) Blockable(text string) (domain, why string) { return blockable(text, s.host) }

func blockable(text, own string) (domain, why string) {
	domain, err := Domain(text)
	if err != nil || strings.ContainsFunc(domain, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-._:[]", r) }) {
		return "", "domain"
	}
	if own != "" {
		if _, covers := nearest(own, func(d string) (struct{}, bool) { return struct{}{}, d == domain }); covers {
			return "", "own"
		}
	}
	if _, err := netip.ParseAddrPort(domain); err == nil {
		return domain, ""
	}
	if _, err := netip.ParseAddr(strings.Trim(domain, "[]")); err == nil {
		return domain, ""
	}
	if suffix, official := publicsuffix.PublicSuffix(domain); suffix == domain && (official || !strings.Contains(domain, ".")) {
		return "", "wide"
	}
	return domain, ""
}

// comment is the text of a comment as it is kept.
func comment(text string) string {
	return strings.TrimSpace(short(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "")), maxComment))
}

// Import takes the rules of a list, over those that a domain has. What the team notes for itself about a domain stays.
func (p *Policy) Import(list BlockList) {
	for domain, rule := range list.Rules {
		rule.Private = p.Rules[domain].Private
		p.Rules[domain] = rule
	}
}

// ImportCSV is [ReadBlockList] and [Policy.Import] in one, all or nothing: the error is the first [CSVWrong].
func (p *Policy) ImportCSV(r io.Reader) (added, masked int, err error) {
	list := ReadBlockList(r, "")
	if len(list.Wrong) > 0 {
		return 0, list.Masked, list.Wrong[0]
	}
	p.Import(list)
	return len(list.Rules), list.Masked, nil
}

// ExportCSV writes the rules in Mastodon's form.
func (p *Policy) ExportCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{csvColumns}
	for _, domain := range slices.Sorted(maps.Keys(p.Rules)) {
		r := p.Rules[domain]
		rows = append(rows, []string{domain, string(r.Severity), strconv.FormatBool(r.RejectMedia), strconv.FormatBool(r.RejectReports), r.Comment, strconv.FormatBool(r.Obfuscate)})
	}
	return out.WriteAll(rows)
}
