#!/usr/bin/env bash
# Usage: scripts/fuzz.sh FUZZTIME
# Runs every fuzz function of the module for FUZZTIME, one after another.
set -euo pipefail
cd "$(dirname "$0")/.."

found=0
while IFS=: read -r file line; do
  name=${line#func }
  name=${name%%(*}
  found=$((found + 1))
  echo "fuzz: $name in ./$(dirname "$file") for $1"
  "${GO:-go}" test -run '^$' -fuzz "^$name\$" -fuzztime "$1" "./$(dirname "$file")" </dev/null
done < <(git grep --untracked -E '^func Fuzz[A-Z0-9_][A-Za-z0-9_]*\(' -- '*_test.go' ':!bench' ':!tools')
echo "fuzz: ran $found functions"
