# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of K3s that decide what becomes of registries.yaml, and where each of them stands.

K3s takes a flag of its command line before an environment variable, and that before config.yaml, whose drop-ins
(``config.yaml.d/*.yaml``, in the order of their names) replace what stands before them. Source: ``pkg/configfilearg``
and ``pkg/cli/cmds`` of k3s-io/k3s.
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import (
    redact,
    visible,
    without_credentials,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml import scalars
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import DecodeError
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.nodes import (
    ALIAS,
    SCALAR,
    SEQUENCE,
    Node,
    compose,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.reader import read_characters

#: Key to the environment variable that sets it ("" where none does), without its prefix ``K3S_`` or ``RKE2_``.
KEYS = {
    "disable-default-registry-endpoint": "",
    "embedded-registry": "",
    "system-default-registry": "SYSTEM_DEFAULT_REGISTRY",
    "private-registry": "",
    "data-dir": "DATA_DIR",
    "https-listen-port": "",
    "pause-image": "",
    "airgap-extra-registry": "",
    "container-runtime-endpoint": "",
    "docker": "",
    "image-credential-provider-config": "",
    "image-credential-provider-bin-dir": "",
    "image-service-endpoint": "",
}
_SHORT = {"d": "data-dir"}
#: A node sends its files whole. What is longer, or more, is nobody's configuration, and takes minutes to be read.
LARGEST_FILE = 128 << 10
_MOST_TEXT = 256 << 10
_MOST_ITEMS = 50
_FLAGS = ("disable-default-registry-endpoint", "embedded-registry", "docker")


class Setting(NamedTuple):
    """``source`` is a file or ``unit``."""

    source: str
    key: str
    value: Any


class Settings:
    """What is set, every place of it, the one that counts last.

    :ivar unreadable: configuration files that are no YAML, with which K3s does not start.
    :ivar too_large: those that were not read, for their length.
    """

    def __init__(
        self,
        distribution: str,
        command: Sequence[str],
        environment: Sequence[tuple[str, Mapping[str, str]]],
        config_files: Sequence[tuple[str, str]],
    ) -> None:
        self.found: list[Setting] = []
        self.unreadable: list[str] = []
        self.too_large: list[str] = []
        read = 0
        for path, text in config_files:
            if len(text) <= min(LARGEST_FILE, _MOST_TEXT - read):
                read += len(text)
                self._from_file(path, text)
            else:
                self.too_large.append(path)
        prefix = distribution.upper() + "_"
        for source, variables in environment:
            for key, variable in KEYS.items():
                if variable and variables.get(prefix + variable):
                    self.found.append(Setting(source, key, variables[prefix + variable]))
        self._from_command(command)

    def _from_file(self, path: str, text: str) -> None:
        try:
            root = compose(read_characters(text))
        except (DecodeError, RecursionError):
            # The parser's message may quote the line, which may hold the cluster's token.
            self.unreadable.append(path)
            return
        # Not by a loader, which puts in place of an alias all that it stands for: a few lines can stand for billions.
        children = iter(root.children if root is not None and root.kind not in (SCALAR, SEQUENCE, ALIAS) else ())
        for key, value in zip(children, children):
            name = key.value.rstrip("+").lstrip("-")
            if name in KEYS:
                self.found.append(Setting(path, name, _plain(value)))

    def _from_command(self, command: Sequence[str]) -> None:
        for index, word in enumerate(command):
            name, equals, value = word.lstrip("-").partition("=")
            key = _SHORT.get(name, name)
            if not word.startswith("-") or key not in KEYS:
                continue
            if not equals:
                following = command[index + 1] if index + 1 < len(command) else ""
                value = "true" if key in _FLAGS else following
            self.found.append(Setting("unit", key, value))

    def value(self, key: str) -> Any:
        """What counts for ``key``, None where it is not set."""
        return next((setting.value for setting in reversed(self.found) if setting.key == key), None)

    def source(self, key: str) -> str:
        return next((setting.source for setting in reversed(self.found) if setting.key == key), "")

    def flag(self, key: str) -> bool | None:
        """A setting that is true or false, None where it is not set."""
        value = self.value(key)
        return None if value is None else str(value).strip().lower() in ("true", "1", "t", "yes", "on")

    def listed(self) -> list[dict[str, Any]]:
        """All of them, for the result, without secrets."""
        return [
            {"source": setting.source, "key": setting.key, "value": _shown(setting.value)} for setting in self.found
        ]


def _plain(node: Node | None, within: bool = False) -> Any:
    """The value of a node: a text, a number, true or false, or a list of those. Nothing in K3s' settings is deeper."""
    if node is not None and node.kind == ALIAS:
        node = node.target
    if node is None or (node.kind != SCALAR and (within or node.kind != SEQUENCE)):
        return "(a mapping)" if node is not None else None
    if node.kind == SEQUENCE:
        return [_plain(child, within=True) for child in node.children[:_MOST_ITEMS]]
    try:
        kind = scalars.type_of(node.tag, node.value, node.implicit)
    except scalars.ScalarError:
        return node.value
    if kind == scalars.NULL:
        return None
    if kind == scalars.BOOL:
        return scalars.truth(node.value)
    return int(node.value) if kind == scalars.INT and node.value.isdecimal() and node.value[0] != "0" else node.value


def _shown(value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(str(_shown(item)) for item in value)
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    return visible(redact(without_credentials(str(value))))
