# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's last words: one row per node, put together from journals, files and the registry's log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import yaml

from tests.fleet import nodes
from tests.fleet.state import Fleet

HEAD = ("node", "role", "registries configured", "restarted in", "image pulled", "through")


@dataclass(frozen=True)
class Row:
    """``restarted``: seconds away, None without a restart. ``pulled``: whether the registry served the node's pull;
    ``fresh``: whether it did so in this run."""

    node: str
    role: str
    registries: list[str]
    restarted: float | None
    image: str
    through: str
    pulled: bool
    fresh: bool

    def cells(self) -> tuple[str, ...]:
        restarted = "unchanged" if self.restarted is None else "%.1f s" % self.restarted
        image = (self.image + ("" if self.fresh else " (earlier)")) if self.pulled else "NOT PULLED"
        return (self.node, self.role, ", ".join(self.registries) or "none", restarted, image, self.through)


def rows(fleet: Fleet, report: dict[str, Any], log: list[dict[str, Any]], started: float) -> list[Row]:
    """One row for each node. ``log`` is the whole of the registry's log, ``started`` the run's epoch time."""
    result = []
    for node in fleet.nodes:
        absences = report["nodes"][node.name]["absences"]
        seconds = sum(absence["seconds"] or 0.0 for absence in absences) if absences else None
        pulls = [entry for entry in log if is_pull(entry, fleet) and entry["node"] == node.name]
        last = pulls[-1] if pulls else None
        result.append(
            Row(
                node.name,
                node.role,
                configured(fleet, node.name),
                seconds,
                "%s/%s:%s" % (last["ns"], last["repository"], last["reference"]) if last else "",
                "https://%s as %s, with client certificate" % (last["host"], last["user"]) if last else "",
                last is not None,
                last is not None and last["at"] >= started,
            )
        )
    return result


def is_pull(entry: dict[str, Any], fleet: Fleet) -> bool:
    """Whether the registry resolved a tag for a client with a certificate and the password, under another registry's
    name: through a mirror, in other words."""
    return (
        entry["kind"] == "request"
        and entry["status"] == 200
        and "/manifests/" in entry["path"]
        and not entry["reference"].startswith("sha256:")
        and entry["user"] == fleet.registry.username
        and entry["ns"] == "docker.io"
    )


def configured(fleet: Fleet, node: str) -> list[str]:
    """The mirrored registries in the node's registries.yaml."""
    outcome = nodes.execute(fleet, node, ["cat", fleet.config_dir + "/registries.yaml"], check=False)
    if outcome.returncode:
        return []
    content = yaml.safe_load(outcome.stdout) or {}
    return sorted(content.get("mirrors") or {})


def table(found: list[Row]) -> str:
    cells = [HEAD, *[row.cells() for row in found]]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def sentence(fleet: Fleet, found: list[Row], seconds: float) -> str:
    restarted = [row for row in found if row.restarted is not None]
    missing = [row.node for row in found if not row.pulled]
    kind = "the stand-in for K3s" if fleet.k3s == "stand-in" else "K3s"
    said = "%d nodes with %s %s, %d restarted, %.1f s." % (len(found), kind, fleet.release, len(restarted), seconds)
    if missing:
        return said + " Not pulled through %s: %s." % (fleet.registry.url, ", ".join(missing))
    times = [row.restarted for row in restarted if row.restarted is not None]
    if not times:
        return said + " Nothing to do."
    return said + " Every pull showed a client certificate and the password to %s. %s" % (
        fleet.registry.url, time.strftime("Done %H:%M:%S."),
    )  # fmt: skip
