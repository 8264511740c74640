# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of K3s that decide what becomes of registries.yaml, and where each of them stands.

K3s turns config.yaml and its drop-ins (``config.yaml.d/*.yaml``, in the order of their names, each replacing what
stands before it) into flags that it puts before those of its command line, where the last one counts; an environment
variable counts only for a flag that neither has. Source: ``pkg/configfilearg/parser.go`` and ``pkg/cli/cmds`` of
k3s-io/k3s, and the command-line library that K3s uses.
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence, Tuple

#: Key to the environment variable that sets it ("" if none does), without its prefix ``K3S_`` or ``RKE2_``.
KEYS = {
    "disable-default-registry-endpoint": "",
    "embedded-registry": "",
    "system-default-registry": "SYSTEM_DEFAULT_REGISTRY",
    "private-registry": "",
    "data-dir": "DATA_DIR",
    "https-listen-port": "",
    "supervisor-port": "SUPERVISOR_PORT",
    "service-cidr": "",
    "node-ip": "",
    "write-kubeconfig": "KUBECONFIG_OUTPUT",
    "pause-image": "",
    "airgap-extra-registry": "",
    "container-runtime-endpoint": "",
    "docker": "",
    "image-credential-provider-config": "",
    "image-credential-provider-bin-dir": "",
    "image-service-endpoint": "",
}
_SHORT = {"d": "data-dir", "o": "write-kubeconfig"}
_FLAGS = ("disable-default-registry-endpoint", "embedded-registry", "docker")
_TRUE = ("true", "1", "t", "y", "yes", "on")

#: A configuration file and its keys with their values, in the order of the file.
FileEntries = Tuple[str, Sequence[Tuple[str, Any]]]


class Setting(NamedTuple):
    """``source`` is a file, an environment file, or ``unit``."""

    source: str
    key: str
    value: Any


class Settings:
    """What is set, every place of it, the one that counts last."""

    def __init__(
        self,
        distribution: str = "k3s",
        command: Sequence[str] = (),
        environment: Sequence[tuple[str, Mapping[str, str]]] = (),
        config_files: Sequence[FileEntries] = (),
    ) -> None:
        self._sources = (distribution, command, environment, tuple(config_files))
        self.found: list[Setting] = []
        #: The values of settings that take several, in K3s' order.
        self._lists: dict[str, list[str]] = {}
        prefix = distribution.upper() + "_"
        for source, variables in environment:
            for key, variable in KEYS.items():
                if variable and variables.get(prefix + variable):
                    self.found.append(Setting(source, key, variables[prefix + variable]))
        for path, entries in config_files:
            for name, value in entries:
                key = str(name).rstrip("+").lstrip("-")
                if key in KEYS:
                    self.found.append(Setting(path, key, value))
                    # A later file replaces what is before it, unless its key says to append.
                    before = self._lists.get(key, []) if str(name).endswith("+") else []
                    self._lists[key] = [*before, *_items(value)]
        self._from_command(command)

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
            # A list of the command line goes on where that of the files ends.
            self._lists[key] = [*self._lists.get(key, []), *_items(value)]

    def with_file(self, path: str, entries: Sequence[tuple[str, Any]]) -> Settings:
        """These settings once the drop-in ``path`` has ``entries``; none of them takes it away."""
        distribution, command, environment, config_files = self._sources
        # K3s reads its main file first and the drop-ins in the order of their names.
        main = [item for item in config_files if item[0] == path.rpartition(".d/")[0]]
        drop_ins = [item for item in config_files if item not in main and item[0] != path]
        drop_ins += [(path, tuple(entries))] if entries else []
        return Settings(distribution, command, environment, [*main, *sorted(drop_ins, key=lambda item: item[0])])

    def value(self, key: str) -> Any:
        """What counts for ``key``, None if it is not set."""
        return next((setting.value for setting in reversed(self.found) if setting.key == key), None)

    def source(self, key: str) -> str:
        return next((setting.source for setting in reversed(self.found) if setting.key == key), "")

    def flag(self, key: str) -> bool | None:
        """A setting that is true or false, None if it is not set."""
        value = self.value(key)
        return None if value is None else str(value).strip().lower() in _TRUE

    def first(self, key: str) -> str:
        """The first value of a setting that takes several, "" if it is not set."""
        return next(iter(self._lists.get(key, ())), "")


def _items(value: Any) -> list[str]:
    """The values of a list, or of a text with commas between them."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [part.strip() for item in values if item is not None for part in str(item).split(",") if part.strip()]
