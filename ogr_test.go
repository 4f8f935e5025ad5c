package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// needTool skips a test for want of a tool, or fails where CI should have installed it.
func needTool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI should have done that", strings.Join(names, " or "))
	}
	t.Skipf("%s is not installed", strings.Join(names, " or "))
	return ""
}

// TestGDALReadsTheAPI asks GDAL, which is what QGIS reads with, to list the collections and count the features.
func TestGDALReadsTheAPI(t *testing.T) {
	ogrinfo := needTool(t, "ogrinfo")
	p := serveIn(t, t.TempDir(), "-demo")
	out, err := exec.Command(ogrinfo, "-ro", "OAPIF:"+p.url+"/api").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, collection := range []string{"entries", "organisations", "places", "initiatives", "events"} {
		if !strings.Contains(string(out), collection) {
			t.Errorf("no %s in\n%s", collection, out)
		}
	}
	count := regexp.MustCompile(`Feature Count: (\d+)`)
	for collection, query := range map[string]string{"entries": "", "places": "kind=place"} {
		out, err := exec.Command(ogrinfo, "-ro", "-so", "OAPIF:"+p.url+"/api", collection).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		m := count.FindSubmatch(out)
		if m == nil {
			t.Fatalf("%s: no count in\n%s", collection, out)
		}
		if got, want := string(m[1]), strconv.Itoa(p.matched(query)); got != want {
			t.Errorf("%s: GDAL counts %s, want %s", collection, got, want)
		}
		if !strings.Contains(string(out), "WGS 84") || !strings.Contains(string(out), "name: String") {
			t.Errorf("%s: axes or fields are missing in\n%s", collection, out)
		}
	}
	// Every feature, over all pages.
	out, err = exec.Command(ogrinfo, "-ro", "-q", "-al", "-geom=SUMMARY", "OAPIF:"+p.url+"/api", "entries", "--config", "OGR_OAPIF_PAGE_SIZE", "50").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, want := strings.Count(string(out), "OGRFeature("), p.matched(""); got != want {
		t.Errorf("GDAL reads %d features, want %d", got, want)
	}
}
