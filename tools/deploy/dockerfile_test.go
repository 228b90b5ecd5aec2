package deploy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// stages returns the Dockerfile's instructions per build stage, comments left out and continued
// lines joined; what precedes the first FROM is stage 0.
func stages(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	all := []string{""}
	for line := range strings.Lines(joined) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if strings.HasPrefix(line, "FROM ") {
			all = append(all, "")
		}
		all[len(all)-1] += line
	}
	return all
}

func TestDockerfile(t *testing.T) {
	all := stages(t)
	if len(all) != 3 {
		t.Fatalf("%d build stages, want 2", len(all)-1)
	}
	tests := []struct{ name, stage, pattern string }{
		{"the toolchain can be replaced", all[0], `(?m)^ARG GO_IMAGE=golang:1\.26$`},
		{"the base is empty by default", all[0], `(?m)^ARG RUN_IMAGE=scratch$`},
		{"the toolchain comes from the argument", all[1], `(?m)^FROM \$\{GO_IMAGE\} AS build$`},
		{"the binary is static", all[1], `(?m)^RUN CGO_ENABLED=0 go build -trimpath .*\./cmd/carillon$`},
		{"the base comes from the argument", all[2], `(?m)^FROM \$\{RUN_IMAGE\}$`},
		{"certificates are there", all[2], `(?m)^COPY --from=build /etc/ssl/certs/ca-certificates\.crt `},
		{"nothing runs as root", all[2], `(?m)^USER 65532:65532$`},
		{"the probe needs no shell", all[2], `(?m)^HEALTHCHECK .*CMD \["/carillon", "health"\]$`},
		{"the program needs no shell", all[2], `(?m)^ENTRYPOINT \["/carillon"\]$`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !regexp.MustCompile(tt.pattern).MatchString(tt.stage) {
				t.Errorf("no line matches %s in:\n%s", tt.pattern, tt.stage)
			}
		})
	}
	if regexp.MustCompile(`(?m)^(RUN|SHELL|ADD) `).MatchString(all[2]) {
		t.Errorf("the final stage runs or adds something:\n%s", all[2])
	}
}
