# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read on the node before anything is asked: hosts.toml, credentials, certificates."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import embedded_tls
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.certificate import (
    CertificateError,
    decode,
    name_problem,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import read_node
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import endpoint_targets, image_targets
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.advice import ADVICE
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.fleet import certificates

CONFIG: dict[str, Any] = {
    "mirrors": {
        "docker.io": {"endpoint": ["https://a.test:5000", "http://127.0.0.1:5001/x"], "rewrite": {"^rancher/": "m/"}},
        "*": {"endpoint": ["https://w.test"]},
        "registry.test:5000": None,
    },
    "configs": {
        "a.test:5000": {"auth": {"username": "robot", "password": "x"}, "tls": {"ca_file": "/ca"}},
        "docker.io": {"auth": {"username": "hub", "password": "y"}},
    },
}
AUTH = """[plugins."io.containerd.grpc.v1.cri".registry.configs."a.test:5000".auth]
  username = "robot"
  password = "x"
"""


@pytest.fixture
def node(tmp_path: Path) -> Path:
    for name, text in hosts_toml(normalise(CONFIG)).items():
        (tmp_path / "certs.d" / name).mkdir(parents=True)
        (tmp_path / "certs.d" / name / "hosts.toml").write_text(text)
    (tmp_path / "config.toml").write_text(AUTH)
    return tmp_path


def read(folder: Path) -> Any:
    return read_node(str(folder / "certs.d"), str(folder / "config.toml"))


@pytest.mark.parametrize("image", ["rancher/mirrored-pause:3.6", "quay.io/a/b", "nginx", "registry.test:5000/x/y:1"])
def test_an_images_attempts_are_those_of_resolve_image(node: Path, image: str) -> None:
    wanted = [(attempt["kind"], attempt["url"]) for attempt in resolve_image(image, normalise(CONFIG))]
    assert [(target.kind, target.url) for target in image_targets(read(node), [parse_image(image)])] == wanted


def test_every_configured_endpoint_is_a_target(node: Path) -> None:
    found = [(target.registry, target.kind, target.url) for target in endpoint_targets(read(node))]
    assert set(found) == {
        ("*", "mirror", "https://w.test/v2/"),
        ("a.test:5000", "default", "https://a.test:5000/v2/"),
        ("docker.io", "mirror", "https://a.test:5000/v2/"),
        ("docker.io", "mirror", "http://127.0.0.1:5001/x/"),
        ("docker.io", "default", "https://registry-1.docker.io/v2/"),
    }


@pytest.mark.parametrize("address", ["127.0.0.1:7443", "[::1]:6443"])
def test_the_embedded_registry_is_known_by_its_client_certificate(tmp_path: Path, address: str) -> None:
    """And not by its port: a mirror of the user's own may have any on loopback."""
    config = {"mirrors": {"docker.io": {"endpoint": ["https://127.0.0.1:6443"]}}, "configs": {}}
    tls = embedded_tls("/var/lib/rancher/k3s/agent", "k3s")
    for name, text in hosts_toml(normalise(config), True, address, embedded_mirror_tls=tls).items():
        (tmp_path / "certs.d" / name).mkdir(parents=True)
        (tmp_path / "certs.d" / name / "hosts.toml").write_text(text)
    # Nobody names an image after it, so it is nothing to be asked for its own sake.
    assert {target.registry for target in endpoint_targets(read(tmp_path))} == {"docker.io"}
    targets = image_targets(read(tmp_path), [parse_image("nginx")])
    assert [(target.kind, target.host.host) for target in targets if target.host] == [
        ("embedded", address),
        ("mirror", "127.0.0.1:6443"),
        ("default", "registry-1.docker.io"),
    ]


def test_a_file_broken_by_hand_is_said_and_the_default_endpoint_asked(node: Path) -> None:
    path = node / "certs.d" / "docker.io" / "hosts.toml"
    path.write_text(path.read_text().replace('"^rancher/"', r'"^rancher\."'))
    targets = image_targets(read(node), [parse_image("rancher/mirrored-pause:3.6")])
    assert [(target.kind, target.host is None) for target in targets] == [("mirror", True), ("default", False)]
    assert "hosts.toml: line " in targets[0].problem
    for broken in ('capabilities = ["fly"]', "ca = true", 'client = [["only one"]]', 'skip_verify = "yes"'):
        path.write_text('[host."https://a.test"]\n' + broken + "\n")
        assert endpoint_targets(read(node))[-2].problem


def test_what_others_wrote_is_read_too(node: Path) -> None:
    folder = node / "certs.d" / "by.hand_5000_"
    folder.mkdir()
    (folder / "hosts.toml").write_text(
        'server = "by.hand:5000"\n[host."https://only-push.test"]\ncapabilities = ["push"]\n'
        '[host."plain.test"]\nca = "ca.pem"\nclient = "both.pem"\nskip_verify = true\n'
    )
    docker_style = node / "certs.d" / "docker.style"
    docker_style.mkdir()
    for name in ("ca.crt", "client.cert", "client.key"):
        (docker_style / name).touch()
    hosts = read(node).hosts("by.hand:5000").hosts
    assert [(host.url, host.default) for host in hosts] == [("plain.test", False), ("by.hand:5000", True)]
    assert hosts[0].tls == {
        "ca_files": [str(folder / "ca.pem")],
        "client_pairs": [(str(folder / "both.pem"), "")],
        "insecure_skip_verify": True,
    }
    (host,) = read(node).hosts("docker.style").hosts
    assert host.tls["client_pairs"] == [(str(docker_style / "client.cert"), str(docker_style / "client.key"))]


def test_credentials_are_those_of_the_host(node: Path) -> None:
    found = read(node)
    assert found.credentials("a.test:5000") == ("robot", "x", "a.test:5000")
    assert found.credentials("a.test") is None
    (node / "config.toml").write_text(AUTH.replace("a.test:5000", "docker.io"))
    assert read(node).credentials("registry-1.docker.io") == ("robot", "x", "docker.io")
    (node / "config.toml").write_text(AUTH + "  password = 'x'\n")
    assert not read(node).auth_readable
    (node / "config.toml").unlink()
    assert read(node).credentials("a.test:5000") is None


def test_a_certificate_says_what_cryptography_says(pki: Any) -> None:
    stem = pki.server("many", ("registry.example.com", "*.example.com", "10.0.0.1", "fd00::1"), common_name="Ünïcode")
    parsed = x509.load_pem_x509_certificate(stem.with_suffix(".crt").read_bytes())
    found = decode(parsed.public_bytes(Encoding.DER))
    assert found.subject == "CN=Ünïcode"
    assert found.issuer == "CN=Test CA"
    assert found.dns == ["registry.example.com", "*.example.com"]
    assert found.addresses == ["10.0.0.1", "fd00::1"]
    moment = datetime.datetime.fromtimestamp(found.not_after, datetime.timezone.utc)
    assert moment == parsed.not_valid_after_utc
    assert found.days_left(found.not_after - 86400.5) == 1
    assert found.days_left(found.not_after + 1) == -1


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("registry.example.com", ""),
        ("REGISTRY.example.com.", ""),
        ("other.example.com", ""),
        ("a.b.example.com", "tls_name_mismatch"),
        ("example.com", "tls_name_mismatch"),
        ("10.0.0.1", ""),
        ("10.0.0.2", "tls_name_mismatch"),
        ("fd00:0::1", ""),
    ],
)
def test_names_fit_as_in_go(pki: Any, host: str, problem: str) -> None:
    issued = certificates.issue(pki.authority, "x", ("registry.example.com", "*.example.com", "10.0.0.1", "fd00::1"))
    assert name_problem(decode(issued.certificate.public_bytes(Encoding.DER)), host) == problem


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=60))
def test_bytes_that_are_no_certificate_are_refused(der: bytes) -> None:
    with pytest.raises(CertificateError):
        decode(der)


def test_a_certificate_cut_anywhere_is_refused_or_read(pki: Any) -> None:
    der = pki.authority.certificate.public_bytes(Encoding.DER)
    for length in range(0, len(der), 7):
        with pytest.raises(CertificateError):
            decode(der[:length])


def test_every_cause_has_words_for_a_probe() -> None:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import PlannedHosts
    from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.result import Describer, Probed

    node = PlannedHosts(normalise(CONFIG))
    targets = [*endpoint_targets(node), *image_targets(node, [parse_image("nginx")])]
    for cause in ADVICE:
        assert cause in ADVICE
        for target in targets:
            result = Describer(node).result(target, Probed(cause, "seen"))
            assert "{" not in result["message"] + result["fix"]
            assert result["fix"].endswith(".")
