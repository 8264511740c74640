# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an image comes from and where it goes: what the nodes will ask for is where it is put."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import DOCKER_HUB, DOCKER_HUB_HOST
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import Image, ImageError, parse_image
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import Attempt

_URL = re.compile(r"/v2/(.+)/manifests/[^/]+")
_HOST_PATH = re.compile(r"(?:(https?)://)?([^/\s]+)(?:/(.*?))?/?")


class TargetProblem(ValueError):
    """It cannot be said where an image goes or comes from; the text names the image and what to do."""


class Place(NamedTuple):
    """An image in a registry: ``reference`` is a tag or a digest."""

    scheme: str
    host: str
    repository: str
    reference: str

    @property
    def text(self) -> str:
        """As it is written, without the scheme."""
        return "%s/%s%s%s" % (self.host, self.repository, "@" if ":" in self.reference else ":", self.reference)


def target_of(
    image: Image,
    config: Config,
    mapping: Mapping[str, str],
    endpoint: str = "",
    system_default_registry: str = "",
    engine: Any = None,
) -> Place:
    """Where the nodes will look for an image first.

    :param config: the nodes' configuration, normalised.
    :param mapping: images (as in the list, or normalised) to ``host[:port]/repository[:tag]`` for special cases.
    :param endpoint: which mirror, by its host, if the nodes have several; "" takes the first.
    :param system_default_registry: what K3s' setting of this name puts before the names of system images.
    :param engine: google-re2, see :func:`resolve_image`.
    :raises TargetProblem: if nothing, or more than one thing, is asked for.
    """
    for name, target in mapping.items():
        try:
            if parse_image(name) == image:
                return _mapped(image, target, config)
        except ImageError as error:
            raise TargetProblem("mapping: %s" % error) from error
    asked = image
    if system_default_registry:
        separator = "@" if image.digest else ":"
        name = "%s/%s%s%s" % (system_default_registry.rstrip("/"), image.repository, separator, image.reference)
        asked = parse_image(name)
    attempts = resolve_image(asked.text, config, engine=engine)
    kinds = ("mirror", "default") if system_default_registry else ("mirror",)
    usable = [attempt for attempt in attempts if attempt["kind"] in kinds and not attempt.get("hosts_toml_error")]
    broken = next((attempt for attempt in attempts if attempt.get("hosts_toml_error")), None)
    if broken is not None:
        raise TargetProblem("%s: the nodes ignore its mirror: %s" % (image.text, broken["hosts_toml_error"]))
    if endpoint:
        usable = [attempt for attempt in usable if urlsplit(attempt["url"]).netloc == endpoint]
    if not usable:
        raise TargetProblem(
            '%s: no mirror%s serves it: add mirrors.%s (or "*") with an endpoint to k3s_registries, or name the '
            "image's place with mapping" % (image.text, " " + endpoint if endpoint else "", asked.registry)
        )
    return _asked_for(image, usable[0])


def _asked_for(image: Image, attempt: Attempt) -> Place:
    if attempt.get("rewrite_ambiguous"):
        raise TargetProblem(
            "%s: several rewrites fit and K3s takes any of them (%s): make the patterns exclude each other"
            % (image.text, ", ".join([attempt["repository"], *attempt["repository_alternatives"]]))
        )
    if attempt.get("rewrites_skipped"):
        reasons = "; ".join("%s: %s" % item for item in attempt["rewrites_skipped"].items())
        raise TargetProblem("%s: a rewrite cannot be applied here: %s" % (image.text, reasons))
    url = urlsplit(attempt["url"])
    found = _URL.fullmatch(url.path)
    if attempt.get("request_error") or not found:
        raise TargetProblem(
            "%s: the nodes ask for %s, where no registry takes uploads: its path must begin with /v2/. Correct the "
            "endpoint, or name the image's place with mapping" % (image.text, attempt["url"])
        )
    return Place(url.scheme, url.netloc, found.group(1), attempt["reference"])


def _mapped(image: Image, target: str, config: Config) -> Place:
    """A target as the user wrote it; http if the configuration names this host as an http endpoint."""
    found = _HOST_PATH.fullmatch(target.strip())
    if not found or not found.group(3):
        raise TargetProblem("mapping: %r is no place for %s: write host[:port]/repository[:tag]" % (target, image.text))
    scheme, host, rest = found.groups()
    try:
        parsed = parse_image("%s/%s" % (host, rest))
    except ImageError as error:
        raise TargetProblem("mapping of %s: %s" % (image.text, error)) from error
    tagged = ":" in rest or "@" in rest
    return Place(scheme or scheme_of(host, config), host, parsed.repository,
                 parsed.reference if tagged else image.reference)  # fmt: skip


def scheme_of(host: str, config: Config) -> str:
    """``http`` if an endpoint of the configuration says so for this host, otherwise ``https``."""
    endpoints = [endpoint for mirror in config["mirrors"].values() for endpoint in mirror["endpoint"]]
    plain = any(urlsplit(item).scheme == "http" and urlsplit(item).netloc == host for item in endpoints)
    return "http" if plain else "https"


def source_of(image: Image, source_registries: Mapping[str, str]) -> Place:
    """Where an image is taken from: its own registry, or the one that stands for it.

    :param source_registries: registry (``*`` for all others) to ``[http[s]://]host[:port][/prefix]``.
    :raises TargetProblem: if that is no such place.
    """
    instead = source_registries.get(image.registry, source_registries.get("*", ""))
    if not instead:
        host = DOCKER_HUB_HOST if image.registry == DOCKER_HUB else image.registry
        return Place("https", host, image.repository, image.reference)
    found = _HOST_PATH.fullmatch(instead.strip())
    if not found:
        raise TargetProblem("source_registries: %r is no [http[s]://]host[:port][/prefix]" % instead)
    scheme, host, prefix = found.groups()
    host = DOCKER_HUB_HOST if host == DOCKER_HUB else host
    repository = "%s/%s" % (prefix, image.repository) if prefix else image.repository
    return Place(scheme or "https", host, repository, image.reference)
