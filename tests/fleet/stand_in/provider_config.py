# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's configuration of credential providers, read as strictly as a kubelet reads it.

https://github.com/kubernetes/kubernetes/blob/master/pkg/credentialprovider/plugin/config.go
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml
from stand_in import go_url, keyring

_CONFIG = "kubelet.config.k8s.io/"
_PROVIDER = "credentialprovider.kubelet.k8s.io/"
_VERSIONS = ("v1alpha1", "v1beta1", "v1")
_KEYS = ("name", "matchImages", "defaultCacheDuration", "apiVersion", "args", "env")
_TOKEN_KEYS = {
    "serviceAccountTokenAudience": str, "requireServiceAccount": bool, "cacheType": str,
    "requiredServiceAccountAnnotationKeys": list, "optionalServiceAccountAnnotationKeys": list,
}  # fmt: skip
_CACHE_TYPES = ("ServiceAccount", "Token")
_DURATION = re.compile(r"^[-+]?(?:0|(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$")
_NUMBER = re.compile(r"^[-+]?\d+(\.\d*)?$")
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class ConfigError(Exception):
    """A kubelet that reads this does not start."""


class Tokens(NamedTuple):
    """`tokenAttributes`: what a provider is told about the pod's service account."""

    audience: str
    require: bool
    required_annotations: list[str]
    optional_annotations: list[str]
    cache_type: str


class Provider(NamedTuple):
    name: str
    api_version: str
    match_images: list[str]
    cache_seconds: float
    args: list[str]
    env: list[tuple[str, str]]
    tokens: Tokens | None


def load(path: str, release: str) -> list[Provider]:
    """What the file says. K3s gives its kubelet no folder.

    :param release: such as `v1.34.3+k3s1`; what is allowed depends on it.

    :raises ConfigError: where the kubelet would not start.
    """
    minor = int((re.match(r"^v1\.(\d+)\.", release) or ["", "34"])[1])
    try:
        with open(path, "rb") as handle:
            content = handle.read()
    except OSError as error:
        raise ConfigError('unable to access path "%s": %s' % (path, (error.strerror or "").lower())) from error
    entries = _decode(content, path, minor)
    names = [entry.get("name") or "" for entry in entries]
    twice = [name for number, name in enumerate(names) if name in names[:number]]
    if minor >= 34 and twice:
        raise ConfigError('duplicate provider name "%s" found in configuration file(s)' % twice[0])
    problems = _problems(entries, minor)
    if problems:
        text = problems[0] if len(problems) == 1 else "[%s]" % ", ".join(problems)
        raise ConfigError("failed to validate credential provider config: " + text)
    return [_provider(entry) for entry in entries]


def _decode(text: bytes, file: str, minor: int) -> list[dict[str, Any]]:
    def refuse(why: str) -> ConfigError:
        return ConfigError('error decoding config "%s": %s' % (file, why))

    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        content = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise refuse("yaml: %s" % getattr(error, "problem", error)) from error
    if not isinstance(content, dict) or not content.get("kind"):
        raise refuse("Object 'Kind' is missing in '%s'" % text.decode("utf-8", "replace"))
    version, kind = content.get("apiVersion") or "", content["kind"]
    if not version:
        raise refuse("Object 'apiVersion' is missing in '%s'" % text.decode("utf-8", "replace"))
    if kind != "CredentialProviderConfig" or version not in [_CONFIG + known for known in _VERSIONS]:
        raise refuse(
            'no kind "%s" is registered for version "%s" in scheme "pkg/credentialprovider/plugin"' % (kind, version)
        )
    try:
        unknown = _Strict(minor, version).check(node, content)
    except _Untyped as error:
        raise refuse(str(error)) from None
    if unknown:
        raise refuse("strict decoding error: " + ", ".join(unknown))
    return list(content.get("providers") or [])


class _Untyped(Exception):
    """A value of another type than its key wants."""


