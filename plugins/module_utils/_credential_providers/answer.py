# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kubelet says to a provider, and what it takes for an answer.

Source: ``ExecPlugin`` in ``pkg/credentialprovider/plugin/plugin.go`` and ``pkg/credentialprovider/keyring.go`` of
kubernetes/kubernetes. An answer holds credentials: no text here quotes any of it but its kind, its version and the type
of its cache key.
"""

from __future__ import annotations

import json
import re
from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import json_object, text_of

from . import go_duration, match_images
from .provider import API_VERSION

_KEYS = ("kind", "apiVersion", "cacheKeyType", "cacheDuration", "auth")
_CACHE_KEY_TYPES = ("Image", "Registry", "Global")
# The kubelet takes whatever a provider writes; none that means well writes more.
LARGEST = 1 << 20
_LIKE_ONE = re.compile(r"Credential[A-Za-z]{0,30}|[a-z.]{0,30}k8s\.io/v[0-9a-z]{1,10}|(?i:image|registry|global)")


class BadAnswer(ValueError):
    """The kubelet would not take the answer, or find nothing in it; the text says why, without quoting a secret."""


class NothingFor(BadAnswer):
    """It is a good answer, and has nothing for the image."""


class Credential(NamedTuple):
    """What a provider gives for an image. ``cached_for`` are the seconds for which the kubelet keeps it."""

    username: str
    password: str
    cached_for: float
    cache_key: str


def request(image: str) -> bytes:
    """The kubelet's question.

    :param image: the image's full name without tag and digest.
    """
    return json.dumps({"kind": "CredentialProviderRequest", "apiVersion": API_VERSION, "image": image}).encode("utf-8")


def credential(answer: bytes, image: str, default_cache_duration: str) -> Credential:
    """What the kubelet would give containerd for an image: of several keys that match it, the first that it tries.

    :raises BadAnswer: if it would give it nothing.
    """
    fields = _fields(answer)
    duration = _duration(fields) or default_cache_duration
    try:
        cached_for = go_duration.seconds(duration)
    except ValueError:
        raise BadAnswer("its cacheDuration is no duration such as 12h or 30m") from None
    auth = _auth(fields)
    # The kubelet goes through them in reverse order, so that longer keys come before shorter ones.
    for key in sorted(auth, key=_pattern, reverse=True):
        if match_images.matches(_pattern(key), image):
            return Credential(*auth[key], cached_for, text_of(fields.get("cacheKeyType")))
    for key in auth:
        # Docker's own name for Docker Hub counts if nothing else does.
        if _pattern(key) == "index.docker.io" and image.startswith("docker.io/"):
            return Credential(*auth[key], cached_for, text_of(fields.get("cacheKeyType")))
    raise NothingFor(
        "it has credentials for other images only, under %d keys of which none matches" % len(auth)
        if auth
        else "it has no credentials for this image"
    )


def _fields(answer: bytes) -> dict[str, Any]:
    if not answer.strip():
        raise BadAnswer("it wrote nothing to its standard output")
    if len(answer) > LARGEST:
        raise BadAnswer("it wrote more than %d MiB" % (LARGEST >> 20))
    try:
        fields = json_object(answer)
    except ValueError:
        # The parser's words quote what it read, which may be secret here.
        raise BadAnswer("what it wrote is no JSON object") from None
    kind, version = text_of(fields.get("kind")), text_of(fields.get("apiVersion"))
    if version != API_VERSION:
        raise BadAnswer("it answers in the version %s, and was asked in %s" % (_quoted(version), API_VERSION))
    if kind != "CredentialProviderResponse":
        raise BadAnswer("it answers with the kind %s instead of CredentialProviderResponse" % _quoted(kind))
    if not set(fields) <= set(_KEYS):
        raise BadAnswer("it has keys that the kubelet does not know; those are %s" % ", ".join(_KEYS))
    cache_key = fields.get("cacheKeyType")
    if cache_key not in _CACHE_KEY_TYPES:
        raise BadAnswer(
            "its cacheKeyType is %s, and has to be one of %s" % (_quoted(cache_key), ", ".join(_CACHE_KEY_TYPES))
        )
    return fields


def _duration(fields: Mapping[str, Any]) -> str:
    value = fields.get("cacheDuration")
    if value is None:
        return ""
    if not isinstance(value, str) or not value:
        raise BadAnswer("its cacheDuration is no text such as 12h")
    return value


def _auth(fields: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    auth = fields.get("auth")
    if auth is None:
        return {}
    if not isinstance(auth, dict):
        raise BadAnswer("its auth is no mapping of registries to credentials")
    found = {}
    for key, entry in auth.items():
        if not isinstance(entry, dict) or not set(entry) <= {"username", "password"}:
            raise BadAnswer("an entry of its auth is no username with a password")
        values = entry.get("username") or "", entry.get("password") or ""
        if not all(isinstance(value, str) for value in values):
            raise BadAnswer("a username or password in its auth is no text")
        found[key] = values
    return found


def _pattern(key: str) -> str:
    """A key of ``auth`` as the kubelet compares it: a scheme does not count, nor an API version before the path."""
    for scheme in ("https://", "http://"):
        if key.startswith(scheme):
            key = key[len(scheme) :]
    host, slash, path = key.partition("/")
    for version in ("v1/", "v2/"):
        if path.startswith(version):
            path = path[len(version) :]
            break
    return host + slash + path if path else host


def _quoted(value: Any) -> str:
    """A word of the provider's that should be one of a few, where it is at least like one: anything may stand there."""
    text = text_of(value)
    return '"%s"' % text if _LIKE_ONE.fullmatch(text) else "(something else)"
