#!/usr/bin/env bash
# Rewrites every lock file from its inputs, hashes included and addresses left out:
#   scripts/refresh_locks.sh              keep the pinned versions, add and drop what changed
#   scripts/refresh_locks.sh --upgrade    take the newest versions the inputs allow
# The images run Python 3.13; the hub's own environments run 3.11 and newer. A service's lock leaves
# out what the services' base image has, pinned to the same versions.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=.venv/bin/uv
if [ ! -x "$uv" ]; then
  tools=$(mktemp -d)
  trap 'rm -rf "$tools"' EXIT
  python3 -m venv "$tools/venv"
  "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
  uv=$tools/venv/bin/uv
fi

compile() { # OUTPUT ARGUMENT...
  local output=$1
  shift
  echo "$output"
  "$uv" pip compile --quiet --generate-hashes --no-header --output-file "$output" "$@"
}

everywhere=(--universal --python-version 3.11 "${@}")
in_images=(--python-version 3.13 --python-platform linux --no-build "${@}")

compile requirements/build.txt "${everywhere[@]}" requirements/build.in
compile requirements/hub.txt "${everywhere[@]}" pyproject.toml
# The services' own tests run in the development environment, so it holds what they need too.
compile requirements/dev.txt "${everywhere[@]}" --extra dev --constraints requirements/hub.txt \
  pyproject.toml images/*-service/requirements.in
compile images/base/requirements.txt "${in_images[@]}" images/base/requirements.in

shared=()
while IFS= read -r name; do
  shared+=(--no-emit-package "$name")
done < <(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/\1/p' images/base/requirements.txt)
for input in images/*-service/requirements.in; do
  compile "${input%.in}.txt" "${in_images[@]}" "${shared[@]}" \
    --constraints images/base/requirements.txt "$input"
done
