# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long predicting and resolving take for a big configuration: ``python -m tests.bench.rules``.

Each line names what was done, the best of several runs in milliseconds, the budget, and whether it
was met; the exit status is 1 where one was missed. One core, no input or output.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._filters import rewrite_engine
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.decode import decode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.encode import encode

import tests.conftest  # noqa: F401 (makes the collection importable)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

MIRRORS = CONFIGS = 200
BUDGET_MS = 50.0
"""For lint, predict and resolve, each, with 200 mirrors and 200 configs."""

RUNS = 5


class Measurement(NamedTuple):
    """The best time of one piece of work; ``budget_ms`` is None where there is no budget."""

    name: str
    best_ms: float
    budget_ms: float | None

    @property
    def line(self) -> str:
        """One line of the report."""
        if self.budget_ms is None:
            return f"{self.name:<52} {self.best_ms:8.1f} ms"
        verdict = "ok" if self.best_ms <= self.budget_ms else "OVER BUDGET"
        return f"{self.name:<52} {self.best_ms:8.1f} ms of {self.budget_ms:.0f} ms  {verdict}"


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
    yield Measurement(f"predict hosts.toml ({size})", best_of(lambda: hosts_toml(config)), BUDGET_MS)
    yield Measurement(
        f"resolve an image ({size})", best_of(lambda: resolve_image(image, config, engine=engine)), BUDGET_MS
    )
    yield Measurement(f"encode registries.yaml ({size})", best_of(lambda: encode(config)), None)
    yield Measurement(f"decode registries.yaml ({size})", best_of(lambda: decode(text)), None)


def best_of(work: Callable[[], object], runs: int = RUNS) -> float:
    """The shortest of several runs, in milliseconds of this process's own time on the processor."""
    times = []
    for _run in range(runs):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times) * 1000


def main() -> int:
    """Prints the report; 1 where a budget is missed."""
    missed = False
    for measurement in measurements():
        print(measurement.line)
        missed = missed or (measurement.budget_ms is not None and measurement.best_ms > measurement.budget_ms)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
