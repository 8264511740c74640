# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""promtool, and what it is asked about: the alerts and the dashboard's expressions."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Iterator

import yaml

from tests.monitoring.programs import path_of

_FOLDER = Path(__file__).resolve().parents[2] / "examples" / "monitoring"
RULES = _FOLDER / "k3s-registries.rules.yml"
DASHBOARD = _FOLDER / "k3s-registries.dashboard.json"


def promtool(*arguments: str, said: str = "") -> str:
    """What it prints.

    :param said: its standard input.
    :raises AssertionError: if it is not content.
    """
    done = subprocess.run(
        [path_of("promtool"), *arguments],
        input=said,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert by its name."""
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    found = {rule["alert"]: rule for rule in group["rules"]}
    assert len(found) == len(group["rules"]), "two alerts have one name"
    return found


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    read: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return read


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of the dashboard with the panel it is in."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield "%s, %s" % (panel["title"], target["refId"]), target["expr"]


def metrics_in(expression: str) -> set[str]:
    """The names of the collection's metrics in an expression."""
    return set(re.findall(r"\bk3s_registries_\w+", expression))
