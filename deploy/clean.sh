#!/bin/sh
# clean.sh: stops the stacks of ROZVODNA_HOME, then removes state and results. A folder of another name that somebody else
# made keeps what is not ours.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
home=${ROZVODNA_HOME:-$top/.rozvodna}

if [ -d "$home/stack" ]; then
  sh "$top/deploy/environment.sh" run
  (cd "$top" && "$home/venv/bin/python" -m deploy.cli stack remove)
fi
if [ "$(basename "$home")" = .rozvodna ] || [ -e "$home/made-by-rozvodna" ]; then
  rm -rf "$home"
else
  rm -rf "$home/stack" "$home/venv" "$home/tools" "$home/peers"
fi
cd "$top"
rm -rf build ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
