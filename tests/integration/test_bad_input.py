# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the configuration is said before any node is touched: where, what, and what to do."""

from __future__ import annotations

import copy
from typing import Any, Callable, Iterator

import pytest

from tests.conftest import mostly_nightly
from tests.integration.cluster import SITE, Cluster
from tests.integration.conftest import MIRROR_PASSWORD

HOST = "registry.k3sfleet.test:5000"
Spoil = Callable[[dict[str, Any], Cluster], None]


def _tls(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["configs"][HOST]["tls"]
    return found


def _unknown_key(config: dict[str, Any], _cluster: Cluster) -> None:
    config["mirrors"]["docker.io"]["endpoints"] = config["mirrors"]["docker.io"].pop("endpoint")


def _configs_under_mirrors(config: dict[str, Any], _cluster: Cluster) -> None:
    config["mirrors"]["configs"] = config.pop("configs")


def _certificate_without_key(config: dict[str, Any], _cluster: Cluster) -> None:
    del _tls(config)["key_src"]


def _key_of_another_certificate(config: dict[str, Any], cluster: Cluster) -> None:
    _tls(config)["key_src"] = str(cluster.fleet.folder / "pki" / "bad" / "other.key")


def _expired_certificate(config: dict[str, Any], cluster: Cluster) -> None:
    stem = str(cluster.fleet.folder / "pki" / "bad" / "expired-client")
    _tls(config).update(cert_src=stem + ".crt", key_src=stem + ".key")


def _relative_path(config: dict[str, Any], _cluster: Cluster) -> None:
    tls = _tls(config)
    del tls["ca_src"]
    tls["ca_file"] = "certs/ca.crt"


def _token(config: dict[str, Any], cluster: Cluster) -> None:
    config["configs"][HOST]["auth"] = {"token": cluster.fleet.registry.password}


def _password_in_endpoint(config: dict[str, Any], _cluster: Cluster) -> None:
    config["mirrors"]["docker.io"]["endpoint"] = ["https://robot:%s@%s" % (MIRROR_PASSWORD, HOST)]


def _missing_file(config: dict[str, Any], _cluster: Cluster) -> None:
    _tls(config)["ca_src"] = "no-such-ca.crt"


CASES: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "unknown key": (_unknown_key, ('mirrors."docker.io".endpoints', "endpoint")),
    "configs under mirrors": (_configs_under_mirrors, ("mirrors.configs",)),
    "certificate without key": (_certificate_without_key, ('configs."%s".tls' % HOST, "no key for it", "Give key")),
    "key of another certificate": (
        _key_of_another_certificate,
        ('configs."%s".tls.key_src' % HOST, "other.key", "Give the key that the certificate was issued for"),
    ),
    "expired certificate": (_expired_certificate, ('configs."%s".tls.cert_src' % HOST, "expired", "Replace it")),
    "relative path": (
        _relative_path,
        ('configs."%s".tls.ca_file' % HOST, '"certs/ca.crt" is not absolute', "Give the absolute path on the node"),
    ),
    "auth.token": (_token, ('configs."%s".auth.token' % HOST, "identity_token", "username")),
    "password in an endpoint": (
        _password_in_endpoint,
        ('mirrors."docker.io".endpoint[0]', "credentials belong to configs"),
    ),
    "missing file": (_missing_file, ('configs."%s".tls.ca_src' % HOST, "no-such-ca.crt", "on the controller")),
}


@pytest.fixture
def untouched(cluster: Cluster) -> Iterator[None]:
    """Nobody logs in, no file, no process and no time stamp changes on any node."""
    before = cluster.snapshot()
    yield
    after = cluster.snapshot()
    for name in cluster.names:
        assert after[name] == before[name], name


@pytest.mark.parametrize("name", mostly_nightly(CASES, "key of another certificate"))
@pytest.mark.usefixtures("untouched")
def test_mistake_stops_the_run_before_any_node_is_touched(cluster: Cluster, name: str) -> None:
    spoil, expected = CASES[name]
    config = copy.deepcopy(cluster.variables["k3s_registries"])
    spoil(config, cluster)
    run = cluster.play(SITE, "--diff", "-vvv", variables={"k3s_registries": config}).refused()
    said = run.output.replace('\\"', '"')
    assert [words for words in expected if words not in said] == [], run.output
    assert "othing has been touched" in said
    assert set(run.failed) == set(cluster.names)


@pytest.mark.usefixtures("untouched")
def test_mistake_on_the_last_host_alone_stops_all(cluster: Cluster) -> None:
    config = copy.deepcopy(cluster.variables["k3s_registries"])
    _relative_path(config, cluster)
    last = cluster.names[-1]
    run = cluster.play(hosts={last: {"k3s_registries": config}}).refused()
    assert 'configs."%s".tls.ca_file' % HOST in run.output.replace('\\"', '"')
    assert "Roll out" not in run.output
    assert "Stage the configuration on all nodes" not in run.output


@pytest.mark.nightly
@pytest.mark.usefixtures("untouched")
def test_wrong_type_of_a_role_variable_stops_all(cluster: Cluster) -> None:
    run = cluster.play(variables={"k3s_registries_restart_timeout": "soon"}).refused()
    assert "k3s_registries_restart_timeout" in run.output


@pytest.mark.nightly
@pytest.mark.usefixtures("untouched")
def test_missing_configuration_is_not_an_empty_one(cluster: Cluster) -> None:
    """A forgotten variable must not take the registries away from a fleet."""
    run = cluster.play(variables={"k3s_registries": {}}).refused()
    assert "k3s_registries" in run.output
