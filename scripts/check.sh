#!/usr/bin/env bash
# All static checks; every one runs, and any failure fails the whole.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin
failed=()

step() { # NAME COMMAND...
  local name=$1
  shift
  printf '== %s\n' "$name"
  "$@" || failed+=("$name")
}

step "ruff check" "$bin/ruff" check .
step "ruff format" "$bin/ruff" format --check .
step "mypy hub" "$bin/mypy"
# Each service's package is checked alone, as it runs: with the shared contract beside it.
for home in images/*/; do
  packages=()
  for found in "$home"*/__init__.py; do
    name=$(basename "$(dirname "$found")")
    [ -f "$found" ] && [ "$name" != tests ] && packages+=(-p "$name")
  done
  if [ ${#packages[@]} -gt 0 ]; then
    step "mypy $(basename "$home")" env MYPYPATH="$home:images/base" "$bin/mypy" "${packages[@]}"
  fi
done
step "layers" "$bin/lint-imports" --no-logo

if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
echo "all checks passed"
