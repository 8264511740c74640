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

# Whether Go is there, and can be trusted with modules that want a newer one: from 1.21 on it fetches that by itself.
has_go() {
    local minor
    minor=$(go env GOVERSION 2>/dev/null | sed -nE 's/^go1\.([0-9]+).*/\1/p')
    [ "${minor:-0}" -ge 21 ]
}

# Debian 12 has Go 1.19, and 1.23 in its backports.
ensure_go() {
    # Debian's Go fetches no newer one unless it is told to.
    export GOTOOLCHAIN="${GOTOOLCHAIN:-auto}"
    if has_go || ! may_install; then
        return
    fi
    apt-get update -qq
    if [ "$(. /etc/os-release && echo "$VERSION_CODENAME")" != bookworm ]; then
        install golang-go ca-certificates
        return
    fi
    echo "Debian 12 has a Go that is too old: adding its backports"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-backports main" \
        >/etc/apt/sources.list.d/k3sfleet-backports.list
    apt-get update -qq
    install --target-release bookworm-backports golang-go ca-certificates
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
