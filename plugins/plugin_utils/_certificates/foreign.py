# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what a file without a PEM block is, and how to convert it to PEM."""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from functools import partial
from typing import Callable, NamedTuple

_PATH = re.compile(r"(?:/|\.{1,2}/|~/)?[\w@+.-]+(?:/[\w@+.-]+)*\Z")
_PATH_END = (".crt", ".pem", ".key", ".cer", ".cert", ".der", ".p12", ".pfx", ".ca")
_PKCS12_VERSION = b"\x02\x01\x03"
_PKCS7_OID = bytes.fromhex("06092a864886f70d0107")
_BY_FIRST_BYTES: tuple[tuple[bytes, str, str], ...] = (
    (b"$ANSIBLE_VAULT;", "is still encrypted with ansible-vault", "Give Ansible the vault's password."),
    (b"\xff\xfe", "is UTF-16 text", "Convert it: `iconv -f utf-16 -t utf-8 {file}`."),
    (b"\xfe\xff", "is UTF-16 text", "Convert it: `iconv -f utf-16 -t utf-8 {file}`."),
    (b"\xfe\xed\xfe\xed", "is a Java keystore", "Export PEM: `keytool -exportcert -rfc -keystore {file}`."),
    (b"PK\x03\x04", "is a ZIP archive", "Unpack it and give the PEM file in it."),
    (b"\x1f\x8b", "is compressed with gzip", "Unpack it: `gunzip {file}`."),
    (b"ssh-", "is an OpenSSH public key", "Give the certificate; SSH keys are not used."),
    (b"ecdsa-sha2-", "is an OpenSSH public key", "Give the certificate; SSH keys are not used."),
)


class Foreign(NamedTuple):
    """What it is (`is a DER certificate`) and what to do about it."""

    what: str
    fix: str


def identify(data: bytes, file: str) -> Foreign:
    """What `data` without a PEM block is; `file` is its name for the commands in the advice."""
    name = shlex.quote(file)
    for magic, what, fix in _BY_FIRST_BYTES:
        if data.startswith(magic):
            return Foreign(what, fix.format(file=name))
    if data[:1] == b"\x30":
        return _der(data, name)
    text = data.decode("utf-8", "replace").strip()
    if text[:1] == "<":
        return Foreign("is a web page or XML", "Download the certificate itself.")
    if "{{" in text or "{%" in text:
        return Foreign("is a template that was not rendered", "Check the expression that gives the text.")
    looks_like_path = text.startswith(("/", "./", "../", "~")) or text.endswith(_PATH_END)
    if looks_like_path and "\n" not in text and _PATH.match(text):
        return Foreign(
            "is the path of a file, not its content",
            "Use the key that ends in _src for a file on the controller, in _file for one on the node.",
        )
    return _base64(text, name) or Foreign(
        "holds no PEM block (-----BEGIN ...-----)", "Give the file that holds the PEM text."
    )


def _base64(text: str, name: str) -> Foreign | None:
    """Base64 without BEGIN and END lines: of PEM (as in a Kubernetes secret) or of DER."""
    compact = "".join(text.split())
    if len(compact) < 64:
        return None
    try:
        decoded = base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError):
        return None
    if b"-----BEGIN " in decoded:
        return Foreign("is PEM encoded once more with base64", "Decode it: the filter b64decode, or `base64 -d`.")
    if decoded[:1] == b"\x30":
        kind = _der(decoded, name).what.replace("is ", "", 1)
        return Foreign(
            f"is base64 without its BEGIN and END lines ({kind})",
            "Put the lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE----- (or PRIVATE KEY) around it.",
        )
    return None


def _der(data: bytes, name: str) -> Foreign:
    """Binary ASN.1: certificate, request, key, PKCS#7 or PKCS#12."""
    if _PKCS7_OID in data[:64]:
        if _PKCS12_VERSION in data[:16]:
            return Foreign(
                "is PKCS#12 (.p12, .pfx), a container of certificate and key",
                f"Take it apart: `openssl pkcs12 -in {name} -nokeys -out client.crt` and "
                f"`openssl pkcs12 -in {name} -nocerts -nodes -out client.key`.",
            )
        return Foreign(
            "is PKCS#7 (.p7b), a container of certificates",
            f"Convert it: `openssl pkcs7 -inform der -in {name} -print_certs -out new.crt`.",
        )
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    certificate, request = x509.load_der_x509_certificate, x509.load_der_x509_csr
    private = partial(serialization.load_der_private_key, password=None)
    public = serialization.load_der_public_key
    loaders: tuple[tuple[Callable[[bytes], object], str, str], ...] = (
        (certificate, "is a DER certificate", f"Convert it: `openssl x509 -inform der -in {name} -out new.crt`."),
        (request, "is a certificate request (CSR) in DER", "Give the certificate that the CA issued for it."),
        (private, "is a private key in DER", f"Convert it: `openssl pkey -inform der -in {name} -out new.key`."),
        (public, "is a public key in DER", "Give the certificate; the bare public key is not used."),
    )
    for load, what, fix in loaders:
        try:
            load(data)
        except TypeError:  # cryptography's way to say that a key is encrypted
            return Foreign(
                "is an encrypted private key in DER", f"Decrypt it: `openssl pkey -inform der -in {name} -out new.key`."
            )
        except Exception:  # noqa: BLE001, S112 - not this kind; the library raises many types
            continue
        return Foreign(what, fix)
    return Foreign("is binary (ASN.1) of an unknown kind", "Export it again as PEM.")
