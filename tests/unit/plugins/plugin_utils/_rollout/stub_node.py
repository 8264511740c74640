# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the nodes' half of the modules, in the worker processes of a real ansible-playbook.

It becomes the action plugins k3s_registries, k3s_rollout and k3s_rollout_lease of the tests' collection: the real ones,
whose call to the node is answered here. Every host is late by a random time before each of its tasks, as on a busy
machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import lease_keeper
from ansible_collections.k3sfleet.registries.plugins.real_action import k3s_registries, k3s_rollout, k3s_rollout_lease

with open(os.environ["ROLLOUT_SCENARIO"], encoding="utf-8") as _handle:
    SCENARIO: dict[str, Any] = json.load(_handle)


def _late(*about: str) -> None:
    seed = hashlib.sha256("/".join((str(SCENARIO["seed"]), *about)).encode("utf-8")).digest()
    time.sleep(random.Random(seed).random() * float(SCENARIO["late"]))


def _times(host: str, event: str) -> int:
    with open(SCENARIO["log"], encoding="utf-8") as handle:
        lines = [json.loads(line) for line in handle]
    return sum(line["host"] == host and line["event"] == event for line in lines)


def _note(host: str, event: str) -> None:
    line = json.dumps({"at": time.monotonic(), "host": host, "event": event}) + "\n"
    descriptor = os.open(SCENARIO["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode("utf-8"))
    os.close(descriptor)


class _Stubbed:
    """What they have in common: lateness."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        host = str(task_vars["inventory_hostname"])
        time.sleep(float(SCENARIO.get("later", {}).get(host, 0)))
        _late(host, str(self._task._uuid))  # type: ignore[attr-defined]
        return super().run(tmp, task_vars)  # type: ignore[misc, no-any-return]


class Registries(_Stubbed, k3s_registries.ActionModule):  # type: ignore[misc]
    """Stages: every host needs a restart, unless the scenario says something else of it."""

    def _execute_module(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        host = str(task_vars["inventory_hostname"])
        if "rehearse" in module_args:
            return self._found(host)
        _note(host, "staged")
        if host in SCENARIO.get("unreachable_while_staging", ()):
            raise AnsibleConnectionFailure("no route to host")
        well = {"healthy": True, "sentence": "node Ready", "explained": False}
        answer = {"changed": True, "restart": True, "live": False, "reasons": ["it is new"], "health": well}
        return {**answer, **SCENARIO.get("staged", {}).get(host, {})}

    @staticmethod
    def _found(host: str) -> dict[str, Any]:
        """Loses the images that the scenario says."""
        _note(host, "rehearsed")
        time.sleep(float(SCENARIO.get("rehearses", 0)))
        lost = SCENARIO.get("loses", {}).get(host, [])
        images = [{"image": name, "verdict": "lost", "allowed": False, "message": "Not there."} for name in lost]
        return {"rehearsal": {"images": images, "headline": "%d lost" % len(lost), "stops": bool(lost)}}


class Lease(_Stubbed, k3s_rollout_lease.ActionModule):  # type: ignore[misc]
    """Has the lease, and renews it as often as the scenario says."""

    def _execute_module(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        lease_keeper.RENEW_EVERY = float(SCENARIO.get("renews_every", lease_keeper.RENEW_EVERY))
        event = "renewed" if module_args.get("renew_only") else module_args["state"]
        _note(str(task_vars["inventory_hostname"]), event)
        return {"lease": "taken" if module_args["state"] == "held" else "released"}


class Rollout(_Stubbed, k3s_rollout.ActionModule):  # type: ignore[misc]
    """Commits, which takes a random time."""

    def _execute_module(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        host = str(task_vars["inventory_hostname"])
        _note(host, "began")
        time.sleep(float(SCENARIO.get("takes", 0.02)))
        _late("commit", host)
        if SCENARIO.get("kills_its_worker") == host:
            os.kill(os.getpid(), signal.SIGKILL)
        if SCENARIO.get("kills_the_controller") == host:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(1.0)
        if SCENARIO.get("unreachable") == host:
            raise AnsibleConnectionFailure("connection timed out")
        _note(host, "ended")
        if SCENARIO.get("fails") == host or (SCENARIO.get("fails_once") == host and _times(host, "began") == 1):
            return {"failed": True, "msg": "never became healthy", "step": "restarted", "rolled_back": True}
        return {"changed": True, "restarted": True, "step": "done", "seconds": 0.1}
