# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long lint, predicting and resolving take for a big configuration. One core, no input or output."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint import lint
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import NodeFacts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.outcome import Settings, Source, examine
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rewrite_engine import rewrite_engine
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.decode import decode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.encode import encode

from tests.bench.measurement import Measurement
from tests.bench.shortest import shortest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

MIRRORS = CONFIGS = 200
BUDGET_MS = 50.0
"""For lint, predict and resolve, each, with 200 mirrors and 200 configs."""
TEXT_BUDGET_MS = 300.0
"""For lint of the same as a text, with places and the line of each finding."""

RUNS, MOST_RUNS = 5, 200
"""So many that other work on the machine, or its host, has a pause meanwhile."""


def big_config() -> Config:
    """200 mirrors of two endpoints and two rewrites each, and 200 configs with credentials and TLS."""
    return normalise(
        {
            "mirrors": {
                f"registry-{number}.example.com:5000": {
                    "endpoint": [f"https://mirror-{number}.example.com:5000/v2/cache", f"http://10.0.0.{number}:5000"],
                    "rewrite": {"^library/(.*)": "hub/$1", f"^team-{number}/(.*)": f"teams/{number}/$1"},
                }
                for number in range(MIRRORS)
            },
            "configs": {
                f"mirror-{number}.example.com:5000": {
                    "auth": {"username": "robot", "password": f"secret #{number}"},
                    "tls": {"ca_file": f"/etc/ca-{number}.crt", "cert_file": "/etc/c.crt", "key_file": "/etc/c.key"},
                }
                for number in range(CONFIGS)
            },
        }
    )


def measurements() -> Iterator[Measurement]:
    """Every measurement of this theme, as it is made."""
    config = big_config()
    text = encode(config)
    engine = rewrite_engine()
    image = f"registry-{MIRRORS - 1}.example.com:5000/team-{MIRRORS - 1}/app:1"
    size = f"{MIRRORS} mirrors, {CONFIGS} configs"

    by = Settings(NodeFacts("v1.34.3+k3s1", images=[image]))

    def timed(name: str, work: Callable[[], object], budget: float | None = None) -> Measurement:
        return Measurement(f"{name} ({size})", best_of(work, budget), "ms", budget)

    yield timed("lint", lambda: lint(config, NodeFacts("v1.34.3+k3s1", images=[image])), BUDGET_MS)
    yield timed("predict hosts.toml", lambda: hosts_toml(config), BUDGET_MS)
    yield timed("resolve an image", lambda: resolve_image(image, config, engine=engine), BUDGET_MS)
    yield timed("lint the text, with places", lambda: examine([Source("registries.yaml", text)], by), TEXT_BUDGET_MS)
    yield timed("encode registries.yaml", lambda: encode(config))
    yield timed("decode registries.yaml", lambda: decode(text))


def best_of(work: Callable[[], object], budget: float | None) -> float:
    """The shortest of several runs, in milliseconds of this process's own time on the processor."""

    def timed() -> float:
        started = time.process_time()
        work()
        return (time.process_time() - started) * 1000

    return shortest(timed, budget, MOST_RUNS, RUNS)
