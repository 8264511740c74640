# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""K3s' own configuration files, as far as this node can read them by itself."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files

from .settings import KEYS

_LARGEST = 1 << 20


class ConfigFile(NamedTuple):
    """``text`` may hold the cluster's token. ``entries`` are the settings that count, None if only a YAML parser can
    tell them; ``changed_at`` is when it was written, in seconds since 1970."""

    path: str
    text: str
    changed_at: float
    entries: tuple[tuple[str, Any], ...] | None

    @property
    def digest(self) -> str:
        """Names this text on this node, to know whether it is still the one that the controller has read."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogateescape")).hexdigest()


def main_config_file(
    distribution: str,
    command: Sequence[str],
    environment: Sequence[tuple[str, Mapping[str, str]]],
    config_dir: str,
) -> str:
    """The path of config.yaml: the environment's, else that of ``--config``, else the default.

    Source: ``findConfigFileFlag`` in ``pkg/configfilearg/parser.go`` of k3s-io/k3s.

    :param config_dir: the folder of the default.
    """
    found = ""
    for _source, variables in environment:
        found = variables.get(distribution.upper() + "_CONFIG_FILE", found)
    for index, word in enumerate(command) if not found else ():
        if word in ("--config", "-c"):
            found = command[index + 1] if index + 1 < len(command) else ""
        elif word.startswith(("--config=", "-c=")):
            found = word.partition("=")[2]
    if not os.path.isabs(found):
        found = os.path.join(config_dir, "config.yaml")
    return found


def read_config_files(main: str, read: Callable[[], Mapping[str, Any]]) -> list[ConfigFile]:
    """The main file and its drop-ins, in the order in which K3s reads them. What cannot be read is left out.

    :param read: gives the entries that the controller has read, by path: ``{digest, entries}``; they count while the
        text is the one that it has read.
    """
    found = []
    drop_ins = [name for name in files.names_in(main + ".d") if name.lower().endswith((".yaml", ".yml"))]
    for path in [main, *(os.path.join(main + ".d", name) for name in drop_ins)]:
        try:
            content = files.read(path).content
            changed_at = os.stat(path).st_mtime
        except (OSError, files.FileProblem):
            continue
        if content is None:
            continue
        text = content[:_LARGEST].decode("utf-8", "surrogateescape")
        # Imported here: most agents have no such file.
        from .flat_yaml import Unsure, read_flat

        item = ConfigFile(path, text, changed_at, None)
        try:
            item = item._replace(entries=tuple(read_flat(text, KEYS)))
        except Unsure:
            known = read().get(path)
            if isinstance(known, Mapping) and known.get("digest") == item.digest:
                item = item._replace(entries=tuple((str(key), value) for key, value in known["entries"]))
        found.append(item)
    return found
