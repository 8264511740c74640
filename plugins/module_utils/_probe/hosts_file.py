# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containerd makes of any hosts.toml, whoever wrote it: the hosts it asks, in order.

Source: ``loadHostDir``, ``parseHostsFile``, ``parseHostConfig`` and ``loadCertFiles`` in containerd's
``core/remotes/docker/config/hosts.go``; without a ``server`` key K3s' fork of it asks no default endpoint.
"""

from __future__ import annotations

import os
from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import names_in, regular_only
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import (
    Host,
    HostsFileError,
    registry_itself,
    request_path,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_text import from_go_bytes
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_url import GoUrlError, parse

from .toml import TomlError, parse_toml

_CAPABILITIES = ("pull", "resolve", "push", "referrers")
_LARGEST = 1 << 20


class RegistryHosts(NamedTuple):
    """The hosts that containerd asks for a registry; ``error`` if it cannot read its hosts.toml at ``path``."""

    hosts: list[Host]
    error: str
    path: str


def hosts_in(directory: str, registry: str) -> RegistryHosts:
    """The hosts for ``registry`` from a directory of ``certs.d``, which may lack a hosts.toml or have a broken one."""
    path = os.path.join(directory, "hosts.toml")
    try:
        with open(path, "rb", opener=regular_only) as file:
            content = file.read(_LARGEST)
    except FileNotFoundError:
        content = b""
    except OSError as error:
        return RegistryHosts(_by_certificates(directory, registry), f"it cannot be read: {error.strerror}", path)
    return hosts_from(content, directory, registry)


def hosts_from(content: bytes, directory: str, registry: str) -> RegistryHosts:
    """:func:`hosts_in` for a hosts.toml of this content; without content it is as if there were none."""
    path = os.path.join(directory, "hosts.toml")
    if not content:
        return RegistryHosts(_by_certificates(directory, registry), "", path)
    try:
        return RegistryHosts(parse_hosts_file(content.decode("utf-8"), directory, registry), "", path)
    except UnicodeDecodeError:
        problem = "it is not UTF-8"
    except (TomlError, HostsFileError) as error:
        problem = str(error)
    return RegistryHosts(_by_certificates(directory, registry), problem, path)


def parse_hosts_file(text: str, directory: str, registry: str) -> list[Host]:
    """The hosts that a hosts.toml names, in the order of their tables, then the ``server``.

    :param directory: where the file is; relative paths in it start there.
    :param registry: as it stands in the image's name: the default endpoint if ``server`` is empty.
    :raises TomlError: if it is no TOML.
    :raises HostsFileError: if a setting is not what containerd takes.
    """
    document = parse_toml(text)
    tables = _table(document.values.get("host"), "host")
    names = dict.fromkeys(header[1] for header in document.headers if len(header) > 1 and header[0] == "host")
    hosts = []
    for name in names:
        table = _table(tables.get(name), "host")
        host = _host(name, table, directory, registry, default=False)
        if host is not None:
            hosts.append(host)
    if "server" in document.values or not hosts:
        server = document.values.get("server", "")
        if not isinstance(server, str):
            raise HostsFileError("server must be a string")
        default = _host(server, document.values, directory, registry, default=True)
        if default is not None:
            hosts.append(default)
    return hosts


def _host(name: str, table: Mapping[str, Any], directory: str, registry: str, default: bool) -> Host | None:
    """One host, or None if it may neither resolve nor pull."""
    tls = _tls(table, directory)
    usable = _is_usable(table.get("capabilities"))
    header = _authorization(table.get("header"))
    if not name:
        return registry_itself(registry, tls)._replace(header=header)
    try:
        url = parse(name if name.startswith("http") else "https://" + name)
    except GoUrlError:
        raise HostsFileError("the URL of a host cannot be parsed") from None
    override = table.get("override_path", False)
    if not isinstance(override, bool):
        raise HostsFileError("override_path must be true or false")
    rewrites = {} if default else _table(table.get("rewrite"), "rewrite")
    if not all(isinstance(value, str) for value in rewrites.values()):
        raise HostsFileError("a rewrite must be a string")
    path = request_path(url.path, override)
    host = Host(default, name, url.scheme, from_go_bytes(url.host), path, tls, rewrites, header)
    return host if usable else None


def _authorization(headers: Any) -> str:
    """The value of ``Authorization`` among the headers of a host, "" if it is not there."""
    found = ""
    for name, given in _table(headers, "header").items():
        values = given if isinstance(given, list) else [given]
        if not all(isinstance(value, str) for value in values):
            raise HostsFileError("a header must be a string or a list of strings")
        if name.lower() == "authorization" and values:
            found = values[0]
    return found


def _is_usable(capabilities: Any) -> bool:
    if not capabilities:
        return True
    if not isinstance(capabilities, list) or not all(isinstance(item, str) for item in capabilities):
        raise HostsFileError("capabilities must be a list of strings")
    given = [item.lower() for item in capabilities]
    if any(item not in _CAPABILITIES for item in given):
        raise HostsFileError("an unknown capability")
    return "resolve" in given and "pull" in given


def _table(value: Any, name: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise HostsFileError(f"{name} must be a table")
    return value


def _tls(table: Mapping[str, Any], directory: str) -> dict[str, Any]:
    """``ca_files``, ``client_pairs`` and ``insecure_skip_verify``, each only if it is set."""
    found: dict[str, Any] = {}
    ca = table.get("ca")
    if ca is not None:
        found["ca_files"] = [_absolute(item, directory, "ca") for item in (ca if isinstance(ca, list) else [ca])]
    client = table.get("client")
    if client is not None:
        found["client_pairs"] = [_pair(item, directory) for item in (client if isinstance(client, list) else [client])]
    skip = table.get("skip_verify")
    if skip is not None:
        if not isinstance(skip, bool):
            raise HostsFileError("skip_verify must be true or false")
        found["insecure_skip_verify"] = skip
    return found


def _pair(item: Any, directory: str) -> tuple[str, str]:
    """A client's certificate and key; the key is "" if both are in one file."""
    if isinstance(item, str):
        return _absolute(item, directory, "client"), ""
    if isinstance(item, list) and len(item) == 2:
        return _absolute(item[0], directory, "client"), _absolute(item[1], directory, "client")
    raise HostsFileError("client must be a file or pairs of files")


def _absolute(path: Any, directory: str, setting: str) -> str:
    if not isinstance(path, str):
        raise HostsFileError(f"{setting} must name files")
    # Go's filepath.Join cleans: an empty path is the directory itself.
    return path if os.path.isabs(path) else os.path.normpath(os.path.join(directory, path))


def _by_certificates(directory: str, registry: str) -> list[Host]:
    """The registry itself with the files of Docker's layout: ``*.crt`` for CAs, ``*.cert`` with ``*.key``."""
    names = names_in(directory)
    tls: dict[str, Any] = {}
    authorities = [os.path.join(directory, name) for name in names if name.endswith(".crt")]
    pairs = []
    for name in names:
        if name.endswith(".cert"):
            key = name[: -len("cert")] + "key"
            pairs.append((os.path.join(directory, name), os.path.join(directory, key) if key in names else ""))
    if authorities:
        tls["ca_files"] = authorities
    if pairs:
        tls["client_pairs"] = pairs
    return [registry_itself(registry, tls)]
