# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`k3s crictl`: info, pull, images, inspecti, rmi, version, ps and pods, worded as crictl words them."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from typing import Any

from stand_in import cri
from stand_in.go_url import quote
from stand_in.node import Node

_DEPRECATIONS = "ContainerdHasNoDeprecationWarnings"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Go's `1m30s`, or a bare number of seconds as older crictl took it."""
    if re.match(r"^\d+$", text):
        return float(text)
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(ms|s|m|h)", text))


def endpoint(node: Node) -> str:
    """The socket: K3s' own crictl knows it, RKE2's separate one reads it from the file in CRI_CONFIG_FILE."""
    if node.program == "k3s":
        return node.socket
    try:
        with open(os.environ.get("CRI_CONFIG_FILE", "/etc/crictl.yaml"), encoding="utf-8") as handle:
            found = re.search(r"runtime-endpoint:\s*unix://(\S+)", handle.read())
    except OSError:
        found = None
    return found.group(1) if found else "/run/containerd/containerd.sock"


class Crictl:
    def __init__(self, socket: str) -> None:
        self.runtime = cri.Runtime(socket)
        self.socket = socket
        self.timeout = 2.0
        self.options: dict[str, str] = {}

    def main(self, arguments: list[str]) -> int:
        words = self._parse(arguments)
        if not words:
            print("NAME:\n   crictl - client for CRI")
            return 0
        name = {"images": "images", "image": "images", "img": "images", "inspecti": "inspecti"}.get(words[0], words[0])
        command = getattr(self, "command_" + name.replace("-", "_"), None)
        if command is None:
            return self._fatal("No help topic for '%s'" % words[0])
        try:
            self.runtime.version(max(self.timeout, 2.0))
        except cri.CRIError as error:
            return self._fatal(
                'validate service connection: validate CRI v1 runtime API for endpoint "unix://%s": %s'
                % (self.socket, error)
            )
        return int(command([word for word in words[1:] if word != "ls"]) or 0)

    def _parse(self, arguments: list[str]) -> list[str]:
        flags_with_value = {
            "timeout",
            "t",
            "runtime-endpoint",
            "r",
            "image-endpoint",
            "i",
            "config",
            "c",
            "output",
            "o",
        }
        flags_with_value |= {"creds", "auth", "pull-timeout", "pt", "template", "name", "state"}
        words: list[str] = []
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            if not word.startswith("-"):
                words.append(word)
                continue
            flag, mark, value = word.lstrip("-").partition("=")
            if not mark and flag in flags_with_value and rest:
                value = rest.pop(0)
            # -t means --timeout before the command; -q and the like take no value.
            self.options[flag] = value
        for flag in ("timeout", "t"):
            if self.options.get(flag):
                self.timeout = duration(self.options[flag]) or 2.0
        return words

    def _fatal(self, message: str) -> int:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sys.stderr.write('time="%s" level=fatal msg=%s\n' % (moment, quote(message)))
        return 1

    def _failed(self, call: str, error: cri.CRIError, image: str = "") -> None:
        now = time.time()
        moment = time.strftime("%m%d %H:%M:%S", time.localtime(now)) + ".%06d" % (now % 1 * 1e6)
        suffix = ' image="%s"' % image if image else ""
        sys.stderr.write(
            'E%s    %d log.go:32] "%s failed" err=%s%s\n' % (moment, os.getpid(), call, quote(str(error)), suffix)
        )

    def _json(self, value: Any) -> None:
        print(json.dumps(value, indent=2))

    def command_version(self, _unused: list[str]) -> None:
        for name, value in self.runtime.version(self.timeout).items():
            print("%s:  %s" % (name, value))

    def command_info(self, _unused: list[str]) -> int:
        try:
            conditions, info = self.runtime.status(max(self.timeout, 5.0))
        except cri.CRIError as error:
            self._failed("Status from runtime service", error)
            return self._fatal("getting status of runtime: %s" % error)
        if not any(condition.type == _DEPRECATIONS for condition in conditions):
            conditions.append(_deprecations(info))
        shown = [condition._asdict() for condition in conditions]
        self._json({**info, "status": {"conditions": shown}})
        return 0

    def command_pull(self, words: list[str]) -> int:
        if not words:
            return self._fatal("Image name cannot be empty")
        timeout = duration(self.options.get("pull-timeout", self.options.get("pt", "0s"))) or max(self.timeout, 0.0)
        if not any(self.options.get(flag) for flag in ("pull-timeout", "pt", "timeout", "t")):
            timeout = 3600.0
        try:
            identity = self.runtime.pull(words[0], timeout)
        except cri.CRIError as error:
            self._failed("PullImage from image service", error, words[0])
            return self._fatal("pulling image: %s" % (error.message if error.code == "Unknown" else error))
        print("Image is up to date for " + identity)
        return 0

    def command_images(self, words: list[str]) -> int:
        images = self.runtime.images(max(self.timeout, 5.0))
        if words:
            images = [i for i in images if any(words[0] in name for name in [i.id, *i.tags, *i.digests])]
        if self.options.get("output", self.options.get("o")) == "json":
            self._json({"images": [_shown(image) for image in images]})
        elif "q" in self.options or "quiet" in self.options:
            print("\n".join(image.id for image in images))
        else:
            print("%-40s %-12s %-16s %s" % ("IMAGE", "TAG", "IMAGE ID", "SIZE"))
            for image in images:
                for name in image.tags or ["<none>:<none>"]:
                    repository, _unused, tag = name.rpartition(":")
                    print("%-40s %-12s %-16s %dB" % (repository, tag, image.id[7:20], image.size))
        return 0

    def command_inspecti(self, words: list[str]) -> int:
        image = self.runtime.image(words[0], max(self.timeout, 5.0)) if words else None
        if image is None:
            return self._fatal('no such image "%s" present' % (words[0] if words else ""))
        self._json({"status": _shown(image)})
        return 0

    def command_rmi(self, words: list[str]) -> int:
        code = 0
        for name in words:
            image = self.runtime.image(name, max(self.timeout, 5.0))
            if image is None:
                code = self._fatal("no such image %s" % name)
                continue
            self.runtime.remove(image.id, max(self.timeout, 5.0))
            for tag in image.tags:
                print("Deleted: " + tag)
        return code

    def command_ps(self, _unused: list[str]) -> None:
        if self.options.get("output", self.options.get("o")) == "json":
            self._json({"containers": []})
        else:
            print("CONTAINER           IMAGE               CREATED             STATE               NAME")

    command_pods = command_ps


def _deprecations(info: dict[str, Any]) -> cri.Condition:
    """A condition that containerd 2 has: false, and no fault, as soon as registries.yaml has credentials."""
    configs = ((info.get("config") or {}).get("registry") or {}).get("configs") or {}
    kind = _DEPRECATIONS
    if not any((config or {}).get("auth") for config in configs.values()):
        return cri.Condition(kind, True, "", "")
    said = {
        "io.containerd.deprecation/cri-registry-configs": "The `configs` property of "
        '`[plugins."io.containerd.grpc.v1.cri".registry]` is deprecated since containerd v1.5 and will be removed in '
        "containerd v2.3.Use `config_path` instead."
    }
    return cri.Condition(kind, False, "ContainerdHasDeprecationWarnings", json.dumps(said))


def _shown(image: cri.Image) -> dict[str, Any]:
    return {
        "id": image.id,
        "repoTags": image.tags,
        "repoDigests": image.digests,
        "size": str(image.size),
        "uid": None,
        "username": "",
        "spec": None,
        "pinned": image.pinned,
    }
