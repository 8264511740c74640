# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of one bundle; `check_bundle` in bundle.py is the way in."""

from __future__ import annotations

import datetime
from typing import Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import certificates as rules

from . import pem, private_key
from .certificate import Certificate
from .chain import lead_to, ordered
from .foreign import identify
from .report import Report

# What blocks other than certificates and private keys are, by their label.
_KINDS = {
    "CERTIFICATE REQUEST": "a certificate request (CSR)",
    "NEW CERTIFICATE REQUEST": "a certificate request (CSR)",
    "PUBLIC KEY": "a public key",
    "RSA PUBLIC KEY": "a public key",
    "X509 CRL": "a certificate revocation list",
    "PKCS7": "PKCS#7, a container of certificates",
    "CMS": "CMS, a container of certificates",
    "PKCS12": "PKCS#12, a container of certificate and key",
    "DH PARAMETERS": "Diffie-Hellman parameters",
}
# Labels that older OpenSSL wrote for certificates; Go knows only CERTIFICATE.
_OTHER_CERTIFICATES = ("TRUSTED CERTIFICATE", "X509 CERTIFICATE")
# `openssl ecparam -genkey` writes the curve before the key; Go steps over it, and so does this.
_HARMLESS_BESIDE_KEY = ("EC PARAMETERS", "CERTIFICATE")


