# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet on which a fault is played: changes to roll out, runs to strike in the middle, and what is looked at.

Every case rolls out a change of its own, a mirror whose name tells the change, so that old and new can be told apart
in registries.yaml and in what K3s has loaded.
"""

from __future__ import annotations

import contextlib
import copy
import datetime
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

import yaml

from tests.fleet import faults, nodes
from tests.fleet.podman import CHECKOUT
from tests.fleet.state import Fleet
from tests.integration.cluster import SITE, Cluster, Run
from tests.integration.secrets_watch import Secrets

STATE = "/etc/rancher/k3s/k3sfleet"
REGISTRIES = "/etc/rancher/k3s/registries.yaml"
CERTS_D = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d"
ROLE = "TASK [k3sfleet.registries.k3s_registries : "
STAGING = ROLE + "Stage the configuration on all nodes]"
STAGED = ROLE + "Take the rollout lease of the cluster]"

#: Seconds after which a run gives a node up that a fault keeps from becoming healthy. All other nodes get
#: ``_RESTART_TIMEOUT``: on a busy machine even a sound stand-in takes half a minute.
GIVEN_UP = 45
_RESTART_TIMEOUT = 180
_PATIENCE = 150.0

# Short, so that a run notices soon that a connection is gone. An operator's ssh may take minutes.
_SSH = {"ANSIBLE_SSH_ARGS": "-C -o ControlMaster=no -o ServerAliveInterval=1 -o ServerAliveCountMax=3"}


class Missed(AssertionError):
    """Something did not come about as the case says."""


class Strike:
    """A run of ansible-playbook in the background, to be struck at a moment that can be seen from outside."""

    def __init__(self, scene: Scene, playbook: str, variables: Mapping[str, Any], *arguments: str) -> None:
        self.scene = scene
        self.path = scene.cluster.folder / ("run-%d.log" % time.monotonic_ns())
        self.began = time.time()
        with open(self.path, "wb") as log:
            self.process = subprocess.Popen(
                scene.cluster.command(playbook, *arguments, variables=variables, hosts=scene.given_up),
                cwd=CHECKOUT, env=scene.cluster.environment(_SSH), stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    @property
    def output(self) -> str:
        return self.path.read_text(encoding="utf-8", errors="replace")

    def says(self, text: str) -> None:
        """Wait until the run has printed ``text``."""
        wait_until(lambda: text in self.output or self.process.poll() is not None, "the run to say %r" % text)
        if text not in self.output:
            raise Missed("the run ended without saying %r:\n%s" % (text, self.output[-3000:]))

    def reaches(self, node: str, step: str) -> None:
        """Wait until the commit on ``node`` has come to ``step``, as its note on the node says."""
        script = "until grep -qs '%s' %s/transaction.json; do sleep 0.02; done" % (step, STATE)
        outcome = nodes.execute(self.scene.fleet, node, ["timeout", "90", "sh", "-c", script], check=False)
        if outcome.returncode:
            raise Missed("%s never came to %r:\n%s" % (node, step, self.output[-3000:]))

    def kill(self) -> Run:
        """SIGKILL to everything that the run has started, as when the controller loses power."""
        os.killpg(self.process.pid, signal.SIGKILL)
        return self.end()

    def end(self) -> Run:
        try:
            self.process.wait(_PATIENCE * 2)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise Missed("the run did not end:\n%s" % self.output[-3000:]) from None
        return self.scene.seen(Run.of(self.process.returncode, self.output, self.began))


class Scene:
    """``number`` counts the changes; ``old`` and ``new`` are the mirrors that tell them.

    :ivar given_up: node to the variables that have runs give it up early; each change begins without any.
    """

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.fleet = fleet
        variables: dict[str, Any] = yaml.safe_load((fleet.folder / "registries.yml").read_text(encoding="utf-8"))
        key = (fleet.folder / "pki" / "client.key").read_text(encoding="utf-8")
        self.secrets = Secrets({"the password": fleet.registry.password.split()[0], "the client's key": key})
        self.secrets.add_basic_auth(fleet.registry.username, fleet.registry.password)
        variables["k3s_registries_restart_timeout"] = _RESTART_TIMEOUT
        variables["k3s_registries_canary_timeout"] = 10
        # The faults are those of a rollout, and each is shown as fast as it can be.
        variables["k3s_registries_rehearse"] = "never"
        self.cluster = Cluster(fleet, folder, variables, self.secrets)
        (folder / "vault-password").write_text("unused\n", encoding="utf-8")
        # A fleet that was kept has changes of earlier matrices.
        self.number = int(time.time()) if fleet.k3s != "stand-in" else 0
        self.leaks: list[str] = []
        self.given_up: dict[str, dict[str, Any]] = {}

    @property
    def old(self) -> str:
        return "change-%d.test" % (self.number - 1)

    @property
    def new(self) -> str:
        return "change-%d.test" % self.number

    def next(self) -> None:
        self.number += 1
        self.given_up.clear()

    def give_up(self, node: str, after: int = GIVEN_UP) -> None:
        """Let runs wait only ``after`` seconds for ``node`` to become healthy."""
        self.given_up[node] = {"k3s_registries_restart_timeout": after}

    def variables(self, which: str | None = None, **more: Any) -> dict[str, Any]:
        """The change ``which``, the new one by default, and more variables of the role."""
        config = copy.deepcopy(self.cluster.variables["k3s_registries"])
        config["mirrors"][which or self.new] = {"endpoint": [self.fleet.registry.url]}
        return {"k3s_registries": config, **{"k3s_registries_" + key: value for key, value in more.items()}}

    def play(self, *arguments: str, which: str | None = None, playbook: str = SITE, **more: Any) -> Run:
        """Roll a change out and wait for the end."""
        return Strike(self, playbook, self.variables(which, **more), *arguments).end()

    def start(self, *arguments: str, playbook: str = SITE, **more: Any) -> Strike:
        return Strike(self, playbook, self.variables(**more), *arguments)

    def seen(self, run: Run) -> Run:
        self.leaks += self.secrets.found_in(run.output)
        return run

    def sh(self, node: str, command: str) -> str:
        return self.cluster.sh(node, command)

    def fault(self, node: str, fault: str, given_up_after: int = GIVEN_UP) -> None:
        """Have K3s misbehave on ``node`` as long as the new configuration is in place; runs give it up early."""
        faults.set_fault(self.fleet, node, fault, mentions=self.new)
        self.give_up(node, given_up_after)

    def no_faults_but(self, node: str) -> None:
        """Clear the faults of all nodes but one that is off."""
        for name in self.cluster.names:
            if name != node:
                faults.set_fault(self.fleet, name, "clear")

    def no_faults(self) -> None:
        self.given_up.clear()
        if self.fleet.k3s != "stand-in":
            return
        for name in self.cluster.names:
            faults.set_fault(self.fleet, name, "clear")

    def measured(self, sentence: str) -> None:
        """Say what a case has measured, for the person at the terminal."""
        print("  " + sentence, flush=True)

    def quiet(self) -> None:
        """Wait until nothing of a run is under way on any node: a commit goes on when its controller has died."""
        busy = "if pgrep -f '[B]ECOME-SUCCESS' >/dev/null; then echo busy; fi"
        wait_until(lambda: not any(map(str.strip, self.cluster.everywhere(busy).values())), "the nodes to be quiet")

    def running(self, *names: str) -> None:
        """Wait until K3s is up on these nodes, on all where none is named: containerd runs, the unit is active and the
        node's own API says that it is Ready."""
        for name in names or self.cluster.names:
            service = self.cluster.service(name)
            command = (
                "if systemctl is-active --quiet %s && timeout 5 k3s crictl info >/dev/null 2>&1 && "
                "timeout 5 k3s kubectl --kubeconfig /var/lib/rancher/k3s/agent/kubelet.kubeconfig get node %s "
                "2>/dev/null | grep -qw Ready; then echo up; fi"
            ) % (service, name)
            wait_until(lambda name=name, command=command: self.sh(name, command).strip() == "up", name + " to be up")

    def lease_ended(self) -> None:
        """Wait until no run holds the rollout lease. A server takes it for as long as its commit may last, so if it
        loses its power in between, nobody releases it."""
        command = (
            "k3s kubectl --kubeconfig /etc/rancher/k3s/k3s.yaml --namespace kube-system "
            "get lease k3sfleet-registries-rollout --output json"
        )

        def ended() -> bool:
            spec = json.loads(self.sh(self.fleet.servers[0].name, command))["spec"]
            if not spec.get("holderIdentity"):
                return True
            renewed = datetime.datetime.strptime(spec["renewTime"].rstrip("Z") + "+0000", "%Y-%m-%dT%H:%M:%S.%f%z")
            return time.time() > renewed.timestamp() + spec["leaseDurationSeconds"]

        wait_until(ended, "the rollout lease to end", 4 * _PATIENCE)

    def all_started(self) -> None:
        """Start what a case has left stopped: the next one begins with a cluster that runs."""
        for name in self.cluster.names:
            service = self.cluster.service(name)
            self.sh(name, "systemctl is-active --quiet %s || systemctl start %s" % (service, service))
        self.running()

    def states(self) -> dict[str, str]:
        """Node to ``old``, ``new``, or what it is instead; with ``, stopped`` where K3s does not run."""
        command = (
            "grep -o 'change-[0-9]*[.]test' %s | sort -u | tr '\\n' ' '; echo '|'; ls %s 2>/dev/null | grep -o "
            "'change-[0-9]*[.]test' | tr '\\n' ' '; echo '|'; systemctl show --property=ActiveState --value %%s"
        ) % (REGISTRIES, CERTS_D)
        found = {}
        for name in self.cluster.names:
            said = self.sh(name, command % self.cluster.service(name))
            text, loaded, unit = (part.strip() for part in said.split("|"))
            found[name] = self._state(text, loaded, unit)
        return found

    def _state(self, text: str, loaded: str, unit: str) -> str:
        words = {self.old: "old", self.new: "new"}
        if unit != "active":
            return words.get(text, "text of %s" % (text or "nothing")) + ", stopped"
        if text == loaded and text in words:
            return words[text]
        return "THIRD: text of %s, loaded %s" % (text or "nothing", loaded or "nothing")

    @contextlib.contextmanager
    def mended(self, mend: Callable[[], object]) -> Iterator[None]:
        """Undo a fault whatever becomes of the block."""
        try:
            yield
        finally:
            mend()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = _PATIENCE) -> None:
    """Look until it is so.

    :raises Missed: when it is not so after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Missed("waited %d s for %s" % (seconds, what))
        time.sleep(0.1)


def excerpt(run: Run, pattern: str) -> str:
    """The part of the output that ``pattern`` (a regular expression, whitespace counts as one space) matches.

    :raises Missed: when nothing does.
    """
    output = " ".join(run.output.split())
    found = re.search(pattern, output)
    if found is None:
        raise Missed("the run did not say %r:\n%s" % (pattern, run.output[-3000:]))
    return found.group(0)
