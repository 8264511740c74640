# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credentials a kubelet has for an image.

https://github.com/kubernetes/kubernetes/blob/master/pkg/credentialprovider/keyring.go
"""

from __future__ import annotations

import base64
import fnmatch
import json
import re
from typing import Any, Iterable, NamedTuple
from urllib.parse import urlsplit

from stand_in import go_url

_DOCKER_HUB = "index.docker.io"


class Login(NamedTuple):
    username: str
    password: str


Logins = "dict[str, Login]"


def repository_of(image: str) -> str:
    """The image's name in full, without tag and digest: what a kubelet looks for, and what it asks a provider for."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if not slash or not (re.search("[.:]", first) or first == "localhost" or first != first.lower()):
        first, rest = "docker.io", name
    if first == "index.docker.io":
        first = "docker.io"
    folder, slash, last = rest.rpartition("/")
    rest = folder + slash + last.partition(":")[0]
    if first == "docker.io" and "/" not in rest:
        rest = "library/" + rest
    return "%s/%s" % (first, rest)


def split(text: str) -> tuple[list[str], str, str]:
    """The parts of the host, the port, and the path of an address without a scheme.

    :raises go_url.URLError: for what Go's url.Parse refuses.
    """
    url = go_url.parse("https://" + text)
    host, _colon, port = url.host.rpartition(":") if re.search(r":\d*$", url.host) else (url.host, "", "")
    return host.split("."), port, url.path


def matches(pattern: str, image: str) -> bool:
    """Whether a key of `matchImages` or of `auths` means this image: `*` within one part of the host, the port as it
    is, and the path from its beginning, wherever a name ends."""
    try:
        (wanted, port, path), (parts, other_port, other_path) = split(pattern), split(image)
    except go_url.URLError:
        return False
    if port != other_port or len(wanted) != len(parts) or not other_path.startswith(path):
        return False
    return all(fnmatch.fnmatchcase(part, glob) for glob, part in zip(wanted, parts))


class Keyring:
    """Logins by the addresses that they are for, the longest first."""

    def __init__(self) -> None:
        self._logins: dict[str, list[Login]] = {}

    def add(self, logins: dict[str, Login]) -> None:
        for address, login in logins.items():
            url = urlsplit(address if address.startswith(("https://", "http://")) else "https://" + address)
            path = url.path[3:] if url.path.startswith(("/v1/", "/v2/")) else url.path
            self._logins.setdefault(url.netloc + ("" if path == "/" else path), []).append(login)

    def lookup(self, repository: str) -> list[Login]:
        """In the order in which they are tried."""
        keys = [key for key in sorted(self._logins, reverse=True) if matches(key, repository)]
        if not keys and _is_docker_hub(repository) and _DOCKER_HUB in self._logins:
            keys = [_DOCKER_HUB]
        return [login for key in keys for login in self._logins[key]]


def _is_docker_hub(repository: str) -> bool:
    return repository.partition("/")[0] in ("docker.io", _DOCKER_HUB)


def of_secrets(secrets: Iterable[Any]) -> Keyring:
    """Of a pod's pull secrets, as the API has them; others, and those that cannot be read, are passed over."""
    keyring = Keyring()
    for secret in secrets:
        data = secret.get("data") or {}
        try:
            if secret.get("type") == "kubernetes.io/dockerconfigjson":
                content = json.loads(base64.b64decode(data[".dockerconfigjson"]))["auths"]
            elif secret.get("type") == "kubernetes.io/dockercfg":
                content = json.loads(base64.b64decode(data[".dockercfg"]))
            else:
                continue
            keyring.add({address: _login(entry) for address, entry in content.items()})
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return keyring


def _login(entry: Any) -> Login:
    if entry.get("auth"):
        username, _colon, password = base64.b64decode(entry["auth"]).decode().partition(":")
        return Login(username, password)
    return Login(entry.get("username", ""), entry.get("password", ""))
