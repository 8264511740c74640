# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes that K3s' own pages show (docs.k3s.io: private-registry, registry-mirror): the right ones pass, the others
are named with the reason."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import NodeFacts
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.text import lint_text

TLS = "{cert_file: /etc/k3s/client.crt, key_file: /etc/k3s/client.key, ca_file: /etc/k3s/ca.crt}"
AUTH = "{username: robot, password: secret}"


def docker_io(endpoint: str, more: str = "", configs: str = "") -> str:
    return f"mirrors:\n  docker.io:\n    endpoint: ['{endpoint}']\n{more}{configs}"


def configs(host: str = "registry.example.com:5000", **settings: str) -> str:
    return f'configs:\n  "{host}":\n' + "".join(f"    {key}: {value}\n" for key, value in settings.items())


HTTPS = "https://registry.example.com:5000"
HTTP = "http://registry.example.com:5000"
REWRITE = """    rewrite: {"^rancher/(.*)": "mirrorproject/rancher-images/$1"}\n"""

RIGHT = {
    "mirror of a registry of the same name on another port": (
        f"mirrors:\n  registry.example.com:\n    endpoint: ['{HTTPS}']\n"
    ),
    "redirect": docker_io(HTTPS),
    "rewrite": docker_io(HTTPS, REWRITE),
    "rewrite when pulling directly": (
        f"mirrors:\n  registry.example.com:\n    endpoint: ['https://registry.example.com:443']\n{REWRITE}"
    ),
    "TLS with authentication": docker_io(HTTPS, configs=configs(auth=AUTH, tls=TLS)),
    "TLS without authentication": docker_io(HTTPS, configs=configs(tls=TLS)),
    "no TLS, no authentication, on one's own network": docker_io("http://registry.lan:5000"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_has_no_findings(name: str) -> None:
    assert lint_text(RIGHT[name], NodeFacts("v1.34.3+k3s1")) == []


@pytest.mark.parametrize(
    "text",
    ["mirrors:\n  docker.io:\n  registry.k8s.io:\n", 'mirrors:\n  "*":\n'],
)
def test_mirrors_of_the_embedded_registry_need_no_endpoint(text: str) -> None:
    assert lint_text(text, NodeFacts("v1.35.1+k3s1", embedded_mirror="127.0.0.1:6443")) == []


WRONG = {
    # The page leaves out the colon after the name of the registry.
    "rewrite when pulling directly, as it stands there": (
        "mirrors:\n registry.example.com\n   endpoint:\n     - 'https://registry.example.com:443'\n"
        "   rewrite: {'^rancher/(.*)': 'mirrorproject/$1'}\n",
        "K3R111",
        "error",
        "colon at the end of line 2",
    ),
    # K3s reads no bearer token.
    "token": (docker_io(HTTPS, configs=configs(auth="{token: secret}")), "K3R106", "error", "identity_token"),
    # TLS settings of the wildcard are dropped where the wildcard has a mirror.
    "wildcard with TLS": (
        f"mirrors: {{'*': {{endpoint: ['{HTTPS}']}}}}\n"
        "configs: {docker.io: , '*': {tls: {insecure_skip_verify: true}}}",
        "K3R235",
        "warning",
        "registry.example.com:5000",
    ),
    # Credentials in clear text over the network.
    "no TLS with authentication": (docker_io(HTTP, configs=configs(auth=AUTH)), "K3R226", "warning", "https"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_its_reason(name: str) -> None:
    text, code, level, advice = WRONG[name]
    (finding,) = (found for found in lint_text(text) if found["code"] == code)
    assert finding["level"] == level
    assert advice in finding["message"] + finding["fix"]
    assert "secret" not in str(finding)
    others = {found["code"] for found in lint_text(text) if found["level"] == "error"} - {code}
    assert not others, "nothing else is wrong with it"
