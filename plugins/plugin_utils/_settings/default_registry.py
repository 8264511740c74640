# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether K3s takes a value for ``system-default-registry``, and pulls from there.

K3s puts the text before the names of its own images, so it has to be what stands before the first slash of an image's
name: ``host[:port]``, by the grammar of distribution/reference. Newer RKE2 takes a path after it.
"""

from __future__ import annotations

import re

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

_VARIABLE = "k3s_registries_system_default_registry"
_USER = re.compile(r"(^|://).*@", re.DOTALL)
_PORT = re.compile(r":([0-9]+)$")
_IMAGE = "rancher/mirrored-pause:3.6"


def problem(value: str | None, distribution: str) -> str:
    """What is wrong with ``value``, as a sentence; "" if it is valid, or not set (None or empty)."""
    if not value:
        return ""
    reason = _reason(value, distribution)
    if not reason:
        return ""
    shown = _USER.sub(r"\1********@", value)
    wanted = "host[:port]" if distribution == "k3s" else "host[:port], with a path after it for a newer RKE2"
    return "%s is %r: %s. It must be %s, such as registry.example.com:5000" % (_VARIABLE, shown, reason, wanted)


def _reason(value: str, distribution: str) -> str:
    if value != value.strip() or re.search(r"\s", value):
        return "there is a space in it"
    if "://" in value:
        return "it has a scheme; K3s would treat that as a part of the image's name"
    if "@" in value:
        return "it has a user name; put credentials into k3s_registries, under configs.<registry>.auth"
    host, slash, _path = value.partition("/")
    if value.endswith("/"):
        return "it ends with a slash"
    if slash and distribution == "k3s":
        return "it has a path, which K3s does not support; use a mirror with a rewrite in k3s_registries instead"
    port = _PORT.search(host)
    if not host or host.startswith(":"):
        return "it has no host"
    if port and not 0 < int(port.group(1)) < 65536:
        return "%s is not a port" % port.group(1)
    try:
        image = parse_image("%s/%s" % (value, _IMAGE))
    except ImageError:
        return "an image's name cannot have that as its registry"
    if image.registry != host and host not in ("docker.io", "index.docker.io"):
        return "without a dot or a port, containerd treats it as a name on Docker Hub, not as a host"
    return ""
