# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`k3s server` and `k3s agent`: the order in which K3s starts its parts, and the ways in which it does not."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import signal
import sys
import threading
import time
from typing import Any

from stand_in import client, cluster_config, go_yaml, https, load_balancer, log, process
from stand_in.api import API
from stand_in.cluster_config import Told
from stand_in.containerd import Containerd
from stand_in.faults import Faults
from stand_in.images import Images
from stand_in.kubelet import Controllers, Ended, Kubelet
from stand_in.node import COMMIT, TLS, Node
from stand_in.store import Etcd, Store, store_of


class Supervisor:
    def __init__(self, node: Node) -> None:
        self.node = node
        self.stop = threading.Event()
        self.notified = False
        self.kubelet_ended = False
        log.info("Starting %s %s (%s)" % (node.program, node.release, COMMIT))
        for name in node.flags.unknown:
            log.log("warning", "Unknown flag --%s found in config.yaml, skipping\n" % name)
        self.faults = Faults(node.registries_yaml)
        self.containerd = Containerd(node, self.faults)
        self.store: Store | None = None
        self.api: API | None = None
        if node.is_server:
            self.store = store_of(node)
            # What it cannot tell the others, K3s finds out now.
            cluster_config.answer(node)

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGINT, self._terminate)
        if self.faults.has("hang"):
            self._hang()
        if self.faults.has("crash-loop"):
            self.stop.wait(0.5)
            log.fatal("starting kubernetes: preparing server: asked to crash by the test fleet")
        self._install_certificates()
        if self.node.program == "rke2":
            self._install_rke2_programs()
        if self.node.is_server:
            self._start_server()
        else:
            self._start_load_balancers()
        found = self._agent_configuration()
        if found is None:
            return
        if self.store is not None:
            # Not before: K3s' server begins with its agent part, so one that cannot read its registries.yaml has no
            # etcd and no vote.
            self.store.start()
        if self.faults.has("ready-late"):
            self.stop.wait(float(self.faults.argument("ready-late")))
        if self.faults.has("busy-start"):
            self._work(float(self.faults.argument("busy-start")))
        if self.faults.has("never-ready"):
            self._never_ready()
        self._start_agent(*found)
        self._watch()

    def _terminate(self, *_: Any) -> None:
        self.stop.set()

    def _ready(self) -> None:
        process.notify("READY=1")
        self.notified = True

    def _hang(self) -> None:
        while not self.stop.wait(1.0):
            pass
        sys.exit(0)

    def _work(self, seconds: float) -> None:
        """As K3s does for its start, which takes longer the busier the machine is."""
        began = time.thread_time()
        while time.thread_time() - began < seconds and not self.stop.is_set():
            # About 10 ms each, during which other threads answer.
            hashlib.pbkdf2_hmac("sha256", b"work", b"work", 20000)

    def _never_ready(self) -> None:
        while not self.stop.wait(5.0):
            log.info(
                'Waiting for control-plane node %s startup: nodes "%s" not found' % (self.node.name, self.node.name)
            )
        sys.exit(0)

    def _install_certificates(self) -> None:
        """The fleet has made them; they lie in ``TLS`` as they do below the data-dir."""
        for name in ("agent", "server"):
            if os.path.isdir(os.path.join(TLS, name)):
                shutil.copytree(os.path.join(TLS, name), os.path.join(self.node.data_dir, name), dirs_exist_ok=True)

    def _install_rke2_programs(self) -> None:
        """RKE2 unpacks its programs at start; crictl finds containerd through CRI_CONFIG_FILE."""
        folder = self.node.data_dir + "/bin"
        os.makedirs(folder, exist_ok=True)
        for name in ("kubectl", "crictl", "ctr"):
            if not os.path.lexists(os.path.join(folder, name)):
                os.symlink("/usr/local/bin/rke2", os.path.join(folder, name))
        os.makedirs(self.node.agent_dir + "/etc", exist_ok=True)
        with open(self.node.agent_dir + "/etc/crictl.yaml", "w", encoding="utf-8") as handle:
            handle.write("runtime-endpoint: unix://%s\n" % self.node.socket)

    def _start_server(self) -> None:
        assert self.store is not None
        self.api = API(self.node, self.store, self.faults)
        self.api.serve_supervisor()
        api = "https://" + cluster_config.joined(cluster_config.loopback(self.node), self.node.api_port)
        self.node.write_kubelet_kubeconfig(api)
        self.node.write_admin_kubeconfig(api)

    def _start_load_balancers(self) -> None:
        """One to the supervisors, one to the API where that has a port of its own."""
        node = self.node
        supervisors = [(address, node.joins_at) for address in node.servers.values()]
        load_balancer.serve(load_balancer.SUPERVISOR, supervisors)
        load_balancer.write_state("%s/etc/%s-agent-load-balancer.json" % (node.agent_dir, node.program), supervisors)
        api = load_balancer.SUPERVISOR
        if node.program == "rke2":
            api = load_balancer.API
            load_balancer.serve(api, [(address, node.api_port) for address in node.servers.values()])
        node.write_kubelet_kubeconfig("https://127.0.0.1:%d" % api)

    def _start_api(self) -> None:
        assert self.api is not None
        assert self.store is not None
        started = time.monotonic()
        while not self.stop.is_set() and not self.store.healthy():
            if time.monotonic() - started > 5:
                log.info("Waiting for etcd server to become available")
                started = time.monotonic()
            self.stop.wait(0.1)
        if self.stop.is_set():
            sys.exit(0)
        if self.node.has_etcd:
            log.info("ETCD server is now running")
        self.api.serve_api()
        log.info("Kube API server is now running")
        threading.Thread(target=Controllers(self.node, self.store, self.faults, self.stop).run, daemon=True).start()

    def _agent_configuration(self) -> tuple[Told, Any] | None:
        """The loop in which a registries.yaml that K3s cannot read keeps it for ever; both are read anew each time."""
        waiting = "Waiting to retrieve agent configuration; server is not ready: "
        while not self.stop.is_set():
            try:
                told = self._ask_server()
            except (client.Refused, client.Unreachable) as error:
                log.info(waiting + "failed to retrieve configuration from server: %s" % error)
                self.stop.wait(1.0)
                continue
            try:
                return told, self._get()
            except (OSError, go_yaml.YAMLError) as error:
                message = str(error)
                if isinstance(error, IsADirectoryError):
                    message = "read %s: is a directory" % self.node.registries_yaml
                log.info(waiting + message)
            self.stop.wait(5.0 * (1.0 + random.random()))
        return None

    def _ask_server(self) -> Told:
        """What the server says: an agent's through its load balancer, a server's own through its loopback."""
        host, port = "127.0.0.1", load_balancer.SUPERVISOR
        if self.node.is_server:
            host, port = cluster_config.loopback(self.node), self.node.supervisor_port
        asked = client.Client(self.node.kubelet_kubeconfig, 5.0)
        asked.address = cluster_config.joined(host, port)
        return cluster_config.read(asked.request("GET", "/v1-%s/config" % self.node.program))

    def _get(self) -> Any:
        try:
            with open(self.node.registries_yaml, "rb") as handle:
                text = handle.read()
        except FileNotFoundError:
            return go_yaml.decode(b"")
        log.info("Using private registry config file at " + self.node.registries_yaml)
        return go_yaml.decode(text)

    def _start_agent(self, told: Told, registry: Any) -> None:
        default_endpoint = not self.node.flags.true("disable-default-registry-endpoint")
        self.containerd.write(registry, default_endpoint, told.mirror)
        if told.mirror and not self.node.is_server:
            https.serve(told.supervisor_port, self.node.agent_dir, "serving-kubelet", https.embedded_registry)
        if not self.faults.has("containerd-down"):
            self.containerd.start()
        if self.node.is_server:
            self._start_api()
        else:
            # An agent does not wait for containerd before it says that it is up; a server's takes longer anyway.
            log.info("%s agent is up and running" % self.node.program)
            self._ready()
        if not self.faults.has("containerd-down"):
            if not self.containerd.wait_until_ready(self.stop):
                sys.exit(0)
            Images(self.node, self.stop).start()
        if self.node.is_server:
            log.info("%s is up and running" % self.node.program)
            self._ready()
        if self.faults.has("etcd-dead") and isinstance(self.store, Etcd) and self.store.child is not None:
            self.store.child.kill()
        threading.Thread(target=self._kubelet, daemon=True).start()

    def _kubelet(self) -> None:
        self.stop.wait(0.5)
        while not self.stop.is_set():
            try:
                Kubelet(self.node, self.faults, self.stop).run()
            except Ended:
                if self.node.program == "k3s":
                    self.kubelet_ended = True
                    return
                log.log("error", "Kubelet exited: exit status 1")
                self.stop.wait(5.0)

    def _watch(self) -> None:
        """K3s ends when a part that it started ends, its kubelet without a word of K3s' own. Its containerd goes with
        it, the containers stay."""
        children = {"containerd": self.containerd.child}
        if isinstance(self.store, Etcd) and not self.faults.has("etcd-dead"):
            children["etcd"] = self.store.child
        while not self.stop.wait(0.2):
            if self.kubelet_ended:
                sys.exit(1)
            for name, child in children.items():
                if child is not None and child.poll() is not None:
                    log.fatal("%s exited: exit status %s" % (name, child.returncode))
        log.info("Received signal terminated")
        for child in children.values():
            if child is not None and child.poll() is None:
                child.terminate()
        for child in children.values():
            if child is not None:
                with contextlib.suppress(Exception):
                    child.wait(3)
