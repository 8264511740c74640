# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`k3s server` and `k3s agent`: the order in which K3s starts its parts, and the ways in which it does not."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import ssl
import sys
import threading
import time
from typing import Any

from stand_in import go_yaml, load_balancer, log, process
from stand_in.api import ADMIN, API
from stand_in.containerd import Containerd
from stand_in.faults import Faults
from stand_in.kubelet import Controllers, Kubelet
from stand_in.node import COMMIT, TLS, Node, is_true, settings
from stand_in.store import Store, store_of


class Supervisor:
    def __init__(self, node: Node, arguments: list[str]) -> None:
        self.node = node
        self.stop = threading.Event()
        self.notified = False
        log.info("Starting %s %s (%s)" % (node.program, node.release, COMMIT))
        try:
            self.settings = settings(node.config_dir, arguments)
        except go_yaml.YAMLError as error:
            log.fatal(str(error))
        self.registries_yaml = str(self.settings.get("private-registry") or node.config_dir + "/registries.yaml")
        self.faults = Faults(self.registries_yaml)
        self.containerd = Containerd(node, self.faults)
        self.store: Store | None = store_of(node) if node.is_server else None
        self.api: API | None = None

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
            load_balancer.serve(list(self.node.servers.values()))
            self.node.write_kubeconfig(
                self.node.kubelet_kubeconfig, self.node.agent_service, "system:node:" + self.node.name
            )
        registry = self._agent_configuration()
        if self.faults.has("ready-late"):
            self.stop.wait(float(self.faults.argument("ready-late")))
        if self.faults.has("never-ready"):
            self._never_ready()
        if registry is None:
            return
        self._start_agent(registry)
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

    def _never_ready(self) -> None:
        while not self.stop.wait(5.0):
            log.info(
                'Waiting for control-plane node %s startup: nodes "%s" not found' % (self.node.name, self.node.name)
            )
        sys.exit(0)

    def _install_certificates(self) -> None:
        places = {"ca.crt": ["agent/server-ca.crt"]}
        if self.node.is_server:
            places["ca.crt"].append("server/tls/server-ca.crt")
            places["server.crt"] = ["server/tls/serving-kube-apiserver.crt"]
            places["server.key"] = ["server/tls/serving-kube-apiserver.key"]
        for source, targets in places.items():
            for target in targets:
                path = os.path.join(self.node.data_dir, target)
                os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
                shutil.copy(os.path.join(TLS, source), path)

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
        self.store.start()
        self.api = API(self.node, self.store)
        self.api.serve()
        self.node.write_kubeconfig(
            self.node.kubelet_kubeconfig, self.node.agent_service, "system:node:" + self.node.name
        )
        self.node.write_kubeconfig(self.node.admin_kubeconfig, "https://127.0.0.1:6443", ADMIN)

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
        self.api.ready = True
        log.info("Kube API server is now running")
        threading.Thread(target=Controllers(self.node, self.store, self.faults, self.stop).run, daemon=True).start()

    def _agent_configuration(self) -> Any:
        """The loop in which a registries.yaml that K3s cannot read keeps it for ever; it is read anew each time."""
        while not self.stop.is_set():
            if not self.node.is_server and not self._server_answers():
                continue
            try:
                return self._get()
            except (OSError, go_yaml.YAMLError) as error:
                message = str(error)
                if isinstance(error, IsADirectoryError):
                    message = "read %s: is a directory" % self.registries_yaml
                log.info("Waiting to retrieve agent configuration; server is not ready: " + message)
            self.stop.wait(5.0 * (1.0 + random.random()))
        return None

    def _get(self) -> Any:
        try:
            with open(self.registries_yaml, "rb") as handle:
                text = handle.read()
        except FileNotFoundError:
            return go_yaml.decode(b"")
        log.info("Using private registry config file at " + self.registries_yaml)
        return go_yaml.decode(text)

    def _server_answers(self) -> bool:
        """Some server must answer before an agent goes on."""
        context = ssl.create_default_context(cafile=TLS + "/ca.crt")
        address = ("127.0.0.1", load_balancer.PORT)
        try:
            with socket.create_connection(address, timeout=5) as plain, context.wrap_socket(
                plain, server_hostname="127.0.0.1"
            ):
                return True
        except OSError as error:
            log.info("Waiting to retrieve agent configuration; server is not ready: failed to get CA certs: %s" % error)
            self.stop.wait(1.0)
            return False

    def _start_agent(self, registry: Any) -> None:
        default_endpoint = not is_true(self.settings.get("disable-default-registry-endpoint"))
        embedded = is_true(self.settings.get("embedded-registry"))
        self.containerd.write(registry, default_endpoint, embedded)
        if not self.faults.has("containerd-down"):
            self.containerd.start()
        if self.node.is_server:
            self._start_api()
        else:
            # An agent does not wait for containerd before it says that it is up; a server's takes longer anyway.
            log.info("%s agent is up and running" % self.node.program)
            self._ready()
        if not self.faults.has("containerd-down") and not self.containerd.wait_until_ready(self.stop):
            sys.exit(0)
        if self.node.is_server:
            log.info("%s is up and running" % self.node.program)
            self._ready()
        threading.Thread(target=self._kubelet, daemon=True).start()

    def _kubelet(self) -> None:
        self.stop.wait(0.5)
        with contextlib.suppress(SystemExit):
            Kubelet(self.node, self.faults, self.stop).run()

    def _watch(self) -> None:
        """K3s ends when a part that it started ends. Its containerd goes with it, the containers stay."""
        children = {"containerd": self.containerd.child, "etcd": getattr(self.store, "child", None)}
        while not self.stop.wait(0.2):
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
