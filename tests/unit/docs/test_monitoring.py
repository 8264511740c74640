# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/monitoring.md lists every metric with its labels, and every alert with its severity."""

from __future__ import annotations

import re

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.nodes import STATES
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._metrics.metrics import HELP, PREFIX

from tests.docs.pages import CHECKOUT
from tests.monitoring import samples
from tests.monitoring.promtool import alerts

PAGE = (CHECKOUT / "docs" / "monitoring.md").read_text(encoding="utf-8")


def rows(head: str) -> list[list[str]]:
    """The cells of a table's rows, below its head."""
    table = PAGE.split("\n| %s |" % head)[1].split("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]


def test_every_metric_is_listed_with_its_labels() -> None:
    listed = {re.findall(r"`(\w+)`", row[0])[0]: set(re.findall(r"`(\w+)`", row[1])) for row in rows("metric")}
    written = samples.read(samples.text(samples.host()))
    assert listed == {name: {key for labels in found for key, _ in labels} for name, found in written.items()}
    assert list(listed) == [PREFIX + name for name in HELP]


def test_every_state_is_listed() -> None:
    (row,) = [row for row in rows("metric") if "k3s_registries_state`" in row[0]]
    assert set(re.findall(r"`(\w+)`", row[2])) == {"loaded", *STATES}


def test_every_alert_is_listed_with_its_severity() -> None:
    listed: dict[str, str] = {}
    for row in rows("alert"):
        names = re.findall(r"`(\w+)`", row[0])
        listed.update(zip(names, row[1].split(", ")))
    assert listed == {name: rule["labels"]["severity"] for name, rule in alerts().items()}
