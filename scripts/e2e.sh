#!/usr/bin/env bash
# Usage: scripts/e2e.sh KILLS PATTERN TIMEOUT
# Runs the end-to-end tests that match PATTERN; the one that kills leaders kills KILLS of them.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! compgen -G 'test/e2e/*_test.go' >/dev/null; then
  echo "e2e: test/e2e has no tests" >&2
  exit 1
fi
CARILLON_E2E_KILLS=$1 exec "${GO:-go}" test -count=1 -run "$2" -timeout "$3" ./test/e2e
