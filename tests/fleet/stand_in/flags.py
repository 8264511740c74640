# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flags of `k3s server` and `k3s agent`: config.yaml and its drop-ins, the command line, the environment.

https://github.com/k3s-io/k3s/blob/master/pkg/configfilearg/parser.go: the files' values come before the command line's
own, so the last one counts for a single value and all of them, in this order, for a list.
"""

from __future__ import annotations

import os
from typing import Any, Mapping

# What `k3s agent` knows; with any other key in its config.yaml it does not start. https://docs.k3s.io/cli/agent
AGENT_FLAGS = frozenset(
    """
    token token-file server data-dir node-name with-node-id node-label node-taint image-credential-provider-bin-dir
    image-credential-provider-config selinux lb-server-port protect-kernel-defaults container-runtime-endpoint
    default-runtime image-service-endpoint disable-default-registry-endpoint pause-image snapshotter private-registry
    airgap-extra-registry nonroot-devices node-ip bind-address node-external-ip node-internal-dns node-external-dns
    resolv-conf flannel-iface flannel-conf flannel-cni-conf vpn-auth vpn-auth-file enable-pprof kubelet-arg
    kube-proxy-arg rootless prefer-bundled-bin docker debug v vmodule log alsologtostderr disable-apiserver-lb config
    """.split()  # noqa: SIM905
)
# RKE2 has these two in its code. https://github.com/rancher/rke2/blob/master/pkg/cli/cmds/server.go
_NOT_RKE2 = frozenset(("https-listen-port", "supervisor-port"))
_SHORT = {"c": "config", "d": "data-dir", "o": "write-kubeconfig", "s": "server", "t": "token"}
_ENVIRONMENT = {
    "data-dir": "DATA_DIR",
    "server": "URL",
    "supervisor-port": "SUPERVISOR_PORT",
    "write-kubeconfig": "KUBECONFIG_OUTPUT",
}
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


class FlagError(Exception):
    """K3s ends with these words."""


class Flags:
    """``unknown``: flags of config.yaml that the command does not have and skips with a warning."""

    def __init__(self, program: str, command: str, arguments: list[str], environment: Mapping[str, str]) -> None:
        """:raises FlagError: where K3s would not start."""
        self.unknown: list[str] = []
        self.values: dict[str, list[str]] = {}
        given = _command_line(arguments)
        path = environment.get(program.upper() + "_CONFIG_FILE") or dict(given).get("config")
        for name, text in _of_files(path or "/etc/rancher/%s/config.yaml" % program):
            if command == "server" and program == "rke2" and name in _NOT_RKE2:
                self.unknown.append(name)
            else:
                self._add(program, command, name, text)
        for name, text in given:
            self._add(program, command, name, text)
        for name, variable in _ENVIRONMENT.items():
            text = environment.get("%s_%s" % (program.upper(), variable), "")
            if text and name not in self.values and not (program == "rke2" and name in _NOT_RKE2):
                self.values[name] = [text]

    def _add(self, program: str, command: str, name: str, text: str) -> None:
        if (command == "agent" and name not in AGENT_FLAGS) or (program == "rke2" and name in _NOT_RKE2):
            raise FlagError("Error: flag provided but not defined: -" + name)
        self.values.setdefault(name, []).append(text)

    def text(self, name: str, default: str = "") -> str:
        return self.values[name][-1] if self.values.get(name) else default

    def items(self, name: str) -> list[str]:
        """A list: given several times, with commas, or both."""
        return [item.strip() for text in self.values.get(name, []) for item in text.split(",") if item.strip()]

    def number(self, name: str, default: int) -> int:
        """:raises FlagError: for what is no number."""
        text = self.text(name)
        try:
            return int(text) if name in self.values else default
        except ValueError:
            message = 'Error: invalid value "%s" for flag -%s: parse error' % (text, name)
            raise FlagError(message) from None

    def true(self, name: str) -> bool:
        """:raises FlagError: for what Go's ParseBool refuses."""
        if name not in self.values:
            return False
        text = self.text(name)
        if text not in _TRUE + _FALSE:
            raise FlagError('Error: invalid boolean value "%s" for -%s: parse error' % (text, name))
        return text in _TRUE


def _command_line(arguments: list[str]) -> list[tuple[str, str]]:
    found = []
    rest = list(arguments)
    while rest:
        name, mark, value = rest.pop(0).lstrip("-").partition("=")
        if not mark:
            value = rest.pop(0) if rest and not rest[0].startswith("-") else "true"
        found.append((_SHORT.get(name, name), value))
    return found


def _of_files(path: str) -> list[tuple[str, str]]:
    """A later file's key replaces the earlier one's, `key+` adds to it where there is one."""
    values: dict[str, Any] = {}
    for file in [path, *_drop_ins(path + ".d")]:
        for key, value in _mapping(file).items():
            name = key[:-1] if key.endswith("+") else key
            if name != key and name in values:
                values[name] = _listed(values[name]) + _listed(value)
            else:
                values[name] = value
    return [(name, _text(item)) for name, value in values.items() for item in _items(value)]


def _drop_ins(folder: str) -> list[str]:
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    paths = [os.path.join(folder, name) for name in names if name.lower().endswith((".yaml", ".yml"))]
    return [path for path in paths if not os.path.isdir(path)]


def _mapping(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as handle:
            text = handle.read()
    except FileNotFoundError:
        return {}
    # Only where there is something to read: every command of a node comes by, and this takes longer than most of them.
    from stand_in import go_yaml

    try:
        content = go_yaml.plain(text) or {}
    except go_yaml.YAMLError as error:
        raise FlagError(str(error)) from error
    if not isinstance(content, dict):
        raise FlagError("yaml: unmarshal errors:\n  line 1: cannot unmarshal into yaml.MapSlice")
    return {_text(key): value for key, value in content.items()}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _listed(value: Any) -> list[Any]:
    """As a list for `key+`, where nothing is no item."""
    return [] if value is None or value == "" else _items(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
