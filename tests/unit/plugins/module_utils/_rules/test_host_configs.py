# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import auth_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.host_configs import host_configs, merge
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

MIRROR = "https://mirror.example.com"


def config(mirrors: dict[str, Any] | None = None, configs: dict[str, Any] | None = None) -> Config:
    return normalise({"mirrors": mirrors, "configs": configs})


@pytest.mark.vectors("host_configs.json")
def test_the_result_is_what_k3s_returns_and_writes(case: dict[str, Any]) -> None:
    given = normalise(yaml.safe_load(case["registries_yaml"]))
    arguments = (given, case["default_endpoint"], case["embedded_mirror"])
    assert host_configs(*arguments) == case["hosts"]
    assert hosts_toml(*arguments) == case["hosts_toml"]
    assert sorted(auth_tables(given)) == sorted(case["auth_hosts"])


def urls(given: Config, registry: str, **options: Any) -> list[str | None]:
    host = host_configs(given, **options)[registry]
    return [endpoint["url"] for endpoint in host["endpoints"]] + (
        [host["default"]["url"]] if host["default"] is not None else []
    )


def test_endpoints_come_in_order_and_the_registry_itself_last() -> None:
    given = config({"quay.io": {"endpoint": ["b.example.com", MIRROR]}})
    assert urls(given, "quay.io") == ["https://b.example.com/v2", MIRROR + "/v2", "https://quay.io/v2"]


def test_the_registry_itself_is_left_out_where_it_is_disabled() -> None:
    given = config({"quay.io": {"endpoint": [MIRROR]}})
    assert urls(given, "quay.io", default_endpoint=False) == [MIRROR + "/v2"]


def test_any_configs_entry_of_the_same_name_undoes_the_disabling() -> None:
    given = config({"quay.io": {"endpoint": [MIRROR]}}, {"quay.io": None})
    assert urls(given, "quay.io", default_endpoint=False) == [MIRROR + "/v2", "https://quay.io/v2"]


def test_the_wildcards_own_tls_is_lost_with_a_wildcard_mirror() -> None:
    tls = {"*": {"tls": {"insecure_skip_verify": True}}}
    assert host_configs(config(None, tls))["_default"]["default"]["tls"] == {"insecure_skip_verify": True}  # type: ignore[index]
    assert host_configs(config({"*": {"endpoint": [MIRROR]}}, tls))["_default"]["default"]["tls"] == {}  # type: ignore[index]


def test_an_endpoint_equal_to_the_default_is_folded_only_as_the_last_one() -> None:
    first = config({"quay.io": {"endpoint": ["quay.io", MIRROR]}})
    last = config({"quay.io": {"endpoint": [MIRROR, "quay.io"]}})
    assert urls(first, "quay.io") == ["https://quay.io/v2", MIRROR + "/v2", "https://quay.io/v2"]
    assert urls(last, "quay.io") == [MIRROR + "/v2", "https://quay.io/v2"]


def test_docker_hubs_host_counts_before_its_name() -> None:
    both = {"registry-1.docker.io": {"auth": {"username": "host"}}, "docker.io": {"auth": {"username": "name"}}}
    given = config({"quay.io": {"endpoint": ["docker.io"]}}, both)
    assert host_configs(given)["quay.io"]["endpoints"][0]["auth"] == {"username": "host"}


def test_the_embedded_mirror_is_first_except_for_this_machines_registries() -> None:
    given = config({"quay.io": {"endpoint": [MIRROR]}, "localhost:5000": {"endpoint": [MIRROR]}})
    hosts = host_configs(given, embedded_mirror="127.0.0.1:6443")
    assert [endpoint["url"] for endpoint in hosts["quay.io"]["endpoints"]] == [
        "https://127.0.0.1:6443/v2",
        MIRROR + "/v2",
    ]
    assert [endpoint["url"] for endpoint in hosts["localhost:5000"]["endpoints"]] == [MIRROR + "/v2"]
    assert hosts["127.0.0.1:6443"]["default"]["tls"]["ca_file"] == "server-ca"  # type: ignore[index]


def test_what_k3s_leaves_out_is_named_by_its_place() -> None:
    given = config({"quay.io": {"endpoint": ["https://a b", MIRROR, MIRROR + "/"]}}, {"x y": None})
    assert [path for path, _reason in merge(given, embedded_mirror="127.0.0.1:6443")[1]] == [
        "configs.x y",
        "mirrors.quay.io.endpoint[0]",
        "mirrors.quay.io.endpoint[2]",
    ]


def test_the_registries_that_need_a_directory() -> None:
    given = config({"*": {"endpoint": [MIRROR]}, "quay.io": None}, {"z.example.com": {"tls": {}}})
    assert sorted(host_configs(given)) == ["_default", "z.example.com"]


def test_the_configuration_given_is_not_changed() -> None:
    given = config({"quay.io": {"endpoint": [MIRROR], "rewrite": {"a": "b"}}})
    host_configs(given, embedded_mirror="127.0.0.1:6443")["quay.io"]["endpoints"][1]["rewrites"]["c"] = "d"
    assert given == config({"quay.io": {"endpoint": [MIRROR], "rewrite": {"a": "b"}}})
