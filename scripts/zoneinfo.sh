#!/usr/bin/env bash
# Usage: scripts/zoneinfo.sh
# Copies the time zone rules of the Go toolchain, which are in the public domain, into trigger/zoneinfo,
# with the name of their IANA release. Run it after a Go release brings newer rules (go generate ./trigger
# does), and commit both files: the release is what nodes compare.
set -euo pipefail
cd "$(dirname "$0")/../trigger/zoneinfo"

from=$("${GO:-go}" env GOROOT)/lib/time
release=$(sed -n 's/^DATA=\([0-9]\{4\}[a-z]\{1,2\}\)$/\1/p' "$from/update.bash")
[ -n "$release" ] || { echo "zoneinfo: $from/update.bash names no release" >&2; exit 1; }
cp "$from/zoneinfo.zip" zoneinfo.zip
chmod 644 zoneinfo.zip
echo "$release" >RELEASE
echo "zoneinfo: rules of release $release"
