# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What K3s generates at its start from a node's registries.yaml, without a K3s: config.toml and every hosts.toml.

``python generated.py REGISTRIES_YAML DATA_DIRECTORY``. It is a program, since the stand-in's
parts know each other by the names that they have on a node.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fleet"))

from stand_in import go_yaml
from stand_in.containerd import Containerd
from stand_in.faults import Faults
from stand_in.node import DEBIAN_S_CONTAINERD


def generate(registries_yaml: Path, data_dir: Path) -> None:
    """Write what K3s would."""
    node = SimpleNamespace(
        agent_dir=str(data_dir / "agent"), program="k3s", containerd=DEBIAN_S_CONTAINERD,
        socket="/run/k3s/containerd/containerd.sock",
    )  # fmt: skip
    registry = go_yaml.decode(registries_yaml.read_bytes())
    Containerd(node, Faults(str(registries_yaml))).write(registry, True, "")  # type: ignore[arg-type]


if __name__ == "__main__":
    generate(Path(sys.argv[1]), Path(sys.argv[2]))
