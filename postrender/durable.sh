#!/bin/sh
# The one door: Helm 3 calls it by path, Helm 4 as the plugin's command, people and pipelines by hand.
set -eu

# Its own folder, also through symlinks (helm plugin install makes one).
case $0 in
  */*) self=$0 ;;
  *) self=./$0 ;;
esac
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=${self%/*}/$link ;;
  esac
done
here=${self%/*}
case $here in
  /*) ;;
  *) here=$PWD/$here ;;
esac

has_yaml() {
  "$1" -I -c 'import sys, yaml._yaml; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

fail() {
  printf '%s\n' "$1" >&2
  # Helm 4 drops stderr; it quotes a separator that it cannot read (see durable/__main__.py).
  if [ "${HELM_PLUGIN_NAME:-}" = durable ]; then
    printf 'refused: true\n--- %s\n' "$1"
    exit 0
  fi
  exit 2
}

# -I: no user site, no PYTHON* variables of somebody else's project. A venv's packages are named by
# their folder, so that -S may leave out the search for them (a twentieth of a run).
pick_python() {
  flags=-I
  site=
  python=${DURABLE_PYTHON:-}
  if [ -n "$python" ]; then
    command -v "$python" >/dev/null 2>&1 && return
    fail "durable: DURABLE_PYTHON=$python is no program: name a Python 3.11 or newer, or unset it"
  fi
  for venv in "$here/.venv" "$here/../.venv"; do
    python=$venv/bin/python
    for site in "$venv"/lib/python3.*/site-packages; do
      if [ -x "$python" ] && [ -d "$site/yaml" ]; then
        flags=-IS
        return
      fi
    done
  done
  site=
  for python in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if command -v "$python" >/dev/null 2>&1 && has_yaml "$python"; then
      return
    fi
  done
  fail "durable: no Python 3.11 or newer with PyYAML and libyaml was found: run 'make setup' in the project, or: python3 -m venv '$here/.venv' && '$here/.venv/bin/pip' install -r '$here/requirements.txt'"
}

# Python would die of it, before a line of ours.
if [ -d /dev/stdin ]; then
  fail "durable: stdin is a folder: pipe a rendered stream in, as in helm template ... | durable.sh"
fi
pick_python
exec "$python" "$flags" -c 'import sys
sys.path[:0] = filter(None, (sys.argv.pop(1), sys.argv.pop(1)))
from durable.__main__ import run_as_program
run_as_program()' "$here" "$site" "$@"
