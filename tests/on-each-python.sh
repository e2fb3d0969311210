#!/usr/bin/env bash
# Runs the tests that start no server on each supported Python after .python-version's that is found on PATH or in pyenv.
# Usage: UV=uv on-each-python.sh [pytest's options]     In CI, REQUIRED must be found.
set -euo pipefail
REQUIRED=3.13

interpreter() {
    local candidate
    for candidate in "python$1" "$(pyenv root 2>/dev/null)"/versions/"$1".*/bin/"python$1"; do
        "$candidate" -c 'import sys; print(sys.executable)' 2>/dev/null && return
    done
    return 1
}

for version in 3.13 3.14; do
    if ! python=$(interpreter $version); then
        echo "== no Python $version is installed"
        [ -z "${CI:-}" ] || [ $version != $REQUIRED ] || { echo "Python $version is required in CI" >&2; exit 1; }
        continue
    fi
    environment=.venv-$version
    echo "== tests without servers, on Python $version"
    "$UV" venv --quiet --allow-existing --python "$python" $environment
    "$UV" pip sync --quiet --compile-bytecode --python $environment/bin/python --require-hashes locks/dev.lock
    "$UV" pip install --quiet --python $environment/bin/python --no-deps --editable .
    $environment/bin/pytest -m "not server" "$@"
done
