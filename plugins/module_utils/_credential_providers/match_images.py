# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images a provider is asked for: the kubelet's own comparison of ``matchImages`` with an image's name.

Source: ``URLsMatch`` in ``pkg/credentialprovider/keyring.go`` of kubernetes/kubernetes. The registry's name has to
have as many parts as the pattern, each of which may hold wildcards; the port has to be the same; the path has to begin
with the pattern's, letter by letter.
"""

from __future__ import annotations

import re

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_url import GoUrl, GoUrlError, parse

_PORT = re.compile(r"(.*):([^:\[\]]*)", re.DOTALL)
_NAMES_OF_DOCKER_HUB = ("index.docker.io", "registry-1.docker.io")


class BadPattern(ValueError):
    """The kubelet cannot read the pattern, or it cannot match any image; the text says why."""


def matches(pattern: str, image: str) -> bool:
    """Whether the kubelet asks a provider with this pattern for an image.

    :param image: its full name without tag and digest, such as ``docker.io/library/busybox``.
    """
    try:
        glob, target = _parsed(pattern), _parsed(image)
        parts, port = _split(glob.host)
        names, target_port = _split(target.host)
        if port != target_port or len(parts) != len(names) or not target.path.startswith(glob.path):
            return False
        return all(_fits(part, name) for part, name in zip(parts, names))
    except BadPattern:
        return False


def problem(pattern: str) -> str:
    """Why a pattern is none, or will never match; "" for a good one."""
    try:
        glob = _parsed(pattern)
    except BadPattern as bad:
        return str(bad)
    if "://" in pattern:
        return "it begins with a scheme, and images do not: leave out %s://" % pattern.partition("://")[0]
    parts = _split(glob.host)[0]
    if not any(parts):
        return "it names no registry"
    if "[" in "".join(parts):
        return "an IPv6 address without a port matches no image: the kubelet reads its brackets as a wildcard"
    if glob.username is not None or glob.raw_query or glob.force_query or glob.fragment:
        return "it has a user name, a question mark or a hash sign in it, and images do not"
    if ".".join(parts) in _NAMES_OF_DOCKER_HUB:
        return "images of Docker Hub are named after docker.io, whatever a pod's text says"
    if re.search(r"[*?\[]", glob.path):
        return "a wildcard counts in the registry's name only, and this one is in the path: write where the path begins"
    if re.search(r":[^/@]+\Z|@", pattern.partition("/")[2]):
        return "it has a tag or a digest, and the kubelet compares without them"
    return ""


def _parsed(text: str) -> GoUrl:
    try:
        return parse("https://" + text)
    except GoUrlError as error:
        raise BadPattern(str(error)) from None


def _split(host: str) -> tuple[list[str], str]:
    """The parts of a name and the port."""
    match = _PORT.fullmatch(host)
    # As Go's net.SplitHostPort: several colons are no name with a port, unless brackets hold them.
    if match and (":" not in match.group(1) or match.group(1)[:1] + match.group(1)[-1:] == "[]"):
        name, port = match.groups()
        return (name[1:-1] if name.startswith("[") else name).split("."), port
    return host.split("."), ""


def _fits(part: str, name: str) -> bool:
    """Go's ``filepath.Match`` as far as it can come to it: Go's URLs have no question mark and no backslash in a host,
    and brackets only around an address, where they stand for one letter of it."""
    if "[" in part:
        return False
    return re.fullmatch("(?s:.*)".join(re.escape(piece) for piece in part.split("*")), name) is not None
