#!/bin/sh
# Makes .venv from a lock file, or brings it up to date: environment.sh LOCK
#
# Needs only a Python 3.11 or newer (PYTHON names another than the first one found). uv is used where it can be had,
# because it is ten times faster; pip does the same work. Downloads are cached where these two keep them: ${XDG_CACHE_HOME:-~/.cache}.
set -eu
lock=$1
venv=.venv
python=$venv/bin/python

find_python() {
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
        if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    echo "evalstream: needs Python 3.11 or newer with the venv module (Debian, Ubuntu: apt-get install python3-venv)" >&2
    exit 1
}

if ! "$python" -m pip --version >/dev/null 2>&1; then
    found=$(find_python)
    echo "making $venv with $found"
    rm -rf "$venv"
    "$found" -m venv "$venv"
fi

[ -x "$venv/bin/uv" ] || "$python" -m pip install --quiet --disable-pip-version-check uv || echo "no uv, going on with pip"

install() {
    if [ -x "$venv/bin/uv" ] && "$venv/bin/uv" pip install --quiet --python "$python" "$@"; then
        return
    fi
    "$python" -m pip install --quiet --disable-pip-version-check "$@"
}

echo "installing $lock"
install --require-hashes -r "$lock"
install --no-deps --editable .
