package trigger

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	_ "embed" // the zone rules
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

//go:generate ../scripts/zoneinfo.sh

//go:embed zoneinfo/zoneinfo.zip
var embeddedRules []byte

//go:embed zoneinfo/RELEASE
var embeddedRelease string

// Zones is a set of time zone rules. Neither the environment nor the files of the host have a part in it:
// the same Zones give the same times on every host. It is safe for concurrent use.
type Zones struct {
	version string
	files   map[string]*zip.File
	loaded  sync.Map // name -> *time.Location, of zones that exist
}

const (
	maxZoneFile = 1 << 20 // of one zone; the longest has some 2 KiB
	maxZones    = 10_000
)

// ErrZoneRules is wrapped by every error of ReadZones.
var ErrZoneRules = errors.New("trigger: zone rules")

// EmbeddedZones returns the rules that this program was built with.
func EmbeddedZones() *Zones { return embedded() }

var embedded = sync.OnceValue(func() *Zones {
	z, err := openZones(embeddedRules)
	if err != nil {
		z = &Zones{} // knows UTC only; a test loads every zone
	}
	z.version = strings.TrimSpace(embeddedRelease)
	return z
})

// ReadZones reads rules in the form of Go's lib/time/zoneinfo.zip: a zip archive with one compiled zone
// per entry. An entry VERSION, or the first line of an entry tzdata.zi, may name the IANA release. Errors
// wrap ErrZoneRules.
func ReadZones(archive []byte) (*Zones, error) {
	z, err := openZones(archive)
	if err != nil {
		return nil, err
	}
	digest, err := z.digest()
	if err != nil {
		return nil, err
	}
	if own, err := embeddedDigest(); err == nil && own == digest {
		return EmbeddedZones(), nil
	}
	z.version = z.release() + "+" + digest
	return z, nil
}

var embeddedDigest = sync.OnceValues(func() (string, error) { return EmbeddedZones().digest() })

func openZones(archive []byte) (*Zones, error) {
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, fmt.Errorf("%w: not a zip archive such as lib/time/zoneinfo.zip of a Go release: %w", ErrZoneRules, err)
	}
	z := &Zones{files: map[string]*zip.File{}}
	for _, f := range r.File {
		if !f.FileInfo().IsDir() {
			z.files[f.Name] = f
		}
	}
	if len(z.files) > maxZones {
		return nil, fmt.Errorf("%w: %d entries, at most %d are allowed", ErrZoneRules, len(z.files), maxZones)
	}
	if len(archive) > 0 && !z.has("Europe/London") {
		return nil, fmt.Errorf("%w: the archive has no zone Europe/London at its top", ErrZoneRules)
	}
	return z, nil
}

func (z *Zones) has(name string) bool {
	_, ok := z.Location(name)
	return ok
}

// Version names the rules: the IANA release such as "2026a" for embedded ones; for those that were read
// the release, if they name it, a plus sign and a digest of their contents. Two sets with one version are
// the same. Those that are read and equal the embedded ones are the embedded ones.
func (z *Zones) Version() string { return z.version }

// Location returns the zone of that IANA name. Names that depend on the host ("Local", "") and zones that
// count leap seconds are not understood.
func (z *Zones) Location(name string) (*time.Location, bool) {
	if name == "UTC" {
		return time.UTC, true
	}
	if zone, ok := z.loaded.Load(name); ok {
		return zone.(*time.Location), true
	}
	lower := strings.ToLower(name)
	if lower == "local" || lower == "localtime" || strings.HasPrefix(lower, "right/") {
		return nil, false
	}
	data, err := z.read(name)
	if err != nil {
		return nil, false
	}
	zone, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		return nil, false
	}
	z.loaded.Store(name, zone)
	return zone, true
}

// read returns an entry of the archive.
func (z *Zones) read(name string) ([]byte, error) {
	f, ok := z.files[name]
	if !ok {
		return nil, fmt.Errorf("%w: no entry %.64q", ErrZoneRules, name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: entry %q: %w", ErrZoneRules, name, err)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxZoneFile+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("%w: entry %q: %w", ErrZoneRules, name, err)
	}
	if len(data) > maxZoneFile {
		return nil, fmt.Errorf("%w: entry %q: more than %d bytes", ErrZoneRules, name, maxZoneFile)
	}
	return data, nil
}

// digest is the same for archives with the same entries, however they are packed.
func (z *Zones) digest() (string, error) {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(z.files)) {
		data, err := z.read(name)
		if err != nil {
			return "", err
		}
		one := sha256.Sum256(data)
		fmt.Fprintf(sum, "%s\n%x\n", name, one)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

var releaseForm = regexp.MustCompile(`^[0-9]{4}[a-z]{1,2}$`)

// release is the IANA release that an archive names, or "".
func (z *Zones) release() string {
	for _, name := range []string{"VERSION", "+VERSION", "tzdata.zi"} {
		data, err := z.read(name)
		if err != nil {
			continue
		}
		line, _, _ := strings.Cut(string(data), "\n")
		line = strings.TrimSpace(strings.TrimPrefix(line, "# version "))
		if releaseForm.MatchString(line) {
			return line
		}
	}
	return ""
}

// NewerZones reports whether the rules of one version come from a later IANA release than those of
// another. It is false when either version names no release.
func NewerZones(version, than string) bool {
	a, _, _ := strings.Cut(version, "+")
	b, _, _ := strings.Cut(than, "+")
	if !releaseForm.MatchString(a) || !releaseForm.MatchString(b) {
		return false
	}
	if a[:4] == b[:4] && len(a) != len(b) { // 2026z is followed by 2026za
		return len(a) > len(b)
	}
	return a > b
}

var inUse atomic.Pointer[Zones]

// UseZones makes this process compile triggers by the given rules in place of the embedded ones. Call it
// before the first trigger is parsed: those that were keep the rules they have.
func UseZones(z *Zones) { inUse.Store(z) }

// ZonesInUse returns the rules by which this process compiles triggers.
func ZonesInUse() *Zones {
	if z := inUse.Load(); z != nil {
		return z
	}
	return EmbeddedZones()
}

// loadZone returns the zone of that IANA name by the rules in use.
func loadZone(name string) (*time.Location, bool) { return ZonesInUse().Location(name) }
