# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# For the scripts next to this one, which source it: what a clean Debian or Ubuntu lacks is installed as root, and `python`
# names the Python to use. Elsewhere nothing is installed, and the targets say what is missing.

may_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# Go builds what the tests need of a newer containerd, and actionlint. Debian's may be too old for that, and PyPI has one.
ensure_go() {
    local minor=0
    if command -v go >/dev/null; then
        minor=$(go env GOVERSION | sed -nE 's/^go1\.([0-9]+).*/\1/p')
    fi
    if [ "${minor:-0}" -lt 25 ]; then
        make --no-print-directory venv PYTHON="$python"
        .venv/bin/pip install --quiet --disable-pip-version-check -r requirements/go.txt
    fi
}

if may_install; then
    missing=()
    for package in git make python3-venv; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        apt-get update -qq
        install "${missing[@]}"
    fi
fi

# Debian builds its Python with profile-guided optimisation, which other builds on a machine often lack: it takes a sixth
# less time for all of this. The pinned ansible-core needs 3.11.
python=python3
if /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=/usr/bin/python3
fi
export python
