# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node should have: made once on the controller, shipped as one text, kept on the node as the candidate.

The text holds credentials and private keys. It travels as one ``no_log`` module argument, lies on the
node only in a file of mode 0600 below a folder of mode 0700, and nothing here puts it into a message.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any, Mapping

FORMAT = 1


class DesiredProblem(ValueError):
    """The text is not one of ours, or of another version of the collection."""


@dataclass(frozen=True)
class DesiredFile:
    """One file to have. ``secret`` files are 0600; certificates alone are public."""

    path: str
    content: bytes
    mode: int


@dataclass(frozen=True)
class Desired:
    """The wanted state of one node.

    ``files`` are in the order in which they are put in place: certificates, the drop-in, registries.yaml last,
    so that K3s never reads a file that names a certificate which is not there yet.
    ``predictions`` are the sets of ``{registry: hosts.toml text}`` that K3s may generate from it: more than one
    where a setting that changes the text (the default endpoint, the embedded registry) is left alone.
    ``auth`` is what K3s writes to containerd's config.toml: ``{registry: {key: value}}``.
    ``shape`` is the configuration without any secret, for checks against the node's release.
    ``description`` is the redacted text that diffs show, ``certificates`` the facts about the shipped ones.
    """

    files: tuple[DesiredFile, ...]
    predictions: tuple[dict[str, str], ...]
    auth: dict[str, dict[str, str]]
    shape: dict[str, Any]
    settings: dict[str, Any]
    description: str
    certificates: tuple[dict[str, Any], ...]
    registries: tuple[str, ...]

    @property
    def absent(self) -> bool:
        """Whether nothing of ours should be left."""
        return not self.files

    def text(self) -> str:
        """The shipped form. Equal states give equal texts."""
        return json.dumps(
            {
                "format": FORMAT,
                "files": [
                    {"path": item.path, "content": item.content.decode("utf-8"), "mode": item.mode}
                    for item in self.files
                ],
                "predictions": list(self.predictions),
                "auth": self.auth,
                "shape": self.shape,
                "settings": self.settings,
                "description": self.description,
                "certificates": list(self.certificates),
                "registries": list(self.registries),
            },
            sort_keys=True,
            ensure_ascii=True,
        )

    def digest(self) -> str:
        """Names this state without telling anything about it: only ever compared with others on the same node."""
        return hashlib.sha256(self.text().encode("utf-8")).hexdigest()


def from_text(text: str) -> Desired:
    """Read the shipped form back.

    :raises DesiredProblem: when it is damaged or was written by an incompatible version.
    """
    try:
        raw: Mapping[str, Any] = json.loads(text)
    except ValueError:
        # The parser's own message quotes what it read, which is secret here.
        raise DesiredProblem("the prepared state is damaged (no JSON)") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise DesiredProblem("the prepared state was written by another version of the collection")
    try:
        return Desired(
            files=tuple(
                DesiredFile(item["path"], item["content"].encode("utf-8"), int(item["mode"])) for item in raw["files"]
            ),
            predictions=tuple(raw["predictions"]),
            auth=raw["auth"],
            shape=raw["shape"],
            settings=raw["settings"],
            description=raw["description"],
            certificates=tuple(raw["certificates"]),
            registries=tuple(raw["registries"]),
        )
    except (KeyError, TypeError, AttributeError):
        raise DesiredProblem("the prepared state is damaged (a part is missing)") from None


def inside(path: str, folder: str) -> bool:
    """Whether ``path`` lies below ``folder``, both absolute, by their text."""
    return os.path.normpath(path).startswith(os.path.normpath(folder) + os.sep)
