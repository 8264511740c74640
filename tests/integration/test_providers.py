# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credential providers of the kubelet: on the nodes, in verify, and away again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.integration.cluster import SITE, Cluster

VERIFY = "playbooks/verify.yml"
FOLDER = "/var/lib/rancher/credentialprovider"
CONFIG = FOLDER + "/config.yaml"
PROGRAM = FOLDER + "/bin/own-provider"
CREDENTIALS = "/root/own-credentials.json"
SECRET = "variable-5f0a7d31c2be"

# It says which credentials it gives in the registry's ledger, by being taken or refused.
GOOD = """#!/usr/bin/python3
import json, os, sys
request = json.load(sys.stdin)
assert request["kind"] == "CredentialProviderRequest", request
with open(os.environ["CREDENTIALS"]) as handle:
    auth = {os.environ["REGISTRY"]: json.load(handle)}
answer = {"kind": "CredentialProviderResponse", "apiVersion": request["apiVersion"], "cacheKeyType": "Registry"}
print(json.dumps({**answer, "cacheDuration": "0s", "auth": auth}))
"""


def _wanted(cluster: Cluster, script: str) -> dict[str, Any]:
    registry = cluster.fleet.registry
    program = Path(cluster.folder / "own-provider")
    program.write_text(script, encoding="utf-8")
    place = "%s:%d" % (registry.host, registry.port)
    env = {"REGISTRY": place, "CREDENTIALS": CREDENTIALS, "OTHER": SECRET}
    provider = {"name": "own-provider", "src": str(program), "match_images": [place], "env": env}
    return {"k3s_registries_credential_providers": [provider]}


def _give(cluster: Cluster, password: str) -> None:
    """What the provider finds on the nodes; its process has the password nowhere else."""
    text = json.dumps({"username": cluster.fleet.registry.username, "password": password})
    cluster.everywhere("umask 077; cat >" + CREDENTIALS, stdin=text.encode())


def _nobody(cluster: Cluster) -> dict[str, int]:
    return dict.fromkeys(cluster.names, 0)


def test_a_provider_comes_is_updated_and_goes(sound: Cluster) -> None:
    _give(sound, sound.fleet.registry.password)
    first = sound.play(SITE, "--diff", "-vvv", variables=_wanted(sound, GOOD)).ok()
    assert sound.restarts(first.began) == dict.fromkeys(sound.names, 1)
    assert SECRET not in first.output
    assert set(sound.everywhere("stat -c %%a %s; head -1 %s" % (CONFIG, PROGRAM)).values()) == {
        "600\n#!/usr/bin/python3\n"
    }
    again = sound.play(SITE, variables=_wanted(sound, GOOD)).ok()
    assert (again.changed, sound.restarts(again.began)) == (_nobody(sound), _nobody(sound))

    updated = sound.play(SITE, variables=_wanted(sound, GOOD + "# 2\n")).ok()
    assert updated.changed == dict.fromkeys(sound.names, 1)
    assert sound.restarts(updated.began) == _nobody(sound)
    assert set(sound.everywhere("tail -1 " + PROGRAM).values()) == {"# 2\n"}

    passed = sound.play(VERIFY, "-vvv", variables=_wanted(sound, GOOD + "# 2\n")).ok()
    assert SECRET not in passed.output
    assert sound.fleet.registry.password not in passed.output

    gone = sound.play(SITE).ok()
    assert sound.restarts(gone.began) == dict.fromkeys(sound.names, 1)
    assert set(sound.everywhere("ls -d %s %s 2>/dev/null | wc -l" % (CONFIG, PROGRAM)).values()) == {"0\n"}


def test_verify_names_a_provider_that_fails_before_a_pod_needs_it(sound: Cluster) -> None:
    _give(sound, "no-longer-the-password")
    wrong = _wanted(sound, GOOD)
    sound.play(SITE, variables=wrong).ok()
    refused = sound.play(VERIFY, variables=wrong).refused()
    assert refused.failed == sorted(sound.names)
    assert "unauthorized: credential provider own-provider" in " ".join(refused.output.split())
    for script, words in (
        ("#!/bin/sh\necho no role here >&2\nexit 1\n", "it ended with status 1: no role here"),
        ("#!/bin/sh\necho rubbish\n", "what it wrote is no JSON object"),
    ):
        bad = _wanted(sound, script)
        changed = sound.play(SITE, variables=bad).ok()
        assert sound.restarts(changed.began) == _nobody(sound)
        run = sound.play(VERIFY, variables=bad).refused()
        assert run.failed == sorted(sound.names)
        assert "provider_" in run.output
        assert words in " ".join(run.output.split())


def test_what_is_somebody_else_s_stops_the_run(sound: Cluster) -> None:
    sound.play(SITE).ok()
    sound.everywhere("mkdir -p %s; echo 'providers: []' >%s" % (FOLDER, CONFIG))
    stopped = sound.play(SITE, variables=_wanted(sound, GOOD)).refused()
    assert "was not written by this collection" in " ".join(stopped.output.split())
    assert sound.restarts(stopped.began) == _nobody(sound)
    assert set(sound.everywhere("cat " + CONFIG).values()) == {"providers: []\n"}
    sound.everywhere("rm -r " + FOLDER)