class _Strict:
    """Unknown keys, keys that are there twice, and values of another type."""

    def __init__(self, minor: int, version: str) -> None:
        self.keys = list(_KEYS)
        if minor >= 33 and version == _CONFIG + "v1":
            self.keys.append("tokenAttributes")
        # v1.33 has the gate off, and does not know this one yet.
        self.token_keys = {key: kind for key, kind in _TOKEN_KEYS.items() if minor >= 34 or key != "cacheType"}
        self.found: list[str] = []

    def check(self, node: Any, content: dict[str, Any]) -> list[str]:
        """What is wrong with the keys.

        :raises _Untyped: for a value, which comes first.
        """
        self._twice(node)
        self._unknown(content, ("apiVersion", "kind", "providers"), "")
        for number, entry in enumerate(_typed(content, "providers", list, "CredentialProviderConfig")):
            self._entry(_whole(entry, "CredentialProviderConfig.providers"), "providers[%d]" % number)
        return self.found

    def _entry(self, entry: dict[str, Any], where: str) -> None:
        place = "CredentialProvider.providers"
        self._unknown(entry, self.keys, where)
        for key in ("name", "apiVersion", "defaultCacheDuration"):
            _typed(entry, key, str, place)
        duration = entry.get("defaultCacheDuration")
        if duration is not None and not is_duration(duration):
            why = "missing unit in" if _NUMBER.match(duration) else "invalid"
            raise _Untyped('time: %s duration "%s"' % (why, duration))
        for key in ("matchImages", "args"):
            for item in _typed(entry, key, list, place):
                _typed({key: item}, key, str, place)
        for number, item in enumerate(_typed(entry, "env", list, place)):
            self._unknown(_whole(item, place + ".env"), ("name", "value"), "%s.env[%d]" % (where, number))
            for key in ("name", "value"):
                _typed(item, key, str, "ExecEnvVar.providers.env")
        tokens = _typed(entry, "tokenAttributes", dict, place) if "tokenAttributes" in self.keys else {}
        self._unknown(tokens, self.token_keys, where + ".tokenAttributes")
        for key, kind in self.token_keys.items():
            _typed(tokens, key, kind, "ServiceAccountTokenAttributes.providers.tokenAttributes")

    def _twice(self, node: Any) -> None:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    self.found.append('yaml: unmarshal errors: key "%s" already set in map' % key.value)
                seen.add(key.value)
                self._twice(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                self._twice(value)

    def _unknown(self, content: dict[str, Any], known: Any, where: str) -> None:
        prefix = where + "." if where else ""
        self.found += ['unknown field "%s%s"' % (prefix, key) for key in content if key not in known]


def _typed(content: dict[str, Any], key: str, kind: Any, place: str) -> Any:
    """The value, or an empty one; YAML's numbers are no strings for a kubelet."""
    value = content.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise _Untyped(
            "json: cannot unmarshal %s into Go struct field %s.%s of type %s"
            % (_json_name(value), place, key, _GO[kind])
        )
    return value


def _whole(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Untyped("json: cannot unmarshal %s into Go struct field %s of type struct" % (_json_name(value), place))
    return value


_GO = {str: "string", list: "[]string", dict: "struct", bool: "bool"}


def _json_name(value: Any) -> str:
    kinds = ((bool, "bool"), ((int, float), "number"), (list, "array"), (dict, "object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "string")  # type: ignore[arg-type]


def _problems(entries: list[dict[str, Any]], minor: int) -> list[str]:
    if not entries:
        return ["providers: Required value: at least 1 item in plugins is required"]
    found: list[str] = []
    seen: set[str] = set()
    for entry in entries:
        name = entry.get("name") or ""
        for bad, words in (("/", "contain '/'"), (" ", "contain spaces")):
            if bad in name:
                found.append('providers.name: Invalid value: "%s": provider name cannot %s' % (name, words))
        if name in (".", ".."):
            found.append("providers.name: Invalid value: \"%s\": provider name cannot be '%s'" % (name, name))
        if name in seen:
            found.append('providers.name: Duplicate value: "%s"' % name)
        seen.add(name)
        version = entry.get("apiVersion") or ""
        if not version:
            found.append("providers.apiVersion: Required value")
        elif version not in [_PROVIDER + known for known in _VERSIONS]:
            supported = ", ".join('"%s"' % (_PROVIDER + known) for known in sorted(_VERSIONS))
            found.append('providers.apiVersion: Unsupported value: "%s": supported values: %s' % (version, supported))
        found += _image_problems(entry.get("matchImages") or [])
        if entry.get("defaultCacheDuration") is None:
            found.append("providers.defaultCacheDuration: Required value")
        elif seconds(entry["defaultCacheDuration"]) < 0:
            found.append(
                'providers.defaultCacheDuration: Invalid value: "%s": '
                "defaultCacheDuration must be greater than or equal to 0" % entry["defaultCacheDuration"]
            )
        if entry.get("tokenAttributes") is not None:
            found += _token_problems(entry["tokenAttributes"], version, minor)
    return found


def _image_problems(images: list[str]) -> list[str]:
    if not images:
        return ["providers.matchImages: Required value: at least 1 item in matchImages is required"]
    found = []
    for image in images:
        try:
            keyring.split(image)
        except go_url.URLError as error:
            found.append('providers.matchImages: Invalid value: "%s": match image is invalid: %s' % (image, error))
    return found


def _token_problems(tokens: dict[str, Any], version: str, minor: int) -> list[str]:
    place = "providers.tokenAttributes"
    found = []
    if minor < 34:
        found.append(
            place
            + ": Forbidden: tokenAttributes is not supported when KubeletServiceAccountTokenForCredentialProviders"
            " feature gate is disabled"
        )
    for key in ("serviceAccountTokenAudience", "requireServiceAccount"):
        if tokens.get(key) in (None, ""):
            found.append("%s.%s: Required value" % (place, key))
    if version != _PROVIDER + "v1":
        found.append(place + ": Forbidden: tokenAttributes is only supported for %sv1 API version" % _PROVIDER)
    required = tokens.get("requiredServiceAccountAnnotationKeys") or []
    if required and tokens.get("requireServiceAccount") is False:
        found.append(
            place + ".requiredServiceAccountAnnotationKeys: Forbidden: requireServiceAccount cannot be false when"
            " requiredServiceAccountAnnotationKeys is set"
        )
    if set(required) & set(tokens.get("optionalServiceAccountAnnotationKeys") or []):
        found.append(place + ": Invalid value: annotation keys cannot be both required and optional")
    cache_type = tokens.get("cacheType")
    if minor >= 34 and not cache_type:
        found.append(
            place + ".cacheType: Required value: cacheType is required to be set when tokenAttributes is specified."
            " Supported values are: " + ", ".join(_CACHE_TYPES)
        )
    elif minor >= 34 and cache_type not in _CACHE_TYPES:
        found.append('%s.cacheType: Unsupported value: "%s"' % (place, cache_type))
    return found


def is_duration(text: str) -> bool:
    return bool(_DURATION.match(text))


def seconds(text: str) -> float:
    """Go's duration."""
    return (-1 if text.startswith("-") else 1) * sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(text))


def _provider(entry: dict[str, Any]) -> Provider:
    given = entry.get("tokenAttributes")
    tokens = None
    if given is not None:
        tokens = Tokens(
            given["serviceAccountTokenAudience"], given["requireServiceAccount"],
            given.get("requiredServiceAccountAnnotationKeys") or [],
            given.get("optionalServiceAccountAnnotationKeys") or [], given.get("cacheType", ""),
        )  # fmt: skip
    return Provider(
        entry.get("name") or "", entry["apiVersion"], entry["matchImages"], seconds(entry["defaultCacheDuration"]),
        entry.get("args") or [], [(item.get("name", ""), item.get("value", "")) for item in entry.get("env") or []],
        tokens,
    )  # fmt: skip
