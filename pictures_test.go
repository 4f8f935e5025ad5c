package main

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"archipel/directory/media"
)

// TestBackupKeepsPictures copies the pictures beside a backup, and back into another directory.
func TestBackupKeepsPictures(t *testing.T) {
	data, into, beside := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "pictures")
	store, err := media.Open(filepath.Join(data, "media"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 500, 300)), nil); err != nil {
		t.Fatal(err)
	}
	p, err := store.Add(t.Context(), b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "backup.gz")
	command := func(args ...string) string {
		t.Helper()
		var out, said bytes.Buffer
		if err := run(t.Context(), args, func(string) string { return "" }, &out, &said); err != nil {
			t.Fatalf("%v: %v %s", args, err, &said)
		}
		return said.String()
	}
	if said := command("backup", "-data", data, "-pictures", beside, file); !strings.Contains(said, "3 files of pictures") {
		t.Errorf("said %s", said)
	}
	if said := command("backup", "-data", data, "-pictures", beside, file); !strings.Contains(said, "0 files of pictures") {
		t.Errorf("the second time it said %s", said)
	}
	if said := command("restore", "-data", into, "-pictures", beside, file); !strings.Contains(said, "3 files of pictures restored") {
		t.Errorf("said %s", said)
	}
	for _, size := range media.Sizes {
		name := strings.TrimPrefix(media.URL(p.URL, size), media.Prefix)
		was, err := os.ReadFile(filepath.Join(data, "media", name))
		if err != nil {
			t.Fatal(err)
		}
		if is, err := os.ReadFile(filepath.Join(into, "media", name)); err != nil || !bytes.Equal(was, is) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMediaOption: an address that cannot be right ends the start and shows no secret.
func TestMediaOption(t *testing.T) {
	for _, address := range []string{"s3://key:hushhush@", "http://key:hushhush@host/bucket", "s3://key:hush%zzhush@host/bucket"} {
		var out, said bytes.Buffer
		err := run(t.Context(), []string{"serve", "-listen", "127.0.0.1:0", "-data", t.TempDir(), "-media", address}, func(string) string { return "" }, &out, &said)
		if err == nil || !strings.Contains(err.Error(), "-media") || strings.Contains(err.Error()+said.String(), "hush") {
			t.Errorf("%s: %v %s", address, err, &said)
		}
	}
}

// TestPicturesAwayAtStart: the directory serves without its pictures, and says so.
func TestPicturesAwayAtStart(t *testing.T) {
	p := serveIn(t, t.TempDir(), "-media", "s3://key:hushhush@127.0.0.1:1/pictures?tls=off")
	if code, _ := p.get("/"); code != 200 {
		t.Errorf("the home page: %d", code)
	}
	if _, body := p.get("/readyz"); !strings.Contains(body, `"pictures":"unavailable"`) {
		t.Errorf("readyz: %s", body)
	}
	if code, body := p.get("/media/" + strings.Repeat("0", 32) + "-800.jpg"); code != 503 || strings.Contains(body, "hush") {
		t.Errorf("a picture: %d %s", code, body)
	}
}
