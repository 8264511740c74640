# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that K3s knows, the keys that this collection adds, and what other words for them people write.

Source of the keys: rancher/wharfie `pkg/registries/types.go`, the structs into which K3s decodes registries.yaml.
"""

from __future__ import annotations

import re

from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.stated import KEY

TOP = ("mirrors", "configs")
MIRROR = ("endpoint", "rewrite")
HOST = ("auth", "tls")
AUTH = ("username", "password", "auth", "identity_token")
TLS_FILES = ("ca_file", "cert_file", "key_file")
INSECURE = "insecure_skip_verify"
TLS = (*TLS_FILES, INSECURE)

#: The keys under `tls` by which the collection's variable says what to ship to the nodes, by K3s' own key.
SHIPPED = {
    "ca_file": ("ca_src", "ca_content"),
    "cert_file": ("cert_src", "cert_content"),
    "key_file": ("key_src", "key_content"),
}
SHIPPING = tuple(key for keys in SHIPPED.values() for key in keys)
#: The key under `auth` by which the variable says when credentials end.
STATED = (KEY,)

#: Words seen in issues and in other tools' files, by what was meant. Compared in lower case without `_` and `-`.
SYNONYMS = {
    "mirror": "mirrors",
    "registries": "mirrors",
    "config": "configs",
    "configuration": "configs",
    "endpoints": "endpoint",
    "url": "endpoint",
    "urls": "endpoint",
    "rewrites": "rewrite",
    "authentication": "auth",
    "credentials": "auth",
    "user": "username",
    "login": "username",
    "pass": "password",
    "passwd": "password",
    "refreshtoken": "identity_token",
    "ca": "ca_file",
    "cacert": "ca_file",
    "cacertfile": "ca_file",
    "cafile": "ca_file",
    "cert": "cert_file",
    "clientcert": "cert_file",
    "certificate": "cert_file",
    "key": "key_file",
    "clientkey": "key_file",
    "insecure": INSECURE,
    "skipverify": INSECURE,
    "skiptlsverify": INSECURE,
    "insecureskipverify": INSECURE,
    "insecureskiptlsverify": INSECURE,
}


def synonym(key: str) -> str:
    """What K3s calls that which people call `key`, "" if nothing of the kind is known."""
    return SYNONYMS.get(re.sub("[_-]", "", key.lower()), "")
