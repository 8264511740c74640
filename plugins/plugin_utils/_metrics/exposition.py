# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics as text, in Prometheus' text format 0.0.4, which node_exporter reads.

https://prometheus.io/docs/instrumenting/exposition_formats/ says what has to be escaped: a backslash and a line feed in
a HELP text, and quotation marks as well in a label's value.
"""

from __future__ import annotations

import math
from typing import Iterable, Mapping, NamedTuple

#: Label names to values, in the order in which they are written.
Labels = Mapping[str, str]


class Family(NamedTuple):
    """A metric with its samples; all are gauges. ``samples``: labels and value, no two with the same labels."""

    name: str
    help: str
    samples: tuple[tuple[Labels, float], ...]


def text(families: Iterable[Family]) -> str:
    """The families that have samples, each with its HELP and TYPE."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        lines.append("# HELP %s %s" % (family.name, _help(family.help)))
        lines.append("# TYPE %s gauge" % family.name)
        lines += [_sample(family.name, labels, value) for labels, value in family.samples]
    return "".join(line + "\n" for line in lines)


def _sample(name: str, labels: Labels, value: float) -> str:
    inside = ",".join('%s="%s"' % (key, _label(said)) for key, said in labels.items())
    return "%s%s %s" % (name, "{%s}" % inside if inside else "", _number(value))


def _help(said: str) -> str:
    return _encodable(said).replace("\\", "\\\\").replace("\n", "\\n")


def _label(said: str) -> str:
    return _help(said).replace('"', '\\"')


def _encodable(said: str) -> str:
    """Without halves of surrogate pairs, which UTF-8 does not have."""
    return said.encode("utf-8", "replace").decode("utf-8")


def _number(value: float) -> str:
    """As Go reads it, whole numbers without a fraction."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
