# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each side is reached: credentials, certificates and exceptions of each host, out of K3s-shaped ``configs``."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Callable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.access import Access
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import credential_keys
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare import sources

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import HostSettings


class AccessProblem(ValueError):
    """Credentials cannot be used; the text names the registry and the key, never a value."""


class Accesses:
    """The accesses of one side.

    :param config: a configuration of which ``configs`` counts; with ``*_src`` and ``*_content`` as in k3s_registries.
    :param read_file: reads a certificate file of the controller.
    :raises ConfigError: if a value has the wrong type.
    :raises SourceProblem: if a certificate cannot be read.
    """

    def __init__(self, config: Mapping[str, Any], read_file: Callable[[str], bytes]) -> None:
        self._shipped = sources.collect(config, read_file)
        self._configs = normalise({"configs": config.get("configs")})["configs"]

    def of(self, host: str, scheme: str) -> Access:
        """What the machine that copies needs for one host.

        :raises AccessProblem: if ``auth`` is not base64 of a user's name and password.
        """
        found: dict[str, Any] = {}
        for key in credential_keys(host):
            if key in self._configs:
                settings = self._configs[key]
                found.update(_credentials(key, settings))
                tls: Mapping[str, Any] = settings["tls"] or {}
                found.update({name: tls[name] for name in ("ca_file", "cert_file", "key_file") if tls.get(name)})
                found.update({item.part: item.text for item in self._shipped if item.registry == key})
                found["insecure"] = bool(tls.get("insecure_skip_verify"))
                break
        return Access(host, scheme, **found)


def _credentials(key: str, settings: HostSettings) -> dict[str, str]:
    """In containerd's order: user and password, the identity token, then ``auth`` (``ParseAuth`` in its CRI plugin)."""
    auth = settings["auth"]
    if auth is None:
        return {}
    if auth["username"]:
        return {"username": auth["username"], "password": auth["password"]}
    if auth["identity_token"]:
        return {"identity_token": auth["identity_token"]}
    if not auth["auth"]:
        return {}
    try:
        username, colon, password = base64.b64decode(auth["auth"], validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise AccessProblem('configs."%s".auth.auth is not base64 of username:password' % key)
    return {"username": username, "password": password.rstrip("\0")}
