# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pull with credentials of its own, as the kubelet asks containerd for it.

What ``crictl`` pulls has the credentials that containerd read at its start. On a node whose password was rotated in the
store those are the old ones, and a canary would try them. Source: ``PullImageRequest`` in
``staging/src/k8s.io/cri-api/pkg/apis/runtime/v1/api.proto`` of Kubernetes.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import Callable

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import grpc_call
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

from .on_the_node import read
from .store import Login, StoreDamaged

SOCKET = "/run/k3s/containerd/containerd.sock"
"""Where containerd listens, of K3s as of RKE2."""

_METHOD = "/runtime.v1.ImageService/PullImage"


def as_the_kubelet(paths: NodePaths, image: str) -> tuple[Callable[[float], Outcome] | None, list[str]]:
    """How an image is pulled with the store's credentials, under a deadline; None if it has none for it, or cannot be
    read, so that the kubelet gets none either. And what no text may show of the store."""
    try:
        store = read(paths)
        login = store.logins.get(parse_image(image).registry)
    except (FileProblem, ImageError, StoreDamaged):
        return None, []
    return (partial(pull, image, login) if login is not None else None), store.secrets()


def pull(image: str, login: Login, timeout: float, socket_path: str = SOCKET) -> Outcome:
    """Pull an image with these credentials. Why it failed stands in containerd's log: the answer's status is
    compressed, and is not read.

    :returns: ``status`` 0 if it was pulled, 1 if containerd refused or failed, None if there was no answer in time.
    """
    try:
        grpc_call.call_socket(socket_path, _METHOD, request(image, login), timeout)
    except grpc_call.NoAnswer:
        return Outcome(1, "", "containerd could not pull it")
    except socket.timeout:
        return Outcome(None, "", "containerd did not answer within %g s" % timeout)
    except (OSError, ValueError) as error:
        return Outcome(None, "", "containerd cannot be asked: %s" % error)
    return Outcome(0, "", "")


def request(image: str, login: Login) -> bytes:
    """The question. No server is named with the credentials, as the kubelet names none."""
    auth = _text(1, login.username) + _text(2, login.password)
    return _field(1, _text(1, image)) + _field(2, auth)


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode("utf-8"))


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes, of text or of a message (Protocol Buffers, wire type 2)."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
