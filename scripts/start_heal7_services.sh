#!/usr/bin/env bash
# Brings up the whole HEAL7 system: the hub on 8015 and its five services on 8010-8014.
# The same as `make up`, from any folder. Arguments go to `heal7 up`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec make --no-print-directory up ARGS="$*"
