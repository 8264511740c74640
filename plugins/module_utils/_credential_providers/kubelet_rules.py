# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kubelet refuses in its configuration of credential providers.

With a file that it refuses, or a provider that is not there, K3s ends at every start: so everything is checked before
the file is written. Source: ``validateCredentialProviderConfig`` in ``pkg/credentialprovider/plugin/config.go`` of
kubernetes/kubernetes. What the kubelet takes although it cannot work, such as a pattern that matches no image, is
refused here too.
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import TEMPORARY_SUFFIX
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.kept_shapes import is_text
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import Release

from . import go_duration, match_images
from .provider import Provider

FIRST_RELEASE = (1, 26)
"""Since then the kubelet reads ``kubelet.config.k8s.io/v1``, the only form that is written here."""

FIRST_WITH_TOKENS = (1, 34)
"""Since then ``tokenAttributes`` are on, and have their cacheType. v1.33 knows them only behind a feature gate that is
off, and not in this form."""

TOKEN_KEYS = (
    "serviceAccountTokenAudience", "cacheType", "requireServiceAccount", "requiredServiceAccountAnnotationKeys",
    "optionalServiceAccountAnnotationKeys",
)  # fmt: skip
CACHE_TYPES = ("ServiceAccount", "Token")

# Linux' longest file name, less what a file that is being written has behind its name.
_LONGEST_NAME = 200
_QUALIFIED = re.compile(
    r"(?:(?=[^/]{1,253}/)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*/)?"
    r"[a-z0-9](?:[a-z0-9_.-]{0,61}[a-z0-9])?"
)


def problems(providers: Sequence[Provider]) -> list[str]:
    """What is wrong with them, whatever the release: sentences that begin with the provider's name."""
    found = []
    names = [provider.name for provider in providers]
    for index, provider in enumerate(providers):
        said = [*_of_name(provider.name), *_of_images(provider.match_images)]
        said += _of_duration(provider.default_cache_duration)
        said += _of_process(provider)
        if provider.token_attributes is not None:
            said += _of_tokens(provider.token_attributes)
        if provider.name in names[:index]:
            said.append("another provider has the same name")
        found += ["%s: %s" % (provider.name or "provider %d" % (index + 1), sentence) for sentence in said]
    return found


def lacking(providers: Iterable[Provider], release: Release) -> list[str]:
    """What a release cannot do of what is wanted, as sentences."""
    found = []
    line = (release.major, release.minor)
    for provider in providers:
        if line < FIRST_RELEASE:
            return ["credential providers need v%d.%d or newer, and %s is installed" % (*FIRST_RELEASE, release.text)]
        if provider.token_attributes is not None and line < FIRST_WITH_TOKENS:
            found.append(
                "%s: token_attributes need v%d.%d or newer, and %s is installed"
                % (provider.name, *FIRST_WITH_TOKENS, release.text)
            )
    return found


def _of_name(name: str) -> Iterator[str]:
    if not name or name in (".", ".."):
        yield "a provider needs a name, which is that of its program in the kubelet's folder"
    elif re.search(r"[/\s\x00-\x1f\x7f]", name) or not is_text(name):
        yield "a name with a slash, a space or a control character in it is no name of a program"
    elif name.startswith(".") or name.endswith(TEMPORARY_SUFFIX):
        yield (
            "a name that begins with a dot, or ends with %s, is for the collection's own files there" % TEMPORARY_SUFFIX
        )
    elif len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        yield "its name is longer than %d bytes" % _LONGEST_NAME


def _of_images(patterns: Sequence[str]) -> Iterator[str]:
    if not patterns:
        yield "match_images needs at least one pattern, such as registry.example.com or *.dkr.ecr.*.amazonaws.com"
    for pattern in patterns:
        problem = match_images.problem(pattern)
        if problem:
            yield "match_images %s: %s" % (pattern, problem)


def _of_duration(text: str) -> Iterator[str]:
    try:
        if go_duration.seconds(text) < 0:
            yield "default_cache_duration %s: it is below zero" % text
    except ValueError as error:
        yield "default_cache_duration: %s" % error


def _of_process(provider: Provider) -> Iterator[str]:
    # A value may be secret, and is not quoted.
    if not all(_can_be_given(word) for word in provider.args):
        yield "args: an argument has a null byte in it, or half a letter"
    for name, value in provider.env:
        if not name or "=" in name or not _can_be_given(name):
            yield "env: %r is no name of a variable" % name
        elif not _can_be_given(value):
            yield "env %s: its value has a null byte in it, or half a letter" % name


def _can_be_given(text: str) -> bool:
    return "\0" not in text and is_text(text)


def _of_tokens(attributes: Mapping[str, Any]) -> Iterator[str]:
    unknown = sorted(set(attributes) - set(TOKEN_KEYS))
    if unknown:
        yield "token_attributes: the kubelet does not know %s, only %s" % (", ".join(unknown), ", ".join(TOKEN_KEYS))
    audience = attributes.get("serviceAccountTokenAudience")
    if not isinstance(audience, str) or not audience:
        yield "token_attributes: serviceAccountTokenAudience is needed, a text"
    requires = attributes.get("requireServiceAccount")
    if not isinstance(requires, bool):
        yield "token_attributes: requireServiceAccount is needed, true or false"
    if attributes.get("cacheType") not in CACHE_TYPES:
        yield "token_attributes: cacheType is needed, %s" % " or ".join(CACHE_TYPES)
    keys = {}
    for which in ("required", "optional"):
        name = which + "ServiceAccountAnnotationKeys"
        value = attributes.get(name)
        keys[which] = value if isinstance(value, (list, tuple)) else []
        if not isinstance(value, (list, tuple, type(None))) or not all(isinstance(key, str) for key in keys[which]):
            yield "token_attributes: %s has to be a list of texts" % name
            return
        for key in keys[which]:
            if not _QUALIFIED.fullmatch(key.lower()):
                yield "token_attributes: %s: %s is no key of an annotation" % (name, key)
        if len(set(keys[which])) < len(keys[which]):
            yield "token_attributes: %s names a key twice" % name
    if keys["required"] and requires is False:
        yield "token_attributes: requiredServiceAccountAnnotationKeys need requireServiceAccount: true"
    both = sorted(set(keys["required"]) & set(keys["optional"]))
    if both:
        yield "token_attributes: %s cannot be required and optional" % ", ".join(both)
