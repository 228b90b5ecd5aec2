package trigger_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/trigger"
)

// archive is a zip file with the given entries.
func archive(t *testing.T, entries map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, data := range entries {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rules are the entries of the embedded archive.
func rules(t *testing.T) map[string][]byte {
	t.Helper()
	r, err := zip.OpenReader("zoneinfo/zoneinfo.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := map[string][]byte{}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if all[f.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestEmbeddedZonesAreWhole(t *testing.T) {
	z := trigger.EmbeddedZones()
	if v := z.Version(); !regexp.MustCompile(`^20[0-9]{2}[a-z]{1,2}$`).MatchString(v) {
		t.Errorf("the embedded rules are version %q, want an IANA release", v)
	}
	all := rules(t)
	if len(all) < 590 {
		t.Errorf("%d zones are embedded, want those of a whole release", len(all))
	}
	for name := range all {
		zone, ok := z.Location(name)
		if !ok || zone.String() != name {
			t.Errorf("zone %s: got %v, %v", name, zone, ok)
		}
	}
	for _, name := range []string{"", "Local", "local", "localtime", "right/UTC", "../etc/passwd", "/etc/localtime", "Europe", "europe/berlin", strings.Repeat("x", 1000)} {
		if zone, ok := z.Location(name); ok {
			t.Errorf("name %q gives the zone %v", name, zone)
		}
	}
}

// TestTheHostHasNoPartInZones runs itself under a ZONEINFO by which Berlin has the clock of New York.
func TestTheHostHasNoPartInZones(t *testing.T) {
	const doc = `{"type":"cron","expr":"0 9 * * *","timezone":"Europe/Berlin"}`
	if os.Getenv("CARILLON_TEST_ZONES") == "child" {
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		if _, offset := time.Unix(1_700_000_000, 0).In(berlin).Zone(); offset != -5*3600 {
			t.Fatalf("Go itself has offset %d for Berlin: the environment of this test has no effect", offset)
		}
		next := mustParse(t, doc).Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		if want := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC); !next.Equal(want) {
			t.Fatalf("the next time is %v, want %v", next, want)
		}
		return
	}
	all := rules(t)
	all["Europe/Berlin"] = all["America/New_York"]
	file := t.TempDir() + "/zoneinfo.zip"
	if err := os.WriteFile(file, storedArchive(t, all), 0o600); err != nil {
		t.Fatal(err)
	}
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	self.Env = append(os.Environ(), "CARILLON_TEST_ZONES=child", "ZONEINFO="+file, "TZ=Asia/Tokyo")
	if out, err := self.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// storedArchive is a zip file without compression, the only kind that package time reads.
func storedArchive(t *testing.T, entries map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Store, func(out io.Writer) (io.WriteCloser, error) { return nopCloser{out}, nil })
	for name, data := range entries {
		f, err := w.CreateRaw(&zip.FileHeader{
			Name: name, Method: zip.Store, CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data)),
		})
		if err == nil {
			_, err = f.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func TestReadZones(t *testing.T) {
	all := rules(t)
	same, err := trigger.ReadZones(archive(t, all))
	if err != nil || same != trigger.EmbeddedZones() {
		t.Errorf("the embedded rules, packed otherwise: %v, %v; want them to be the embedded ones", same, err)
	}
	all["Europe/Berlin"] = all["America/New_York"]
	other, err := trigger.ReadZones(archive(t, all))
	if err != nil {
		t.Fatal(err)
	}
	again, err := trigger.ReadZones(archive(t, all))
	if err != nil || again.Version() != other.Version() || !strings.HasPrefix(other.Version(), "+") {
		t.Errorf("versions %q and %q, %v; want one version of unknown release", other.Version(), again.Version(), err)
	}
	for name, entry := range map[string]string{"VERSION": "2099b\n", "tzdata.zi": "# version 2099b\nR ...\n"} {
		all[name] = []byte(entry)
		named, err := trigger.ReadZones(archive(t, all))
		delete(all, name)
		if err != nil || !strings.HasPrefix(named.Version(), "2099b+") {
			t.Errorf("with %s: version %q, %v", name, named.Version(), err)
		}
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "no archive": []byte("TZif2"), "no zones": archive(t, map[string][]byte{"VERSION": []byte("2099b")}),
		"no rules in a zone": archive(t, map[string][]byte{"Europe/London": []byte("TZif2")}),
		"a zone of 2 MiB":    archive(t, map[string][]byte{"Europe/London": all["Europe/London"], "A/B": make([]byte, 2<<20)}),
	} {
		if _, err := trigger.ReadZones(bad); !errors.Is(err, trigger.ErrZoneRules) {
			t.Errorf("%s: error %v, want ErrZoneRules", name, err)
		}
	}
}

func TestNewerZones(t *testing.T) {
	for _, test := range []struct {
		version, than string
		want          bool
	}{
		{"2026b", "2026a", true},
		{"2026a", "2026b", false},
		{"2026a", "2026a", false},
		{"2027a", "2026z", true},
		{"2026za", "2026z", true},
		{"2026z", "2026za", false},
		{"2026b+0123", "2026a", true},
		{"2026a+0123", "2026a", false},
		{"+0123", "2026a", false},
		{"2026a", "+0123", false},
		{"2026a", "", false},
		{"", "", false},
	} {
		if got := trigger.NewerZones(test.version, test.than); got != test.want {
			t.Errorf("NewerZones(%q, %q) = %v", test.version, test.than, got)
		}
	}
}

func FuzzReadZones(f *testing.F) {
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, data []byte) {
		z, err := trigger.ReadZones(data)
		if (err == nil) == (z == nil) || err != nil && !errors.Is(err, trigger.ErrZoneRules) {
			t.Fatalf("zones %v, error %v", z, err)
		}
	})
}

func BenchmarkZone(b *testing.B) {
	z := trigger.EmbeddedZones()
	for b.Loop() {
		z.Location("Europe/Berlin")
	}
}
