# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in gives its kubelet and its containerd, and what becomes of it when the kubelet ends."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stand_in import containerd, flags, go_yaml, kubelet, supervisor

from tests.fleet.logins import providers


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A node that looks for providers below ``tmp_path``, with the flags of its config.yaml."""
    monkeypatch.setattr(kubelet, "PROVIDERS", str(tmp_path / "default"))

    def make(config: str = "", program: str = "k3s") -> SimpleNamespace:
        (tmp_path / "config.yaml").write_text(config)
        found = flags.Flags(program, "agent", ["--config", str(tmp_path / "config.yaml")], {})
        return SimpleNamespace(
            flags=found, program=program, release="v1.34.3+k3s1", agent_dir=str(tmp_path), kubelet_kubeconfig="k",
            socket="s", containerd="/usr/bin/containerd",
        )  # fmt: skip

    return make


def _kubelet(node: Any) -> kubelet.Kubelet:
    return kubelet.Kubelet(node, SimpleNamespace(has=lambda _fault: False), threading.Event())


def _put(folder: Path, name: str = "p") -> None:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / name).write_text(providers.OF_A_FILE)
    (folder / "bin" / name).chmod(0o755)
    (folder / "config.yaml").write_text(providers.config(providers.entry("p", ["r.test"])))


def test_k3s_gives_the_flags_where_both_places_are_there_and_says_nothing_otherwise(tmp_path: Path, node: Any) -> None:
    default = tmp_path / "default"
    assert _kubelet(node())._provider_arguments() == {}
    _put(default)
    both = {
        "image-credential-provider-bin-dir": str(default / "bin"),
        "image-credential-provider-config": str(default / "config.yaml"),
    }
    assert _kubelet(node())._provider_arguments() == both
    # The place does not follow the data-dir.
    assert _kubelet(node("data-dir: /elsewhere\n"))._provider_arguments() == both
    (default / "config.yaml").rename(default / "other.yaml")
    assert _kubelet(node())._provider_arguments() == {}
    pointed = node("image-credential-provider-config: %s/other.yaml\n" % default)
    assert _kubelet(pointed)._provider_arguments()["image-credential-provider-config"] == str(default / "other.yaml")
    (default / "config.yaml").mkdir()
    assert _kubelet(node())._provider_arguments() == {}
    keys = ("image-credential-provider-bin-dir", "image-credential-provider-config")
    no_folder = node("".join("%s: %s/other.yaml\n" % (key, default) for key in keys))
    assert _kubelet(no_folder)._provider_arguments() == {}


def test_what_kubelet_arg_says_is_given_without_a_look(node: Any) -> None:
    given = node("kubelet-arg: [image-credential-provider-config=/x, image-credential-provider-bin-dir=/y]\n")
    arguments = _kubelet(given)._provider_arguments()
    assert arguments == {"image-credential-provider-config": "/x", "image-credential-provider-bin-dir": "/y"}
    with pytest.raises(kubelet.Ended):
        _kubelet(given)._providers(arguments)


def test_a_provider_that_is_missing_ends_the_kubelet_with_its_words(
    tmp_path: Path, node: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    _put(tmp_path / "default", "other")
    with pytest.raises(kubelet.Ended):
        _kubelet(node()).run()
    said = capsys.readouterr().err
    assert (
        'kuberuntime_manager.go:298] "Failed to register CRI auth plugins" err="plugin binary executable  did' in said
    )


@pytest.mark.parametrize(("program", "ends"), [("k3s", True), ("rke2", False)])
def test_k3s_ends_with_its_kubelet_and_rke2_starts_it_again(
    node: Any, monkeypatch: pytest.MonkeyPatch, program: str, ends: bool
) -> None:
    starts: list[int] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if len(starts) > 1:
                self.set()
            return self.is_set()

    def run(_self: Any) -> None:
        starts.append(1)
        raise kubelet.Ended

    monkeypatch.setattr(kubelet.Kubelet, "run", run)
    made = supervisor.Supervisor.__new__(supervisor.Supervisor)
    made.node, made.faults, made.stop, made.kubelet_ended = node(program=program), None, Stop(), False
    made._kubelet()
    assert (made.kubelet_ended, len(starts)) == (ends, 1 if ends else 2)


LOGINS = b"""
configs:
  r.test:5000: {auth: {username: robot, password: 'p"w'}}
  other.test: {auth: {identity_token: t}}
"""


def test_config_toml_is_of_the_version_that_the_containerd_reads(node: Any) -> None:
    made = node()
    faults = SimpleNamespace(has=lambda _fault: False)
    registry = go_yaml.decode(LOGINS)
    debian_s = containerd.Containerd(made, faults)._config_toml(registry)
    assert "version = 2\n" in debian_s
    table = '[plugins."io.containerd.grpc.v1.cri".registry.configs."r.test:5000".auth]\n  username = "robot"\n'
    assert table + '  password = "p\\"w"\n' in debian_s
    made.containerd = "/usr/local/lib/k3s-stand-in/containerd"
    newer = containerd.Containerd(made, faults)._config_toml(registry)
    assert "version = 3\n" in newer
    table = "[plugins.'io.containerd.cri.v1.images'.registry.configs.'r.test:5000'.auth]\n  username = \"robot\"\n"
    assert table in newer
    assert '  identitytoken = "t"\n' in newer
    assert newer.count("\n  config_path = ") == debian_s.count("\n  config_path = ") == 1
