# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that a node's configuration names: whose they are, until when, and whether the key fits."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Iterator, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._certificates import pem
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._certificates.certificate import (
    HAS_CRYPTOGRAPHY,
    Certificate,
)

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


class Named(NamedTuple):
    """A file that the configuration names: ``kind`` is ``ca`` or ``client``, ``key`` the key beside the latter."""

    registry: str
    kind: str
    path: str
    key: str = ""


def named(config: Config) -> list[Named]:
    """The certificate files of a configuration, in its order."""
    found = []
    for registry, entry in config["configs"].items():
        tls = entry["tls"]
        if tls is None:
            continue
        if tls["ca_file"]:
            found.append(Named(registry, "ca", tls["ca_file"]))
        if tls["cert_file"]:
            found.append(Named(registry, "client", tls["cert_file"], tls["key_file"]))
    return found


def described(
    config: Config,
    contents: Mapping[str, Mapping[str, str]],
    matches: Mapping[tuple[str, str], bool | None],
    now: datetime.datetime,
) -> list[dict[str, Any]]:
    """One entry for each certificate of each file that the configuration names, and for each file that has none.

    :param contents: path to ``{pem, error}``, as the node has read it.
    :param matches: certificate and key file to whether they belong together.
    """
    entries: list[dict[str, Any]] = []
    for item in named(config):
        entries.extend(_of_file(item, contents.get(item.path) or {}, matches, now))
    return entries


def _of_file(
    item: Named,
    content: Mapping[str, str],
    matches: Mapping[tuple[str, str], bool | None],
    now: datetime.datetime,
) -> Iterator[dict[str, Any]]:
    if content.get("error") or not content.get("pem"):
        yield _entry(item, error=content.get("error") or "the file could not be looked at")
        return
    if not HAS_CRYPTOGRAPHY:
        yield _entry(item, error="the controller lacks the Python library cryptography, which reads certificates")
        return
    for number, block in enumerate(pem.read(content["pem"].encode("ascii", "replace")).certificates, 1):
        try:
            certificate = Certificate(block.content, number)
        except Exception:  # noqa: BLE001 - the library raises many types for bad content, and quotes it
            yield _entry(item, error="block %d is labelled CERTIFICATE and is not one" % number)
            continue
        # Of a client's file the first certificate is the client's own, the others lead from it to its CA.
        own = item.kind == "client" and number == 1
        yield _entry(
            item,
            subject=certificate.subject,
            issuer=certificate.issuer,
            fingerprint_sha256=certificate.sha256,
            not_before=_stamp(certificate.not_before),
            not_after=_stamp(certificate.not_after),
            days_left=certificate.days_left(now),
            key_matches=matches.get((item.path, item.key)) if own and item.key else None,
            error="" if certificate.not_before <= now else "not valid before %s" % _stamp(certificate.not_before),
        )


def _entry(item: Named, **facts: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "registry": item.registry, "kind": item.kind, "path": item.path, "subject": "", "issuer": "",
        "fingerprint_sha256": "", "not_before": "", "not_after": "", "days_left": None, "key_matches": None,
        "error": "",
    }  # fmt: skip
    entry.update(facts)
    return entry


def _stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
