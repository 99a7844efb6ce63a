package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// asset is one servable file.
type asset struct {
	name string
	path string // with the hash of the content
	etag string
	kind string // media type
	body []byte
	gzip []byte // empty when compressing does not pay
}

// table finds assets by name and by path.
type table struct {
	byName    map[string]*asset
	byPath    map[string]*asset // hashed and plain
	icons     map[string]string // icon name to the address of its symbol
	iconNames []string
}

const sprite = "icons.svg"

// kinds are the media types by file name extension (RFC 9239 for scripts).
var kinds = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
	".txt":   "text/plain; charset=utf-8",
}

// build reads, joins, hashes and compresses every asset.
func build() (*table, error) {
	t := &table{byName: map[string]*asset{}, byPath: map[string]*asset{}, icons: map[string]string{}}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || isPart(name) {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		return t.add(name, body)
	})
	if err != nil {
		return nil, err
	}
	if err := t.addSprite(); err != nil {
		return nil, err
	}
	for _, j := range joined {
		var all bytes.Buffer
		for _, part := range j.parts {
			body, err := files.ReadFile(part)
			if err != nil {
				return nil, fmt.Errorf("join %s: %w", j.name, err)
			}
			all.Write(body)
			all.WriteByte('\n')
		}
		body := all.Bytes()
		if path.Ext(j.name) == ".css" {
			if body, err = t.rewrite(shrink(body)); err != nil {
				return nil, err
			}
		}
		if err := t.add(j.name, body); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// isPart reports whether a file is only served as part of another.
func isPart(name string) bool {
	if path.Dir(name) == "icons" && path.Ext(name) == ".svg" {
		return true
	}
	for _, j := range joined {
		if slices.Contains(j.parts, name) {
			return true
		}
	}
	return false
}

func (t *table) add(name string, body []byte) error {
	ext := path.Ext(name)
	kind, ok := kinds[ext]
	if !ok {
		return fmt.Errorf("static: %s has no media type", name)
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:4])
	a := &asset{
		name: name, path: Prefix + strings.TrimSuffix(name, ext) + "." + hash + ext,
		etag: `"` + hex.EncodeToString(sum[:12]) + `"`, kind: kind, body: body,
	}
	if ext != ".woff2" {
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := z.Write(body); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		if packed.Len() < len(body) {
			a.gzip = packed.Bytes()
		}
	}
	t.byName[name], t.byPath[a.path], t.byPath[Prefix+name] = a, a, a
	return nil
}

// addSprite makes one file of all icons, a symbol each, and notes where they are.
func (t *table) addSprite() error {
	entries, err := fs.ReadDir(files, "icons")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg">`)
	for _, entry := range entries {
		name, isIcon := strings.CutSuffix(entry.Name(), ".svg")
		if !isIcon {
			continue
		}
		body, err := files.ReadFile("icons/" + entry.Name())
		if err != nil {
			return err
		}
		shapes, err := svgShapes(string(body))
		if err != nil {
			return fmt.Errorf("icon %s: %w", name, err)
		}
		fmt.Fprintf(&b, `<symbol id="%s" viewBox="0 0 24 24">%s</symbol>`, name, shapes)
		t.iconNames = append(t.iconNames, name)
	}
	b.WriteString(`</svg>`)
	if err := t.add(sprite, b.Bytes()); err != nil {
		return err
	}
	slices.Sort(t.iconNames)
	for _, name := range t.iconNames {
		t.icons[name] = t.byName[sprite].path + "#" + name
	}
	return nil
}

var between = regexp.MustCompile(`>\s+<`)

// svgShapes returns what is inside the svg element.
func svgShapes(doc string) (string, error) {
	_, rest, ok := strings.Cut(doc, "<svg")
	if !ok {
		return "", fmt.Errorf("has no svg element")
	}
	_, rest, _ = strings.Cut(rest, ">")
	shapes, _, ok := strings.Cut(rest, "</svg>")
	if !ok {
		return "", fmt.Errorf("has no end of its svg element")
	}
	return between.ReplaceAllString(strings.TrimSpace(shapes), "><"), nil
}

var (
	cssComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	cssSpace   = regexp.MustCompile(`\s+`)
	cssURL     = regexp.MustCompile(`url\("` + Prefix + `([^"]+)"\)`)
)

// shrink drops the comments of a style sheet and makes each run of white space
// one space. Our style sheets hold neither inside a string.
func shrink(css []byte) []byte {
	return bytes.TrimSpace(cssSpace.ReplaceAll(cssComment.ReplaceAll(css, nil), []byte(" ")))
}

// rewrite puts hashed addresses in place of the plain ones in a style sheet.
func (t *table) rewrite(css []byte) ([]byte, error) {
	var missing error
	out := cssURL.ReplaceAllFunc(css, func(match []byte) []byte {
		name := string(cssURL.FindSubmatch(match)[1])
		a, ok := t.byName[name]
		if !ok {
			missing = fmt.Errorf("static: the style sheet names %s, which does not exist", name)
			return match
		}
		return []byte(`url("` + a.path + `")`)
	})
	return out, missing
}
