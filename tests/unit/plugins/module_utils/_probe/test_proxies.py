# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies, by Go's rules: which requests go through one, and whose fault it is when they fail."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.environment import service_environment
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.proxy import ProxyError, proxy_for
from probing import one

from tests.registry_faults import servers
from tests.registry_faults.servers import Reply, Request

CONFIG = {"mirrors": {"mirrored.example.com": {"endpoint": ["https://registry.example.com:5000"]}}}
PLAIN = {"mirrors": {"mirrored.example.com": {"endpoint": ["http://registry.example.com:5000"]}}}


@pytest.mark.parametrize(
    ("exceptions", "host", "proxied"),
    [
        ("", "registry.example.com:5000", True),
        ("*", "registry.example.com:5000", False),
        ("registry.example.com", "registry.example.com:5000", False),
        ("example.com", "registry.example.com:5000", False),
        (".example.com", "registry.example.com:5000", False),
        ("*.example.com", "registry.example.com:5000", False),
        (".example.com", "example.com", True),
        ("ample.com", "registry.example.com:5000", True),
        ("registry.example.com:5000", "registry.example.com:5000", False),
        ("registry.example.com:5001", "registry.example.com:5000", True),
        ("REGISTRY.example.com", "registry.EXAMPLE.com:5000", False),
        ("10.0.0.0/8", "10.1.2.3:5000", False),
        ("10.0.0.0/8", "registry.example.com:5000", True),
        ("10.1.2.3", "10.1.2.3:5000", False),
        ("10.1.2.3:443", "10.1.2.3", False),
        ("10.1.2.3:443", "10.1.2.3:5000", True),
        ("fd00::/8", "[fd00::1]:5000", False),
        (" a.test , registry.example.com ", "registry.example.com", False),
        ("", "localhost:5000", False),
        ("", "127.0.0.1:5000", False),
        ("", "[::1]:5000", False),
    ],
)
def test_exceptions(exceptions: str, host: str, proxied: bool) -> None:
    environment = {"HTTPS_PROXY": "http://proxy.example.com:3128", "NO_PROXY": exceptions}
    found = proxy_for(environment, "https", host)
    assert (found is not None) == proxied
    assert proxy_for(environment, "http", host) is None


def test_forms_of_a_proxy() -> None:
    plain = proxy_for({"http_proxy": "proxy.example.com"}, "http", "r.test")
    assert plain is not None
    assert (plain.host, plain.port, plain.secure, plain.authorization) == ("proxy.example.com", 80, False, "")
    secure = proxy_for({"HTTPS_PROXY": "https://us%40er:p%3Aw@proxy.example.com"}, "https", "r.test")
    assert secure is not None
    assert (secure.port, secure.secure) == (443, True)
    assert base64.b64decode(secure.authorization.split()[1]) == b"us@er:p:w"
    for value in ("socks5://user:pw-CANARY@proxy", "http://user:pw-CANARY@proxy:port"):
        with pytest.raises(ProxyError) as error:
            proxy_for({"HTTPS_PROXY": value}, "https", "r.test")
        assert "CANARY" not in str(error.value)
        result = one(CONFIG, environment={"HTTPS_PROXY": value})
        assert result["cause"] == "unknown"
        assert "CANARY" not in str(result)


@pytest.mark.parametrize(
    ("status", "cause"), [(407, "unauthorized"), (403, "forbidden"), (502, "server_error"), (503, "server_error")]
)
def test_a_proxy_that_refuses_is_named(opened: Callable[[Any], Any], status: int, cause: str) -> None:
    proxy = opened(servers.HttpServer(servers.status(status)))
    environment = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY"), f"http://user:pw-CANARY@127.0.0.1:{proxy.port}")
    for config, method in ((CONFIG, "CONNECT"), (PLAIN, "GET")):
        result = one(config, environment=environment)
        assert (result["cause"], result["status"]) == (cause, status)
        assert f"proxy 127.0.0.1:{proxy.port}" in result["message"]
        assert "CANARY" not in str(result)
        asked = proxy.requests[-1]
        assert asked.method == method
        assert asked.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"user:pw-CANARY").decode()


