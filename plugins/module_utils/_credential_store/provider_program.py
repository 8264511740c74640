# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers the kubelet's question for an image's credentials out of one file. This file is the program itself.

It is put on nodes under an interpreter of theirs (see ``handed_over.py``), and started by the kubelet for every pull.
So it imports nothing but the standard library, and says nothing about what it has read: the kubelet logs what a
provider that fails writes to its standard error. Source of the question and the answer: ``CredentialProviderRequest``
and ``CredentialProviderResponse`` in ``staging/src/k8s.io/kubelet/pkg/apis/credentialprovider/v1/types.go`` of
Kubernetes.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import Any, Sequence

NAME = "k3sfleet-credential-store"
"""The name of the program's file, by which the kubelet knows it."""

FORMAT = 1
_GROUP = "credentialprovider.kubelet.k8s.io/"
_LARGEST_QUESTION = 1 << 20
_LARGEST_STORE = 16 << 20


class NoAnswer(Exception):
    """The text is for the kubelet's log, and holds nothing of what was read."""


def answer(question: Any, stored: Any) -> dict[str, Any]:
    """What the kubelet gets for an image: the credentials that are stored for its registry, or none.

    It must not keep them: the next pull is to get what the file has by then.

    :raises NoAnswer: if this is not what a kubelet asks, or not the collection's file.
    """
    if not isinstance(question, dict) or question.get("kind") != "CredentialProviderRequest":
        raise NoAnswer("this is no CredentialProviderRequest")
    version, image = question.get("apiVersion"), question.get("image")
    if not isinstance(version, str) or not version.startswith(_GROUP) or not isinstance(image, str):
        raise NoAnswer("this is no CredentialProviderRequest that is known")
    if not isinstance(stored, dict) or stored.get("format") != FORMAT or not isinstance(stored.get("registries"), dict):
        raise NoAnswer("the file was not written for this program")
    # The kubelet always writes the registry out: docker.io/library/nginx.
    registry = image.partition("/")[0]
    auth = {}
    found = stored["registries"].get(registry)
    if found is not None:
        if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in ("username", "password")):
            raise NoAnswer("the file was not written for this program")
        auth[registry] = {"username": found["username"], "password": found["password"]}
    return {
        "kind": "CredentialProviderResponse",
        "apiVersion": version,
        "cacheKeyType": "Registry",
        "cacheDuration": "0s",
        "auth": auth,
    }


def read_store(path: str) -> Any:
    """The file's content, which is believed only if nobody but its owner, who runs this, could read or write it.

    :raises NoAnswer: if it is not so, or there is none.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise NoAnswer("the file cannot be opened: %s" % os.strerror(error.errno or 0)) from None
    with os.fdopen(descriptor, "rb") as handle:
        status = os.fstat(handle.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise NoAnswer("the file has to be a regular one of root's with mode 0600")
        content = handle.read(_LARGEST_STORE + 1)
    # Its first line says whose it is.
    return _json(content.partition(b"\n")[2] if content[:1] == b"#" else content, _LARGEST_STORE, "the file")


def _json(content: bytes, largest: int, what: str) -> Any:
    if len(content) > largest:
        raise NoAnswer("%s is too large" % what)
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        # The parser's own message quotes what it has read.
        raise NoAnswer("%s is no JSON" % what) from None


def main(arguments: Sequence[str]) -> int:
    """Answer the question on standard input; ``arguments``: the file."""
    try:
        if len(arguments) != 1:
            raise NoAnswer("name the file, and nothing else")
        question = _json(sys.stdin.buffer.read(_LARGEST_QUESTION + 1), _LARGEST_QUESTION, "the question")
        said = json.dumps(answer(question, read_store(arguments[0])))
    except NoAnswer as problem:
        sys.stderr.write("%s: %s\n" % (NAME, problem))
        return 1
    except Exception:  # noqa: BLE001
        # A traceback could show what was read.
        sys.stderr.write("%s: there was an error that is not shown\n" % NAME)
        return 1
    sys.stdout.write(said + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
