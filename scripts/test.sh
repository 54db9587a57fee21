#!/usr/bin/env bash
# Sets up what the tests need on a bare Debian, then runs every test. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  packages=()
  command -v chromium >/dev/null || packages+=(chromium)
  command -v docker-compose >/dev/null || packages+=(docker-compose)
  # Several hubs share their runs in it; the tests start clusters of their own.
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || packages+=(postgresql)
  # The README's own examples call it.
  command -v curl >/dev/null || packages+=(curl)
  # Playwright's driver is a program that needs it, and its wheel cannot say so.
  [ -n "$(ldconfig -p | grep 'libatomic\.so\.1')" ] || packages+=(libatomic1)
  [ -n "$(fc-list : family 2>/dev/null | grep -i nanum)" ] || packages+=(fontconfig fonts-nanum)
  # What paperwork-service's image gets by its packages.txt; its own tests run on the host.
  [ -n "$(tesseract --list-langs 2>/dev/null | grep '^kor$')" ] ||
    packages+=(tesseract-ocr tesseract-ocr-kor)
  if [ ${#packages[@]} -gt 0 ]; then
    echo "installing ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    if ! { apt-get -q update && apt-get -q install -y --no-install-recommends "${packages[@]}"; } \
      </dev/null >"$log" 2>&1; then
      tail -20 "$log" >&2
      exit 1
    fi
    rm -f "$log"
  fi
fi

.venv/bin/heal7 setup
# testcontainers' reaper is an image of a registry, which may not be reachable; tests clean up.
export TESTCONTAINERS_RYUK_DISABLED=true
suites=(tests)
for suite in images/*/tests; do
  if compgen -G "$suite/test_*.py" >/dev/null; then suites+=("$suite"); fi
done
# What needs the engine mostly waits: the rest is done beside it (tests/conftest.py).
workers=(-n 2 --dist loadscope --no-loadscope-reorder)
exec .venv/bin/python -m pytest "${workers[@]}" "${suites[@]}" "$@" </dev/null
