# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's root folder with units in it, and a systemd that answers for them."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity import units
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome


class NodeRoot:
    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.shown: dict[str, str] = {}
        self.calls: list[Sequence[str]] = []
        (path / "run/systemd/system").mkdir(parents=True)
        monkeypatch.setattr(units, "run", self._systemctl)

    def _systemctl(self, command: Sequence[str], timeout: float) -> Outcome:
        self.calls.append(command)
        return Outcome(0, "\n".join(self.shown[name] for name in command[3:]), "")

    def without_systemd(self) -> None:
        (self.path / "run/systemd/system").rmdir()

    def write(self, path: str, text: str) -> str:
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return str(target)

    def unit(
        self,
        service: str,
        text: str,
        active: str = "inactive",
        enabled: str = "disabled",
        pid: int = 0,
        more: Sequence[str] = (),
        folder: str = "etc/systemd/system",
    ) -> None:
        self.write("%s/%s.service" % (folder, service), text)
        lines = ["Id=%s.service" % service, "LoadState=loaded", "ActiveState=" + active, "UnitFileState=" + enabled]
        lines += ["MainPID=%d" % pid, "NRestarts=0", *more]
        self.shown[service + ".service"] = "".join(line + "\n" for line in lines)

    def runs(self, service: str, start: str, active: str = "active", enabled: str = "enabled") -> None:
        """A unit with one ExecStart."""
        self.unit(service, "[Service]\nExecStart=%s\n" % start, active, enabled)
