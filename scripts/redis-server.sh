#!/usr/bin/env bash
# Makes sure that a redis-server of version 7.0 or later is there, which the store's tests need, and
# installs it through the system's package manager if none is. Says what it does; starts nothing.
set -euo pipefail

say() { printf 'redis-server: %s\n' "$*"; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    say "not root and no sudo: run this yourself: $*" >&2
    return 1
  fi
}

install_redis() {
  if command -v apt-get >/dev/null; then
    say "missing; installing the package redis-server with apt-get"
    as_root apt-get update -qq
    # RUNLEVEL=1 keeps the package from starting a server: tests start their own.
    as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends redis-server </dev/null
  elif command -v apk >/dev/null; then
    say "missing; installing the package redis with apk"
    as_root apk add --no-cache redis
  elif command -v dnf >/dev/null; then
    say "missing; installing the package redis with dnf"
    as_root dnf install -y -q redis
  elif command -v brew >/dev/null; then
    say "missing; installing the formula redis with brew"
    brew install --quiet redis
  else
    say "missing, and there is no apt-get, apk, dnf or brew: install Redis 7.0 or later" >&2
    return 1
  fi
}

command -v redis-server >/dev/null || install_redis

version=$(redis-server --version | sed -n 's/.* v=\([0-9][0-9.]*\).*/\1/p')
if [ "${version%%.*}" -lt 7 ]; then
  say "version $version is too old: Carillon needs 7.0 or later" >&2
  exit 1
fi
say "version $version"