def test_a_plain_request_through_a_proxy_works(opened: Callable[[Any], Any]) -> None:
    store = servers.Store()
    proxy = opened(servers.HttpServer(lambda request: store(request._replace(path="/v2/"))))
    result = one(PLAIN, environment={"HTTP_PROXY": f"127.0.0.1:{proxy.port}"})
    assert result["cause"] == "ok"
    assert proxy.requests[0].headers["host"] == "registry.example.com:5000"


def test_tls_runs_through_the_proxys_tunnel(pki: Any, opened: Callable[[Any], Any]) -> None:
    stem = pki.server("tunnelled", ("registry.example.com",))
    registry = opened(servers.HttpServer(servers.Store(), servers.server_context(stem)))
    proxy = opened(servers.RawServer(servers.tunnel_to(registry.port)))
    config = {**CONFIG, "configs": {"registry.example.com:5000": {"tls": {"ca_file": str(pki.ca)}}}}
    result = one(config, environment={"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"})
    assert result["cause"] == "ok", result
    assert result["certificate"]["subject"] == "CN=tunnelled"
    unknown = one(CONFIG, environment={"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"})
    assert unknown["cause"] == "tls_unknown_authority"


def test_a_proxy_that_is_not_there() -> None:
    with servers.closed_port() as port:
        result = one(CONFIG, environment={"HTTPS_PROXY": f"http://127.0.0.1:{port}"})
    assert result["cause"] == "connection_refused"
    assert f"The proxy 127.0.0.1:{port}" in result["message"]
    assert "add registry.example.com to NO_PROXY" in result["fix"]


def made(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())


def test_without_containerd_the_services_files_count(tmp_path: Path) -> None:
    made(tmp_path / "etc/systemd/system/k3s-agent.service.env", "HTTPS_PROXY='http://file:1'\nOTHER=x\n")
    found = service_environment("/var/lib/rancher/k3s", ("k3s", "k3s-agent"), str(tmp_path))
    assert found.variables == {"HTTPS_PROXY": "http://file:1"}
    assert found.source.endswith("etc/systemd/system/k3s-agent.service.env")
    made(tmp_path / "etc/default/k3s-agent", 'export NO_PROXY="a,b"\nCONTAINERD_HTTPS_PROXY=http://containerd:1\n')
    found = service_environment("/var/lib/rancher/k3s", ("k3s", "k3s-agent"), str(tmp_path))
    assert found.variables == {"HTTPS_PROXY": "http://containerd:1", "NO_PROXY": "a,b"}


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        # K3s is its own containerd, and overwrites the arguments.
        ("/var/lib/rancher/k3s/data/d78881/bin/k3s", "containerd     " + "\0" * 60),
        ("/usr/bin/containerd", "/usr/bin/containerd\0-c\0/var/lib/rancher/k3s/agent/etc/containerd/config.toml\0"),
    ],
)
def test_the_running_containerd_has_the_truth(tmp_path: Path, program: str, arguments: str) -> None:
    made(tmp_path / "etc/default/k3s-agent", "HTTPS_PROXY=http://file:1\n")
    for process, exe, words, proxy in (
        ("12", "/usr/bin/containerd", "/usr/bin/containerd\0-c\0/etc/containerd/config.toml\0", "http://other"),
        ("13", "/var/lib/rancher/k3s/data/d78881/bin/k3s", "/usr/local/bin/k3s agent\0", "http://k3s"),
        ("14", program, arguments, "http://process:1"),
    ):
        made(tmp_path / "proc" / process / "cmdline", words)
        made(tmp_path / "proc" / process / "environ", f"PATH=/bin\0HTTPS_PROXY={proxy}\0SSL_CERT_FILE=/ca\0")
        (tmp_path / "proc" / process / "exe").symlink_to(exe)
    found = service_environment("/var/lib/rancher/k3s", ("k3s-agent",), str(tmp_path))
    assert found == ({"HTTPS_PROXY": "http://process:1", "SSL_CERT_FILE": "/ca"}, "process")


def test_the_tunnel_of_the_tests_is_one(opened: Callable[[Any], Any]) -> None:
    """Or the test above would prove nothing."""
    asked: list[Request] = []

    def app(request: Request) -> Reply:
        asked.append(request)
        return Reply(200)

    registry = opened(servers.HttpServer(app))
    proxy = opened(servers.RawServer(servers.tunnel_to(registry.port)))
    one(PLAIN, environment={"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}"}, timeout=1)
    assert asked == []
