# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containerd makes of a hosts.toml that K3s wrote: the hosts it will ask, in order.

Source: ``parseHostsFile``, ``parseHostConfig`` and ``ConfigureHosts`` in containerd's
``core/remotes/docker/config/hosts.go``, the version with go-toml 2 (containerd 2.x).
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from .config import DOCKER_HUB, DOCKER_HUB_HOST, WILDCARD_DIRECTORY
from .go_ip import is_localhost, split_host_port
from .go_text import from_go_bytes, go_quote
from .go_url import GoUrlError, parse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .host_configs import MergedEndpoint, MergedHost

# A TOML basic string: no control characters but tab, and only TOML's own escapes.
_TOML_STRING = re.compile(r'(?:[^\x00-\x08\x0a-\x1f\x7f"\\]|\\(?:["\\bfnrte]|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}))*')
_TOML_ESCAPE = re.compile(r"\\(?:([\"\\bfnrte])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))")
_TOML_SHORT = {'"': '"', "\\": "\\", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "e": "\x1b"}


class HostsFileError(ValueError):
    """containerd cannot read the hosts.toml, and then acts as if the registry had none."""


class Host(NamedTuple):
    """A host that containerd asks.

    :ivar default: it is the registry itself, not one of the mirror's endpoints.
    :ivar url: the endpoint as it stands in hosts.toml, or as it is implied.
    :ivar tls: the TLS settings that apply: ``ca_file``, ``cert_file``, ``key_file``,
        ``insecure_skip_verify``, each only if set.
    :ivar header: the value of ``Authorization`` that hosts.toml has containerd send with every request, "" usually.
    """

    default: bool
    url: str
    scheme: str
    host: str
    path: str
    tls: Mapping[str, Any]
    rewrites: Mapping[str, str]
    header: str = ""

    @property
    def tries_https_first(self) -> bool:
        """An http host with TLS settings: containerd 1.7 and later ask over https before http."""
        return self.scheme == "http" and bool(self.tls) and _port(self.host) != "80"


def directory_for(registry: str, directories: Mapping[str, Any]) -> str | None:
    """The directory below ``certs.d`` that containerd reads for a registry; None if there is none."""
    colon = registry.rfind(":")
    candidates = [registry, WILDCARD_DIRECTORY]
    if colon > 0:
        candidates.insert(0, f"{registry[:colon]}_{registry[colon + 1 :]}_")
    return next((name for name in candidates if name in directories), None)


def hosts_of(registry: str, merged: MergedHost | None) -> list[Host]:
    """The hosts that containerd asks for a registry, in order.

    :param registry: as it stands in the image's name.
    :param merged: what K3s writes into the registry's hosts.toml, or None if it writes none.
    :raises HostsFileError: if containerd cannot read that file; ``hosts_of(registry, None)`` is
        then what it does.
    """
    if merged is None:
        return [registry_itself(registry, {})]
    default = merged.default
    hosts = [_host(endpoint, default=False) for endpoint in merged.endpoints]
    if default is not None:
        if default.url:
            hosts.append(_host(default, default=True))
        else:
            # No host is named: the wildcard's own. Without any endpoint there is no ``server`` line.
            hosts.append(registry_itself(registry, _tls(default)))
    if hosts and not hosts[-1].host:
        # containerd takes the registry itself wherever the last host has no name.
        hosts[-1] = registry_itself(registry, hosts[-1].tls)._replace(rewrites=hosts[-1].rewrites)
    return hosts


def _host(endpoint: MergedEndpoint, default: bool) -> Host:
    text = _toml_text(endpoint.url or "", "endpoint")
    url_text = text if text.startswith("http") else "https://" + text
    try:
        url = parse(url_text)
    except GoUrlError as error:
        raise HostsFileError(f"unable to parse server {text}: {error}") from None
    path = request_path(url.path, endpoint.override_path and not default)
    rewrites: dict[str, str] = {}
    for pattern, replacement in {} if default else endpoint.rewrites.items():
        rewrites[_toml_text(pattern, "rewrite")] = _toml_text(replacement, "rewrite")
    if not default and len(rewrites) != len(endpoint.rewrites):
        raise HostsFileError("two rewrites are the same to TOML")
    return Host(default, text, url.scheme, from_go_bytes(url.host), path, _tls(endpoint), rewrites)


def request_path(path: str, override_path: bool) -> str:
    """The path at which containerd asks, from that of a host's URL, which Go has parsed."""
    cleaned = clean_path(from_go_bytes(path)) if path else ""
    return cleaned if cleaned.endswith("/v2") or override_path else cleaned + "/v2"


def registry_itself(registry: str, tls: Mapping[str, Any]) -> Host:
    """The default endpoint of a registry if no host is named."""
    host, scheme = registry, "https"
    if registry == DOCKER_HUB:
        host = DOCKER_HUB_HOST
    elif is_localhost(registry):
        port = _port(registry)
        if port not in {"", "443"}:
            scheme = "http"
        if port != "80":
            # containerd takes any certificate of a registry on this machine.
            tls = {**tls, "insecure_skip_verify": True}
    return Host(True, f"{scheme}://{host}/v2", scheme, host, "/v2", tls, {})


def _tls(endpoint: MergedEndpoint) -> dict[str, Any]:
    settings = {key: value for key, value in (endpoint.settings["tls"] or {}).items() if value}
    for key, value in settings.items():
        # The paths are quoted by Go's rules, which write some characters in a way that TOML refuses.
        if isinstance(value, str) and not _TOML_STRING.fullmatch(go_quote(value)[1:-1]):
            raise HostsFileError(f"{key} holds characters that make hosts.toml invalid")
    return settings


def _toml_text(text: str, what: str) -> str:
    """What TOML reads between the double quotes that K3s puts around ``text``, which it does not escape."""
    if not _TOML_STRING.fullmatch(text):
        raise HostsFileError(f"the {what} holds a quote, a backslash or a control character that makes it invalid TOML")
    if "\\" not in text:
        return text
    return _TOML_ESCAPE.sub(_unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    short, small, large = match.groups()
    if short:
        return _TOML_SHORT[short]
    code = int(small or large, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise HostsFileError("an escape names no Unicode character")
    return chr(code)


def clean_path(path: str) -> str:
    """Go's ``path.Clean``."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _port(host: str) -> str:
    split = split_host_port(host)
    return split[1] if split is not None else ""
