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

import yaml
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.redact import redact

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
_FLAGS = ("disable-default-registry-endpoint", "embedded-registry", "docker")


class Setting(NamedTuple):
    """``source`` is a file or ``unit``."""

    source: str
    key: str
    value: Any


class Settings:
    """What is set, every place of it, the one that counts last.

    :ivar unreadable: configuration files that are no YAML, with which K3s does not start.
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
        for path, text in config_files:
            self._from_file(path, text)
        prefix = distribution.upper() + "_"
        for source, variables in environment:
            for key, variable in KEYS.items():
                if variable and variables.get(prefix + variable):
                    self.found.append(Setting(source, key, variables[prefix + variable]))
        self._from_command(command)

    def _from_file(self, path: str, text: str) -> None:
        try:
            content = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError):
            # The parser's message quotes the line, which may hold the cluster's token.
            self.unreadable.append(path)
            return
        for key, value in content.items() if isinstance(content, dict) else ():
            name = str(key).rstrip("+").lstrip("-")
            if name in KEYS:
                self.found.append(Setting(path, name, value))

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


def _shown(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float)) or value is None else redact(str(value))
