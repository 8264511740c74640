# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate files of a node: what is public of them, and whether a key belongs to its certificate.

Keys never leave the node, sealed or not.
"""

from __future__ import annotations

import os
import re
import ssl
from typing import Any, Iterable

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import client_pair, files

# Where registries.yaml names a file, in block style, in flow style, quoted or not. It only saves a second look at
# the node: what the controller's decoder finds beside it is asked for by name.
_NAMED = re.compile(r"[\"']?(ca_file|cert_file|key_file)[\"']?\s*:\s*[\"']?(/[^\s\"',}#]+)")
_IN_HOSTS_TOML = re.compile(r"^[ \t]*(ca|client)[ \t]*=[ \t]*(\[.*\])[ \t\r]*$", re.MULTILINE)
_QUOTED = re.compile(r'"(/[^"]*)"')
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_LARGEST = 1 << 20
_MOST_PAIRS = 64


def named_files(registries_yaml: str, hosts_toml: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The certificate files that registries.yaml and the generated files seem to name, and every pair of a client
    certificate and a key that they could mean."""
    certificates: list[str] = []
    clients: list[str] = []
    keys: list[str] = []
    for kind, path in _NAMED.findall(registries_yaml):
        {"ca_file": certificates, "cert_file": clients, "key_file": keys}[kind].append(path)
    for text in hosts_toml:
        for kind, value in _IN_HOSTS_TOML.findall(text):
            quoted = _QUOTED.findall(value)
            if kind == "ca":
                certificates.extend(quoted)
            else:
                clients.extend(quoted[::2])
                keys.extend(quoted[1::2])
    pairs = [(client, key) for client in dict.fromkeys(clients) for key in dict.fromkeys(keys)]
    return list(dict.fromkeys(certificates + clients)), pairs[:_MOST_PAIRS]


def read_certificates(path: str) -> dict[str, Any]:
    """``{pem, error}``: the certificates in a file, without anything else that stands there."""
    if not os.path.isabs(path):
        return {"pem": "", "error": "the path is not absolute"}
    try:
        content = files.read(path).content
    except files.FileProblem as problem:
        return {"pem": "", "error": str(problem)}
    if content is None:
        return {"pem": "", "error": "there is no such file"}
    if not content.strip():
        return {"pem": "", "error": "the file is empty"}
    blocks = _certificates(content[:_LARGEST])
    if not blocks:
        return {"pem": "", "error": "the file holds no PEM certificate"}
    return {"pem": b"\n".join(blocks).decode("ascii", "replace"), "error": ""}


def _certificates(content: bytes) -> list[bytes]:
    """The PEM certificates in a file, found in one pass whatever else it holds."""
    blocks = []
    begin = content.find(_BEGIN)
    while begin >= 0:
        end = content.find(_END, begin)
        if end < 0:
            break
        blocks.append(content[begin : end + len(_END)])
        begin = content.find(_BEGIN, end)
    return blocks


def key_matches(certificate: str, key: str) -> bool | None:
    """Whether a private key belongs to the certificate; None if either cannot be used."""
    if not (os.path.isabs(certificate) and os.path.isabs(key)):
        return None
    try:
        client_pair.load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, key)
    except ssl.SSLError as error:
        return False if "MISMATCH" in (error.reason or "") else None
    except (OSError, ValueError, TypeError):
        return None
    return True
