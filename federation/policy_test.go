package federation_test

import (
	"strings"
	"testing"

	"archipel/federation"
)

func TestPolicy(t *testing.T) {
	p := federation.Policy{Mode: federation.ModeOpen, Rules: map[string]federation.Rule{
		"mal.example": {Severity: federation.Suspend}, "bruit.example": {Severity: federation.Silence}, "bien.mal.example": {Severity: federation.Noop},
		"xn--bcher-kva.example": {Severity: federation.Suspend},
	}}
	for host, want := range map[string]bool{
		"mal.example": true, "mal.example:8443": true, "sous.mal.example": true, "bien.mal.example": false, "animal.example": false,
		"bruit.example": false, "example": false, "xn--bcher-kva.example": true,
	} {
		if got := p.Blocked(host); got != want {
			t.Errorf("Blocked(%s) = %v, want %v", host, got, want)
		}
	}
	if !p.Waits("a.bruit.example") || p.Waits("autre.example") {
		t.Error("a silenced server's followers wait, others do not")
	}
	p.Mode, p.Allowed = federation.ModeAllowlist, []string{"ami.example"}
	if p.Blocked("x.ami.example") || !p.Blocked("autre.example") {
		t.Error("with an allowlist, who is not on it is blocked")
	}
	for text, want := range map[string]string{" Mal.Example ": "mal.example", "bücher.example": "xn--bcher-kva.example", "*.mal.example": "mal.example", "a.example:8443": "a.example:8443"} {
		if got, err := federation.Domain(text); err != nil || got != want {
			t.Errorf("Domain(%q) = %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a b.example", "https://a.example", "a.example/x", "user@a.example"} {
		if got, err := federation.Domain(text); err == nil {
			t.Errorf("Domain(%q) = %q", text, got)
		}
	}
}

func TestBlockCSV(t *testing.T) {
	p := federation.Policy{Rules: map[string]federation.Rule{}}
	const file = "\ufeff#domain,#severity,#reject_media,#reject_reports,#public_comment,#obfuscate\n" +
		"mal.example,suspend,true,true,\"spam, encore\",false\nBruit.example,silence,false,false,,true\nm*l.example,suspend,false,false,,true\n"
	added, masked, err := p.ImportCSV(strings.NewReader(file))
	if err != nil || added != 2 || masked != 1 {
		t.Fatalf("ImportCSV: %d, %d, %v", added, masked, err)
	}
	want := federation.Rule{Severity: federation.Suspend, RejectMedia: true, RejectReports: true, Comment: "spam, encore"}
	if got := p.Rules["mal.example"]; got != want {
		t.Errorf("mal.example: %+v", got)
	}
	var b strings.Builder
	if err := p.ExportCSV(&b); err != nil {
		t.Fatal(err)
	}
	again := federation.Policy{Rules: map[string]federation.Rule{}}
	if _, _, err := again.ImportCSV(strings.NewReader(b.String())); err != nil || len(again.Rules) != 2 || again.Rules["bruit.example"] != p.Rules["bruit.example"] {
		t.Errorf("read back: %+v, %v", again.Rules, err)
	}
	if added, _, err := p.ImportCSV(strings.NewReader("a.example\nb.example\n")); err != nil || added != 2 || p.Rules["b.example"].Severity != federation.Suspend {
		t.Errorf("a bare list: %d, %v", added, err)
	}
	for _, bad := range []string{"#domain,#severity\na.example,kill\n", "#domain,#severity,#reject_media\na.example,suspend,perhaps\n", "a b\n"} {
		if _, _, err := p.ImportCSV(strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
