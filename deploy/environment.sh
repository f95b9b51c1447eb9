#!/bin/sh
# environment.sh run|dev: makes the Python environment below ROZVODNA_HOME from the lock of that name, if it is not there yet.
# Only wheels whose hashes stand in the lock are installed; the project itself is put on the path, not built.
set -eu

kind=$1
top=$(cd "$(dirname "$0")/.." && pwd)
home=${ROZVODNA_HOME:-$top/.rozvodna}
venv=$home/venv
locks=$top/deploy/locks

state_of() { printf '%s %s' "$(cksum <"$locks/$1.lock")" "$top"; }
current() { [ -x "$venv/bin/python" ] && [ "$(cat "$venv/$1.stamp" 2>/dev/null)" = "$(state_of "$1")" ]; }

current "$kind" && exit 0

if [ ! -d "$home" ]; then
  mkdir -p "$home"
  : >"$home/made-by-rozvodna" # what `make clean` may remove as a whole
fi
# Two calls of make at once: the second waits for the first.
if command -v flock >/dev/null; then
  exec 9>"$home/environment.lock"
  flock 9
  current "$kind" && exit 0
fi

find_python() {
  for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1 && { echo "$candidate"; return; }
      without_venv=$candidate
    fi
  done
  if [ -n "${without_venv:-}" ]; then
    echo "$without_venv has no venv. Install it (Debian: the package python3-venv), then call make again." >&2
  else
    echo "Python 3.11 or later is needed and was not found as ${PYTHON:-python3.13, python3.12, python3.11 or python3}." \
      "Install it, or name it: make PYTHON=/path/to/python3 ..." >&2
  fi
  return 1
}

echo "Making the Python environment in $venv ($kind) ..." >&2
if ! "$venv/bin/python" -c 'import pip' >/dev/null 2>&1; then
  python=$(find_python)
  rm -rf "$venv"
  "$python" -m venv "$venv"
fi
rm -f "$venv/run.stamp" "$venv/dev.stamp"
"$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check --no-deps --only-binary :all: \
  --require-hashes --requirement "$locks/$kind.lock"

packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' "$top" >"$packages/rozvodna-source.pth"
# The first line of a script that names its interpreter may not be long, so the shell starts it.
printf '#!/bin/sh\nexec "%s/bin/python" -m deploy.cli "$@"\n' "$venv" >"$venv/bin/rozvodna"
chmod 755 "$venv/bin/rozvodna"

# What the run lock holds, the dev lock holds in the same version.
state_of run >"$venv/run.stamp"
if [ "$kind" = dev ]; then state_of dev >"$venv/dev.stamp"; fi
