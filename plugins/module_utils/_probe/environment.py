# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of the node's containerd, which decides on proxies and on the system's CAs."""

from __future__ import annotations

import os
from typing import Iterable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import environment_file
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import names_in

_WANTED = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_ALSO_WANTED = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PREFIX = "CONTAINERD_"


class ServiceEnvironment(NamedTuple):
    """The variables that matter, and where they come from: ``process`` (of the running containerd), a file, or ""."""

    variables: dict[str, str]
    source: str


def service_environment(data_dir: str, service_names: Iterable[str], root: str = "/") -> ServiceEnvironment:
    """What containerd runs with, or would run with.

    A running containerd has the truth. If none runs, the files are read that K3s' units and init scripts name, and
    variables that begin with ``CONTAINERD_`` stand for those without, as K3s hands them on.

    :param data_dir: of K3s or RKE2, which tells its containerd from others.
    :param service_names: of the services that may run it, such as ``k3s-agent``.
    :param root: where the node's files are.
    """
    running = _running(data_dir, os.path.join(root, "proc"))
    if running is not None:
        return ServiceEnvironment(_chosen(running), "process")
    found: dict[str, str] = {}
    sources = []
    for name in service_names:
        for pattern in ("etc/default/%s", "etc/sysconfig/%s", "etc/systemd/system/%s.service.env"):
            sources.append(os.path.join(root, pattern % name))
    sources += [os.path.join(root, "etc/rancher/k3s/k3s.env"), os.path.join(root, "etc/rancher/rke2/rke2.env")]
    used = ""
    for path in sources:
        variables = environment_file.read(path)
        if variables:
            found.update(variables)
            used = path
    for name in [name for name in found if name.startswith(_PREFIX)]:
        found[name[len(_PREFIX) :]] = found[name]
    return ServiceEnvironment(_chosen(found), used)


def _chosen(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: variables[name] for name in _WANTED + _ALSO_WANTED if variables.get(name)}


def _running(data_dir: str, proc: str) -> dict[str, str] | None:
    """The environment of the containerd that runs for this data directory, None if none does.

    K3s' own is a program below it and overwrites its arguments with blanks; any other names the configuration there.
    """
    config_toml = os.path.join(data_dir, "agent", "etc", "containerd", "config.toml")
    programs = os.path.join(os.path.realpath(data_dir), "data", "")
    for process in filter(str.isdigit, names_in(proc)):
        try:
            with open(os.path.join(proc, process, "cmdline"), "rb") as file:
                words = file.read().decode("utf-8", "replace").split("\0")
            if os.path.basename(words[0].strip()) != "containerd":
                continue
            if config_toml not in words and not os.readlink(os.path.join(proc, process, "exe")).startswith(programs):
                continue
            with open(os.path.join(proc, process, "environ"), "rb") as file:
                text = file.read().decode("utf-8", "surrogateescape")
        except OSError:
            continue
        return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)
    return None
