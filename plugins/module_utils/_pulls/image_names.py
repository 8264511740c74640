# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in a pull's log: image references and the hosts in URLs."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import DOCKER_HUB, DOCKER_HUB_HOST
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import default_host
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image as normalised_image

DOCKER_HUB_HOSTS = (DOCKER_HUB, "index.docker.io", DOCKER_HUB_HOST)

_URL = re.compile(r"https?://[^\s\"'<>\\]{1,16384}")
_NAMESPACE = re.compile(r"[?&]ns=([^&\s]{1,1000})")
_OBJECT = re.compile(r"([^/?&\s]{1,1000})")


class ImageName(NamedTuple):
    """An image reference as containerd uses it: `full` is the normalised text, `object` its digest or tag."""

    full: str
    registry: str
    repository: str
    object: str

    @property
    def default_host(self) -> str:
        """The host of the registry's default endpoint."""
        return default_host(self.registry)


class RequestUrl(NamedTuple):
    """A request of containerd's, as its error texts quote it; empty strings if the URL has no such part."""

    url: str
    host: str
    namespace: str
    repository: str
    object: str


def parse_image(text: str) -> ImageName:
    """`text` normalised as CRI does: ``nginx`` is ``docker.io/library/nginx:latest``.

    What containerd would refuse is kept as it stands: refusing it is a failure that a log may tell of.
    """
    try:
        image = normalised_image(text.strip())
    except ImageError:
        registry, _slash, repository = text.partition("/")
        return ImageName(text, registry, repository, "")
    return ImageName(image.text, image.registry, image.repository, image.reference)


def find_urls(text: str) -> list[str]:
    """The http(s) URLs in a text, in order, without the punctuation that follows them."""
    return [match.rstrip(":,.;)]") if not match.endswith("]") else match for match in _URL.findall(text)]


def mask_urls(text: str) -> str:
    """`text` with each URL replaced by a bar, its trailing colon kept: words in URLs are no error messages."""
    return _URL.sub(lambda match: "|:" if match.group(0).endswith(":") else "|", text)


def url_host(url: str) -> str:
    """The ``host[:port]`` of a URL, without userinfo."""
    return url.split("://", 1)[-1].split("/", 1)[0].split("?", 1)[0].rpartition("@")[2]


def parse_request(text: str) -> RequestUrl | None:
    """The last URL in an error text, taken apart, or None without one."""
    urls = find_urls(text)
    if not urls:
        return None
    url = urls[-1]
    namespace = _NAMESPACE.search(url)
    repository, name = _object(url.split("://", 1)[-1].split("?", 1)[0])
    if repository.startswith("v2/"):
        repository = repository[len("v2/") :]
    return RequestUrl(url, url_host(url), unquote(namespace.group(1)) if namespace else "", repository, name)


def _object(address: str) -> tuple[str, str]:
    """What stands before and after the last ``/manifests/`` or ``/blobs/`` of a host with its path; "" without."""
    start = address.find("/") + 1
    for end, after in sorted(((address.rfind(word), len(word)) for word in ("/manifests/", "/blobs/")), reverse=True):
        name = _OBJECT.match(address, end + after) if 0 < start < end else None
        if name is not None:
            return address[start:end], name.group(1)
    return "", ""