class Checks:
    """The checks, in the order in which `run` calls them, with what one leaves for the next."""

    def __init__(self, now: datetime.datetime, sources: Mapping[str, str], host: str) -> None:
        self.report = Report(now, sources)
        self._host = host
        self._anchors: list[Certificate] = []
        self._client: list[Certificate] = []

    def run(self, ca: pem.Text, cert: pem.Text, key: pem.Text, server: pem.Text) -> None:
        texts = {"ca": ca, "cert": cert, "key": key, "server": server}
        pems = {source: self._read(source, text) for source, text in texts.items() if text is not None}
        if self._are_swapped(pems.get("cert"), pems.get("key")):
            pems.pop("cert")
            pems.pop("key")
        for source, check in (
            ("ca", self._check_ca),
            ("cert", self._check_cert),
            ("key", self._check_key),
            ("server", self._check_server),
        ):
            content = pems.get(source)
            if content is not None:
                check(content)

    def _read(self, source: str, text: str | bytes) -> pem.Pem | None:
        """The blocks of a text; None if there are none, with a finding that says what it is instead."""
        data = pem.as_bytes(text)
        if not data.strip(b"\xef\xbb\xbf \t\r\n\0"):
            self.report.add(rules.EMPTY, source, "is empty")
            return None
        content = pem.read(data)
        if not content.blocks and not content.damaged:
            foreign = identify(data, self.report.file(source))
            self.report.add(rules.NOT_PEM, source, foreign.what, foreign.fix)
            return None
        for damage in content.damaged:
            self.report.add_block(rules.DAMAGED, source, damage.number, damage.problem, damage.fix, damage.line)
        return content

    def _are_swapped(self, cert: pem.Pem | None, key: pem.Pem | None) -> bool:
        if cert is None or key is None or cert.certificates or key.keys or not (cert.keys and key.certificates):
            return False
        self.report.add(rules.SWAPPED, "cert", "holds the private key, and the key's place holds the certificate")
        return True

    def _certificates(self, source: str, content: pem.Pem) -> list[Certificate]:
        """The certificates of a source, described and checked; anything else in it becomes a finding."""
        certificates: list[Certificate] = []
        for block in content.blocks:
            if block.is_key:
                what = "is a private key" + ("" if content.certificates else "; there is no certificate")
                self.report.add_block(rules.KEY_EXPOSED, source, block.number, what, line=block.line)
            elif block.label in _OTHER_CERTIFICATES:
                fix = "Convert it: `openssl x509 -in FILE -out new.crt`."
                problem = f"is labelled {block.label}, which Go does not read"
                self.report.add_block(rules.WRONG_KIND, source, block.number, problem, fix, block.line)
            elif not block.is_certificate:
                what = f"is {_KINDS.get(block.label, f'of the kind {block.label[:40]!r}')}, not a certificate"
                self.report.add_block(rules.WRONG_KIND, source, block.number, what, line=block.line)
            elif block.headers:
                fix = "Remove the lines with a colon between BEGIN and the base64 text."
                problem = "has header lines, so Go skips it"
                self.report.add_block(rules.DAMAGED, source, block.number, problem, fix, block.line)
            else:
                self._parse(source, block, certificates)
        self.report.describe(source, certificates)
        self.report.check_validity(source, certificates)
        return certificates

    def _parse(self, source: str, block: pem.Block, certificates: list[Certificate]) -> None:
        try:
            certificate = Certificate(block.content, block.number)
        except Exception:  # noqa: BLE001 - the library raises many types for bad content, and quotes it
            problem = "is labelled CERTIFICATE and is not one"
            self.report.add_block(rules.CERTIFICATE_UNREADABLE, source, block.number, problem, line=block.line)
            return
        twin = next((known for known in certificates if known.sha256 == certificate.sha256), None)
        if twin is not None:
            self.report.add_certificate(rules.REPEATED, source, certificate, f"is block {twin.number} again")
            return
        certificates.append(certificate)

    def _check_ca(self, content: pem.Pem) -> None:
        self._anchors = anchors = self._certificates("ca", content)
        for certificate in anchors:
            if certificate.is_ca and not certificate.may_sign_certificates:
                self.report.add_certificate(
                    rules.CA_MAY_NOT_SIGN, "ca", certificate, "has a key usage without keyCertSign"
                )
            elif certificate.is_ca:
                continue
            elif certificate.is_self_signed:
                # Go accepts a certificate that is itself among the roots, CA or not, from the server that presents it.
                self.report.add_certificate(
                    rules.PINNED, "ca", certificate, "is no CA: it is accepted only from the server that presents it"
                )
                self._check_names("ca", certificate)
            else:
                problem = f"is no CA (basicConstraints CA:TRUE is missing); it was issued by {certificate.issuer}"
                fix = f"Give the certificate of its issuer, {certificate.issuer}, here."
                self.report.add_certificate(rules.NOT_A_CA, "ca", certificate, problem, fix)

    def _check_cert(self, content: pem.Pem) -> None:
        self._client = chain = self._certificates("cert", content)
        if not chain:
            return
        leaf = self._leaf(chain)
        if leaf is not chain[0]:
            self._report_order(leaf, chain)
        else:
            expected, strangers = ordered(leaf, chain[1:])
            if [item for item in chain if item not in strangers] != expected:
                self._report_order(leaf, chain)
            top = expected[-1]
            gap = f"did not issue {top.title}, the end of the chain; that one's issuer is {top.issuer}"
            for stranger in strangers:
                self.report.add_certificate(rules.CHAIN_GAP, "cert", stranger, gap)
        if leaf.is_ca:
            self.report.add_certificate(rules.CLIENT_IS_CA, "cert", leaf, "is a CA certificate")
        elif not leaf.is_for_clients:
            self.report.add_certificate(
                rules.NOT_FOR_CLIENTS, "cert", leaf, "has an extended key usage without clientAuth"
            )

    @staticmethod
    def _leaf(chain: list[Certificate]) -> Certificate:
        """The client's own certificate: the one that issued none of the others."""
        ends = [item for item in chain if not item.is_ca] or [
            item for item in chain if not any(item.issued(other) for other in chain if other is not item)
        ]
        return chain[0] if chain[0] in ends or not ends else ends[0]

    def _report_order(self, leaf: Certificate, chain: list[Certificate]) -> None:
        expected, strangers = ordered(leaf, [item for item in chain if item is not leaf])
        blocks = ", ".join(str(item.number) for item in expected + strangers)
        self.report.add(
            rules.CHAIN_ORDER,
            "cert",
            f"its {len(chain)} certificates are in the wrong order; {leaf.title} must come first",
            f"Order the blocks like this: {blocks} (the client's certificate, its issuer, that one's issuer).",
        )

    def _check_key(self, content: pem.Pem) -> None:
        for block in content.blocks:
            if not block.is_key and (block.label not in _HARMLESS_BESIDE_KEY or not content.keys):
                what = "a certificate" if block.is_certificate else _KINDS.get(block.label, f"{block.label[:40]!r}")
                fix = "Give the private key that belongs to the client certificate."
                problem = f"is {what}, not a private key"
                self.report.add_block(rules.WRONG_KIND, "key", block.number, problem, fix, block.line)
        if not content.keys:
            return
        if len(content.keys) > 1:
            self.report.add(rules.SEVERAL_KEYS, "key", f"holds {len(content.keys)} private keys")
        first = content.keys[0]
        key = private_key.load(first)
        if isinstance(key, private_key.Unusable):
            file = self.report.file("key")
            fix = key.rule.fix
            if key.command:
                made = "new.key" if "new.key" in key.command else file
                fix = f"Convert it: `{key.command.format(file=file)}`"
                fix += f", and keep the result encrypted with ansible-vault: `ansible-vault encrypt {made}`."
            self.report.add_block(key.rule, "key", first.number, key.problem, fix, first.line)
        elif self._client:
            self._check_pair(key)

    def _check_pair(self, key: private_key.PrivateKey) -> None:
        owner = next((item for item in self._client if item.public_key == key.public_key), None)
        if owner is None:
            leaf = self._client[0]
            message = f"the key ({key.key_type}) does not belong to the certificate {leaf.title} ({leaf.key_type})"
            self.report.add(rules.KEY_MISMATCH, "key", message)
        elif owner not in (self._client[0], self._leaf(self._client)):
            # The key of a leaf that is not the first is reported as the wrong order.
            message = (
                f"the key belongs to {owner.title}, block {owner.number} of the certificates, not to the first one"
            )
            fix = "Put the client's own certificate first, or give that one's key."
            self.report.add(rules.KEY_MISMATCH, "key", message, fix)

    def _check_server(self, content: pem.Pem) -> None:
        chain = self._certificates("server", content)
        if not chain:
            return
        self._check_names("server", chain[0])
        if self._anchors and not lead_to(chain, self._anchors):
            problem = f"was issued by {chain[0].issuer}, and no certificate of the CA bundle leads there"
            self.report.add_certificate(rules.CHAIN_UNTRUSTED, "server", chain[0], problem)

    def _check_names(self, source: str, certificate: Certificate) -> None:
        if not certificate.names:
            self.report.add_certificate(rules.NO_NAMES, source, certificate, "has no subject alternative name")
        elif self._host and not certificate.is_for_host(self._host):
            problem = f"is for {', '.join(certificate.names)}, not for {self._host}"
            self.report.add_certificate(rules.NAME_MISMATCH, source, certificate, problem)
