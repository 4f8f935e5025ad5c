package federation

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// csvColumns are the columns of Mastodon's list of domain blocks.
var csvColumns = []string{"#domain", "#severity", "#reject_media", "#reject_reports", "#public_comment", "#obfuscate"}

// ImportCSV adds the rules of a list in Mastodon's form, over those that a domain has. It also takes a bare list of
// domains, one a line: they are suspended. Rows whose domain is masked with asterisks cannot be used and are counted.
func (p *Policy) ImportCSV(r io.Reader) (added, masked int, err error) {
	in := csv.NewReader(io.LimitReader(r, 16<<20))
	in.FieldsPerRecord, in.LazyQuotes, in.TrimLeadingSpace = -1, true, true
	at := map[string]int{"domain": 0}
	for line := 1; ; line++ {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return added, masked, nil
		}
		if err != nil {
			return added, masked, fmt.Errorf("line %d: %w", line, err)
		}
		row[0] = strings.TrimPrefix(row[0], "\ufeff")
		if name := strings.TrimPrefix(row[0], "#"); line == 1 && (name == "domain" || strings.HasPrefix(row[0], "#")) {
			for i, name := range row {
				at[strings.TrimPrefix(strings.TrimSpace(name), "#")] = i
			}
			continue
		}
		field := func(name string) string {
			if i, ok := at[name]; ok && i < len(row) {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		name := field("domain")
		if name == "" {
			continue
		}
		if strings.Contains(strings.TrimPrefix(name, "*."), "*") {
			masked++
			continue
		}
		domain, err := Domain(name)
		if err != nil {
			return added, masked, fmt.Errorf("line %d: %w", line, err)
		}
		rule := Rule{Severity: Severity(field("severity")), Comment: field("public_comment")}
		switch rule.Severity {
		case "":
			rule.Severity = Suspend
		case Suspend, Silence, Noop:
		default:
			return added, masked, fmt.Errorf("line %d: severity %q: want suspend, silence or noop", line, rule.Severity)
		}
		for name, to := range map[string]*bool{"reject_media": &rule.RejectMedia, "reject_reports": &rule.RejectReports, "obfuscate": &rule.Obfuscate} {
			if text := field(name); text != "" {
				if *to, err = strconv.ParseBool(text); err != nil {
					return added, masked, fmt.Errorf("line %d: %s %q: want true or false", line, name, text)
				}
			}
		}
		p.Rules[domain] = rule
		added++
	}
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
