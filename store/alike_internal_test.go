package store

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/carillon-project/carillon/job"
)

// written is the record of a job as it is stored, alike to those with other ids, args and times.
func written(t testing.TB, id, args string, created int64, change ...func(*Record)) string {
	t.Helper()
	r := Record{Job: job.Job{ID: id, Task: "t", Trigger: []byte(`{"type":"interval","every":"1s"}`)}, Created: created}
	if args != "" {
		r.Job.Args = []byte(args)
	}
	for _, c := range change {
		c(&r)
	}
	value, err := Entry{Record: r}.encode()
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(value, "\n")
	return text
}

func TestAlikeRecordsAreDecodedOnce(t *testing.T) {
	given := func(r *Record) { r.Given = []byte(`{"every":"1s"}`) }
	named := func(r *Record) { r.Job.Name = `","args":{"a":1}` }
	labels := func(r *Record) { r.Job.Labels = map[string]string{"args": "x", "created": "1"} }
	asked := func(r *Record) { r.Asked = 5 }
	tests := []struct {
		name          string
		first, second string // the second is of the job b
		known         bool   // the second, by the first
	}{
		{"id and time differ", written(t, "a", "", 1), written(t, "b", "", 22), true},
		{"args differ", written(t, "a", `{"x":1}`, 1), written(t, "b", `[{"y":"}]\"","z":{}},2]`, 1), true},
		{"args are a text", written(t, "a", `"x"`, 1), written(t, "b", `",}"`, 1), true},
		{"the trigger was given in another form", written(t, "a", `1`, 1, given), written(t, "b", `2`, 1, given), true},
		{"a name looks like args", written(t, "a", `1`, 1, named), written(t, "b", `2`, 1, named), true},
		{"labels are called args and created", written(t, "a", "", 1, labels), written(t, "b", "", 1, labels), true},
		{"one has no args", written(t, "a", "", 1), written(t, "b", `1`, 1), false},
		{"one has labels", written(t, "a", "1", 1), written(t, "b", `1`, 1, labels), false},
		{"a time was asked for", written(t, "a", "1", 1, asked), written(t, "b", `1`, 1, asked), false},
		{"the args are no JSON", written(t, "a", "1", 1), strings.Replace(written(t, "b", `"77"`, 1), `"77"`, `{7}`, 1), false},
		{"the args are empty", written(t, "a", "1", 1), strings.Replace(written(t, "b", `"77"`, 1), `"77"`, ``, 1), false},
		{"the time is no number", written(t, "a", "1", 1), strings.Replace(written(t, "b", "1", 77), `77`, `07`, 1), false},
		{"the id is another", written(t, "a", "1", 1), written(t, "c", "1", 1), false},
		{"not written by us", strings.Replace(written(t, "a", "1", 1), `{"job"`, `{ "job"`, 1), strings.Replace(written(t, "b", "1", 1), `{"job"`, `{ "job"`, 1), false},
		{"two ids", strings.Replace(written(t, "a", "1", 1), `"task"`, `"id":"a","task"`, 1), strings.Replace(written(t, "b", "1", 1), `"task"`, `"id":"a","task"`, 1), false},
		{"cut off", written(t, "a", "1", 1), strings.TrimSuffix(written(t, "b", "1", 1), "}"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var a alike
			if _, err := a.record("a", tt.first); err != nil {
				t.Fatal(err)
			}
			asked := a.asked
			wantSame(t, &a, "b", tt.second)
			_, alone := decodeRecord("b", tt.second)
			if _, _, _, ok := cutRecord("b", tt.second); alone == nil && (ok && a.asked == asked) != tt.known {
				t.Errorf("known %v, want %v", !tt.known, tt.known)
			}
		})
	}
}

// wantSame asks that a record is decoded as if nothing were known.
func wantSame(t rapid.TB, a *alike, id, text string) {
	t.Helper()
	want, wantErr := decodeRecord(id, text)
	got, err := a.record(id, text)
	if (err == nil) != (wantErr == nil) || err != nil && !errors.Is(err, ErrUnreadable) {
		t.Fatalf("%s: error %v, want %v", text, err, wantErr)
	}
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(job.NextRun{}), cmpopts.IgnoreFields(Record{}, "Alike")); d != "" {
		t.Errorf("%s: (-alone +alike)\n%s", text, d)
	}
}

func TestAlikeDecodesAsAlone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var a alike
		for i := range rapid.IntRange(1, 40).Draw(rt, "records") {
			id := rapid.SampledFrom([]string{"a", "b<", `c"`, `d\u0041`, "é", `x","task":"u`}).Draw(rt, "id")
			args := rapid.SampledFrom([]string{"", "1", `{"id":"a","args":{"created":3}}`, `"\\\",\"created\":5}"`, "[[]]"}).Draw(rt, "args")
			text := written(t, id, args, int64(i), func(r *Record) {
				r.Job.Name = rapid.SampledFrom([]string{"", `n","args":`, `"created":1}`}).Draw(rt, "name")
				r.Job.Description = rapid.SampledFrom([]string{"", `,"args":1`}).Draw(rt, "description")
				r.Asked = rapid.Int64Range(0, 1).Draw(rt, "asked")
			})
			if rapid.IntRange(0, 4).Draw(rt, "spoil") == 0 {
				at := rapid.IntRange(0, len(text)-1).Draw(rt, "at")
				text = text[:at] + rapid.SampledFrom([]string{"", " ", "x", `"`, "}", ",", "0", `"id":"a",`}).Draw(rt, "by") + text[at+1:]
			}
			wantSame(rt, &a, id, text)
		}
	})
}

func TestAlikeIsBounded(t *testing.T) {
	var a alike
	for i := range 20 * alikeShapes {
		text := written(t, "a", "", 1, func(r *Record) { r.Job.Description = strconv.Itoa(i) })
		if _, err := a.record("a", text); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(a.known); n == 0 || n > alikeShapes {
		t.Errorf("%d shapes are known, at most %d may be", n, alikeShapes)
	}
	long := written(t, "a", "", 1, func(r *Record) { r.Job.Description = strings.Repeat("x", alikeLongest) })
	known := len(a.known)
	for range alikeEvery {
		if _, err := a.record("a", long); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.known) != known {
		t.Errorf("a record of %d bytes is kept", len(long))
	}
}

func BenchmarkRecord(b *testing.B) {
	text := "1 0199aa11-2222-4333-8444-555555555555 0 0 1700000000000 0 a \n" + written(b, "job-000001", `{"tenant":42}`, 1700000000000)
	for _, c := range []struct {
		name   string
		decode func(id, text string) (Record, error)
	}{{"alone", decodeRecord}, {"alike", new(alike).record}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeWith(c.decode, "job-000001", text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
