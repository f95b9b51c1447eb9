#!/bin/sh
# make.sh [--upgrade]: writes run.lock and dev.lock from pyproject.toml, peers.lock from peers.in: every Python from 3.11 on,
# every platform, hashes, no addresses.
# uv is a tool of this script only and lies in an environment of its own.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
tools=${ROZVODNA_HOME:-$top/.rozvodna}/tools

if ! uv=$(command -v uv); then
  uv=$tools/bin/uv
  [ -x "$uv" ] || { python3 -m venv "$tools" && "$tools/bin/python" -m pip install --quiet --disable-pip-version-check uv; }
fi

compile() {
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links "$@"
}
compile "$@" --extra sandbox --output-file deploy/locks/run.lock pyproject.toml
compile "$@" --extra dev --constraint deploy/locks/run.lock --output-file deploy/locks/dev.lock pyproject.toml
compile "$@" --output-file deploy/locks/peers.lock deploy/locks/peers.in
