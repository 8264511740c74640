# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a refusal means at a product that is known, and that nobody else is told so."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.advice import ADVICE
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.products import hint_for
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader
from containerd_log import GENERATIONS, Answer, unresolved

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("cause", "status", "host", "user", "word"),
    [
        ("forbidden", 412, "harbor.example.com", "", "policy"),
        ("forbidden", 403, ECR, "AWS", "12 hours"),
        ("unauthorized", 401, ECR, "", "12 hours"),
        ("forbidden", 403, "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "", "12 hours"),
        ("token_refused", 403, "europe-docker.pkg.dev", "_json_key_base64", "Google"),
        ("token_refused", 401, "registry.gitlab.com", "gitlab+deploy-token-12", "its secret is misspelt"),
        ("forbidden", 401, "registry.gitlab.com", "gitlab+deploy-token-12", "lacks a scope"),
        ("unauthorized", 401, "harbor.example.com", "robot$k3s", "Harbor"),
        ("unauthorized", 401, "harbor.example.com:8443", "robot$team+k3s", "Harbor"),
        ("unauthorized", 401, "quay.io", "platform+k3s", "Quay"),
    ],
)
def test_a_product_is_known(cause: str, status: int, host: str, user: str, word: str) -> None:
    hint = hint_for(cause, status, host, user)
    assert hint is not None
    assert word in hint.message


@pytest.mark.parametrize(
    ("cause", "status", "host", "user"),
    [
        ("forbidden", 403, "harbor.example.com", "robot"),
        ("unauthorized", 401, "harbor.example.com", "robot"),
        ("unauthorized", 401, f"{ECR}.example.com", "AWS"),
        ("token_refused", 401, "evil-docker.pkg.dev.example.com", "_json_key"),
        ("token_refused", 401, "quay.io", "platform+k3s"),
        ("rate_limited", 429, ECR, "AWS"),
        ("not_found", 404, "harbor.example.com", "robot$k3s"),
    ],
)
def test_others_get_the_advice_of_the_cause(cause: str, status: int, host: str, user: str) -> None:
    assert cause in ADVICE
    assert hint_for(cause, status, host, user) is None


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_policy_is_told_from_a_right_in_every_generation(generation: str) -> None:
    registry = "harbor.example.com"
    reader = PullReader({})
    reader.read(unresolved(f"{registry}/team/app:1", [Answer(registry, "412 Precondition Failed")], generation))
    (found,) = reader.diagnoses()
    assert (found["cause"], found["endpoint"]) == ("forbidden", registry)
    assert found["fix"].startswith("Scan, sign or replace harbor.example.com/team/app:1")


def test_credentials_under_another_key_are_said_before_what_a_product_means() -> None:
    registry = "harbor.example.com"
    auth = {"auth": {"username": "robot$k3s", "password": "s3cret-canary"}}
    reader = PullReader({"mirrors": {}, "configs": {f"https://{registry}": auth}})
    reader.read(unresolved(f"{registry}/team/app:1", [Answer(registry, "401 Unauthorized")], "2.1"))
    (found,) = reader.diagnoses()
    assert "byte for byte" in found["message"]
    assert "Harbor" not in found["message"]
