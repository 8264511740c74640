# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of private registries, as K3s keeps it after reading registries.yaml.

The shape is that of ``Registry`` in rancher/wharfie, ``pkg/registries/types.go``, the structure into
which K3s decodes the file. Every function of this package takes a :class:`Config`, in which every
known key is present; :func:`normalise` makes one out of what users write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypedDict

    class Mirror(TypedDict):
        """How one registry is mirrored: endpoints in order, rewrites of the repository."""

        endpoint: list[str]
        rewrite: dict[str, str]

    class Auth(TypedDict):
        """Credentials for one host. ``auth`` is base64 of ``username:password``."""

        username: str
        password: str
        auth: str
        identity_token: str

    class Tls(TypedDict):
        """TLS settings for one host; the files are paths on the node."""

        ca_file: str
        cert_file: str
        key_file: str
        insecure_skip_verify: bool

    class HostSettings(TypedDict):
        """What ``configs`` says about one host; None if the key is absent or null."""

        auth: Auth | None
        tls: Tls | None

    class Config(TypedDict):
        """A whole registries configuration with every known key present."""

        mirrors: dict[str, Mirror]
        configs: dict[str, HostSettings]


#: Names of registries with a meaning of their own, and the folder of certs.d in which K3s puts the wildcard.
DOCKER_HUB = "docker.io"
DOCKER_HUB_HOST = "registry-1.docker.io"
WILDCARD = "*"
WILDCARD_DIRECTORY = "_default"


AUTH_KEYS = ("username", "password", "auth", "identity_token")
TLS_FILE_KEYS = ("ca_file", "cert_file", "key_file")


class ConfigError(ValueError):
    """A value of the wrong type.

    :ivar path: where, such as ``mirrors.docker.io.endpoint``. The message names it too, and never
        the value, which may be a secret.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path


def normalise(raw: Mapping[str, Any] | None) -> Config:
    """A configuration with every known key present, from a dict that may lack or null any of them.

    Keys that K3s does not know are dropped, as K3s drops them. Numbers are not turned into text: a
    caller that has YAML uses the decoder, which knows the spelling.

    :param raw: ``{"mirrors": {...}, "configs": {...}}``; None is an empty configuration.
    :raises ConfigError: if a value has a type that K3s would refuse; it names the path.
    """
    top = _mapping(raw, "")
    mirrors = {
        _key(name, "mirrors"): _mirror(value, f"mirrors.{name}")
        for name, value in _mapping(top.get("mirrors"), "mirrors").items()
    }
    configs = {
        _key(name, "configs"): _host_settings(value, f"configs.{name}")
        for name, value in _mapping(top.get("configs"), "configs").items()
    }
    return {"mirrors": mirrors, "configs": configs}


def _mirror(raw: Any, path: str) -> Mirror:
    mirror = _mapping(raw, path)
    endpoints = mirror.get("endpoint")
    if endpoints is None:
        endpoints = []
    elif not isinstance(endpoints, (list, tuple)):
        raise ConfigError(f"{path}.endpoint", f"must be a list of endpoints, not {_kind(endpoints)}")
    rewrites = _mapping(mirror.get("rewrite"), f"{path}.rewrite")
    return {
        "endpoint": [_text(item, f"{path}.endpoint[{index}]") for index, item in enumerate(endpoints)],
        "rewrite": {
            _key(pattern, f"{path}.rewrite"): _text(value, f"{path}.rewrite.{pattern}")
            for pattern, value in rewrites.items()
        },
    }


def _host_settings(raw: Any, path: str) -> HostSettings:
    settings = _mapping(raw, path)
    auth, tls = settings.get("auth"), settings.get("tls")
    return {
        "auth": None if auth is None else _auth(_mapping(auth, f"{path}.auth"), f"{path}.auth"),
        "tls": None if tls is None else _tls(_mapping(tls, f"{path}.tls"), f"{path}.tls"),
    }


def _auth(given: Mapping[Any, Any], path: str) -> Auth:
    username, password, auth, identity_token = (_text(given.get(key), f"{path}.{key}") for key in AUTH_KEYS)
    return {"username": username, "password": password, "auth": auth, "identity_token": identity_token}


def _tls(given: Mapping[Any, Any], path: str) -> Tls:
    ca_file, cert_file, key_file = (_text(given.get(key), f"{path}.{key}") for key in TLS_FILE_KEYS)
    insecure = _flag(given.get("insecure_skip_verify"), f"{path}.insecure_skip_verify")
    return {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file, "insecure_skip_verify": insecure}


def _mapping(value: Any, path: str) -> Mapping[Any, Any]:
    if value is None:
        return {}
    if not hasattr(value, "items"):
        raise ConfigError(path, f"must be a mapping, not {_kind(value)}")
    return value  # type: ignore[no-any-return]


def _key(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(path, f"has a key that is {_kind(value)}: write it in quotes")
    return str(value)


def _text(value: Any, path: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ConfigError(path, f"must be text, not {_kind(value)}: write it in quotes")
    return str(value)


def _flag(value: Any, path: str) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ConfigError(path, f"must be true or false, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, (list, tuple)):
        return "a list"
    if hasattr(value, "items"):
        return "a mapping"
    return f"of type {type(value).__name__}"
