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
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import (
    DECLARED,
    Declared,
    Provider,
    declared_from,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import json_object
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import ConfigError, normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import auth_tables

from .drop_in import drop_in_text
from .kept_shapes import fits, is_mode, is_path, is_text, optional
from .paths import DROP_IN_NAME, NodePaths

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

FORMAT = 2

PRESENT, SETTINGS, ABSENT, FOUND = "present", "settings", "absent", "found"
"""Kinds of wanted states: registries.yaml with all that belongs to it; K3s' settings in the drop-in alone, with
registries.yaml left as it is; nothing of the collection's; files that were found on the node before the collection."""


def _are_settings(value: Any) -> bool:
    return isinstance(value, dict) and all(
        fits(item, int) if key == "keep_generations" else item is None or isinstance(item, bool) or is_text(item)
        for key, item in value.items()
    )


_SHAPE = {
    "kind": lambda kind: kind in (PRESENT, SETTINGS, ABSENT, FOUND),
    "shipped": [{"path": is_path, "content": is_text, "mode": is_mode}], "registries_text": optional(is_text),
    "config": optional(dict), "settings": _are_settings, "description": is_text, "certificates": [dict],
    "registries": [is_text], "fingerprints": {"*": is_text},
}  # fmt: skip


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

    ``shipped`` are the files whose places the controller knows: certificates, and for a found state all of them.
    ``registries_text`` is registries.yaml's content, whose place the node knows; None if it is left alone.
    ``config`` is what K3s will read, normalised, credentials included; None for a state that was found on the node.
    ``settings`` are those beside registries.yaml and the collection's own.
    ``description`` is the redacted text that diffs show, without the drop-in: see :meth:`described`; ``certificates``
    are the facts about the shipped ones.
    ``fingerprints`` are those of the usual predictions: see ``_prediction/fingerprint.py``.
    ``expires`` are the days on which credentials end, by registry, as k3s_registries states them: no file has them.
    ``files`` are all files for a certain node, in the order in which they are put in place: certificates, the drop-in,
    the kubelet's configuration, registries.yaml last, so that K3s never reads a file that names a certificate which is
    not there yet: see :meth:`at`.
    ``providers`` are the kubelet's credential providers, ``on_node`` those that a certain node has a program for; for a
    found state only their programs are known.
    """

    kind: str
    shipped: tuple[DesiredFile, ...]
    registries_text: str | None
    config: Config | None
    settings: dict[str, Any]
    description: str
    certificates: tuple[dict[str, Any], ...]
    registries: tuple[str, ...]
    fingerprints: dict[str, str] = field(default_factory=dict)
    expires: dict[str, str] = field(default_factory=dict)
    files: tuple[DesiredFile, ...] = ()
    providers: tuple[Declared, ...] = ()
    on_node: tuple[Provider, ...] = ()

    @property
    def absent(self) -> bool:
        """Whether nothing of ours should be left."""
        return self.kind == ABSENT

    @property
    def manages_registries(self) -> bool:
        """Whether registries.yaml is the collection's business in this state."""
        return self.kind != SETTINGS

    @property
    def auth(self) -> dict[str, dict[str, str]]:
        """What K3s writes to containerd's config.toml: ``{registry: {key: value}}``."""
        return {host: dict(table) for host, table in auth_tables(self.config).items()} if self.config else {}

    def secrets(self) -> list[str]:
        """The values that no text may show."""
        found = [value for table in self.auth.values() for value in table.values() if value]
        return found + [value for declared in self.providers for value in declared.secrets()]

    def at(self, paths: NodePaths) -> Desired:
        """This state for a certain node: with its files."""
        files = list(self.shipped)
        drop_in = drop_in_text(self.settings, paths.node_role) if self.kind in (PRESENT, SETTINGS) else ""
        if drop_in:
            files.append(DesiredFile(paths.drop_in, drop_in.encode("utf-8"), 0o600))
        on_node = self.on_node
        if self.providers:
            # Imported here, as below: most nodes have none.
            from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import (
                config_yaml,
                program,
            )

            found = [declared.on(program.architecture()) for declared in self.providers]
            on_node = tuple(provider for provider in found if provider is not None)
            files.append(DesiredFile(paths.provider_config, config_yaml.text(on_node).encode("utf-8"), 0o600))
        if self.registries_text is not None:
            files.append(DesiredFile(paths.registries_yaml, self.registries_text.encode("utf-8"), 0o600))
        return replace(self, files=tuple(files), on_node=on_node)

    def described(self) -> str:
        """The description with the drop-in and the providers, for the node that ``files`` are for."""
        drop_in = next((item.content.decode("utf-8") for item in self.files if item.path.endswith(DROP_IN_NAME)), "")
        lines = ["# config.yaml.d", *drop_in.splitlines()[1:]] if drop_in else []
        if self.providers:
            from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import config_yaml
            from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import MASK

            shown = config_yaml.text(self.on_node, hidden=MASK).splitlines()[1:]
            programs = ["# %s: %s" % (item.name, item.path or "sha256 " + item.sha256) for item in self.on_node]
            lines += ["# credential providers", *shown, *programs]
        return self.description + "".join(line + "\n" for line in lines)

    def text(self) -> str:
        """The shipped form. Equal states give equal texts."""
        more: dict[str, Any] = {"expires": self.expires} if self.expires else {}
        if self.providers:
            more["providers"] = [item.as_json() for item in self.providers]
        return json.dumps(
            {
                **more,
                "format": FORMAT,
                "kind": self.kind,
                "shipped": [
                    {"path": item.path, "content": item.content.decode("utf-8"), "mode": item.mode}
                    for item in self.shipped
                ],
                "registries_text": self.registries_text,
                "config": self.config,
                "settings": self.settings,
                "description": self.description,
                "certificates": list(self.certificates),
                "registries": list(self.registries),
                "fingerprints": self.fingerprints,
            },
            sort_keys=True,
            ensure_ascii=True,
        )

    def digest(self) -> str:
        """Names this state without telling anything about it: only ever compared with others on the same node."""
        return hashlib.sha256(self.text().encode("utf-8")).hexdigest()


def from_text(text: str) -> Desired:
    """Read the shipped form back, for no certain node yet: see :meth:`Desired.at`.

    :raises DesiredProblem: if it is damaged or was written by an incompatible version.
    """
    try:
        raw = json_object(text.encode("utf-8"))
    except ValueError:
        # The parser's own message quotes what it read, which is secret here.
        raise DesiredProblem("the prepared state is damaged (no JSON)") from None
    if raw.get("format") != FORMAT:
        raise DesiredProblem("the prepared state was written by another version of the collection")
    optional = {"providers": [DECLARED], "expires": {"*": is_text}}
    if not fits(raw, _SHAPE) or not all(fits(raw[key], shape) for key, shape in optional.items() if key in raw):
        raise DesiredProblem("the prepared state is damaged (a part is missing)")
    try:
        config = None if raw["config"] is None else normalise(raw["config"])
    except ConfigError:
        raise DesiredProblem("the prepared state is damaged (its configuration)") from None
    return Desired(
        kind=raw["kind"],
        shipped=tuple(
            DesiredFile(item["path"], item["content"].encode("utf-8"), item["mode"]) for item in raw["shipped"]
        ),
        registries_text=raw["registries_text"],
        config=config,
        settings=raw["settings"],
        description=raw["description"],
        certificates=tuple(raw["certificates"]),
        registries=tuple(raw["registries"]),
        fingerprints=raw["fingerprints"],
        providers=tuple(declared_from(item) for item in raw.get("providers", [])),
        expires=raw.get("expires", {}),
    )


def inside(path: str, folder: str) -> bool:
    """Whether ``path`` lies below ``folder``, both absolute, by their text."""
    return os.path.normpath(path).startswith(os.path.normpath(folder) + os.sep)
