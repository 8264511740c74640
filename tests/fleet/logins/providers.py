# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credential providers to put on nodes: good ones, and each kind that gives a kubelet nothing."""

from __future__ import annotations

import json
from typing import Any

from tests.fleet import contents

API_VERSION = "credentialprovider.kubelet.k8s.io/v1"
FOLDER = "/var/lib/rancher/credentialprovider"
"""Where K3s and RKE2 look: the programs in `bin`, and config.yaml."""

_ANSWER = """\
#!/usr/bin/python3
import json, os, sys
asked = json.load(sys.stdin)
assert asked["kind"] == "CredentialProviderRequest", asked
"""
OF_A_FILE = (
    _ANSWER
    + """\
with open(os.environ["LOGINS"]) as handle:
    logins = json.load(handle)
print(json.dumps({
    "kind": "CredentialProviderResponse", "apiVersion": asked["apiVersion"], "cacheKeyType": "Registry",
    "cacheDuration": os.environ.get("CACHE", "0s"), "auth": logins,
}))
"""
)
"""What the file in LOGINS says: addresses to username and password. How often it ran is not its business."""

OF_THE_CLOUD = (
    _ANSWER
    + """\
import base64, ssl, time, urllib.request

def fetch(url, headers, method="GET", body=None):
    context = ssl.create_default_context(cafile=os.environ["CLOUD_CA"]) if url.startswith("https") else None
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        return answer.read().decode()

metadata = os.environ["CLOUD_METADATA"] + "/latest"
session = {"X-aws-ec2-metadata-token": fetch(
    metadata + "/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, "PUT")}
role = fetch(metadata + "/meta-data/iam/security-credentials/", session)
keys = json.loads(fetch(metadata + "/meta-data/iam/security-credentials/" + role, session))
given = json.loads(fetch(os.environ["CLOUD_TOKENS"] + "/", {
    "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    "Authorization": "AWS4-HMAC-SHA256 Credential=%s/x, Signature=x" % keys["AccessKeyId"],
}, "POST", b"{}"))["authorizationData"][0]
user, _colon, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
print(json.dumps({
    "kind": "CredentialProviderResponse", "apiVersion": asked["apiVersion"], "cacheKeyType": "Registry",
    "cacheDuration": "%ds" % ((given["expiresAt"] - time.time()) / 2),
    "auth": {asked["image"].partition("/")[0]: {"username": user, "password": password}},
}))
"""
)
"""Asks the cloud (``tests.fleet.logins.cloud``): its addresses are in CLOUD_METADATA and CLOUD_TOKENS, its CA in
CLOUD_CA. What it gets is kept for half of its life."""

HANGING = "#!/bin/sh\nexec sleep 600\n"
RUBBISH = "#!/bin/sh\necho '<html>Sign in</html>'\n"
FAILING = "#!/bin/sh\necho 'no credentials found for this instance' >&2\nexit 1\n"
SILENT = "#!/bin/sh\nexit 0\n"
OTHER_VERSION = _ANSWER + (
    'print(json.dumps({"kind": "CredentialProviderResponse", "cacheKeyType": "Registry", "auth": {},\n'
    '    "apiVersion": "credentialprovider.kubelet.k8s.io/v1alpha1"}))\n'
)
WITHOUT_CACHE_KEY = _ANSWER + (
    'print(json.dumps({"kind": "CredentialProviderResponse", "apiVersion": asked["apiVersion"], "auth": {}}))\n'
)


def of_another_machine(architecture: str) -> bytes:
    """A program for the architecture that ``architecture`` is not."""
    return contents.program("arm64" if architecture == "amd64" else "amd64")


def entry(name: str, images: list[str], cache: str = "0s", **env: str) -> dict[str, Any]:
    """One provider of a config.yaml."""
    return {
        "name": name, "apiVersion": API_VERSION, "matchImages": images, "defaultCacheDuration": cache,
        "env": [{"name": key, "value": value} for key, value in env.items()],
    }  # fmt: skip


def config(*entries: dict[str, Any]) -> str:
    """A config.yaml, which JSON is too."""
    kind = {"kind": "CredentialProviderConfig", "apiVersion": "kubelet.config.k8s.io/v1"}
    return json.dumps({**kind, "providers": list(entries)}, indent=2) + "\n"
