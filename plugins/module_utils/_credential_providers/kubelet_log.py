# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""What the kubelet says about its credential providers, in the log of K3s' service or, of RKE2's, in its own.

containerd knows nothing of a provider: a pull that got no credentials from one fails there with a 401. The kubelet has
gone on without credentials, and says why in its own log. Source: \`\`pkg/credentialprovider/plugin/plugin.go\`\` and
\`\`pkg/kubelet/kuberuntime/kuberuntime_manager.go\`\` of kubernetes/kubernetes.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import last_lines

from .match_images import matches
from .provider import Provider
from .said import reason, shown

LINES = 4000
"""So many of the newest lines of a log are looked through."""

_MOST = 4 << 20

EXPLAINED = ("unauthorized", "forbidden", "token_refused", "not_found")
"""What a pull ends with that got no credentials, or not the right ones."""

_STARTED = re.compile(r"error execing credential provider plugin (\S+) for image (\S+?):? (.*)")
_NOT_STARTED = ("exec format error", "no such file or directory", "permission denied")
_ANSWERS = (
    "error decoding credential provider plugin response from stdout",
    "error reading GVK from response",
    "apiVersion from credential plugin response did not match expected apiVersion",
    "credential provider plugin did not return a valid cacheKeyType",
)
_REFUSED = re.compile(r"register CRI auth plugins\"?:? ?(?:err=)?(.*)", re.IGNORECASE)
_MESSAGES = {
    "provider_not_started": "The kubelet cannot start the credential provider %s, so it pulls without credentials.",
    "provider_timeout": "The credential provider %s did not answer the kubelet within a minute, so it pulls without "
    "credentials.",
    "provider_failed": "The credential provider %s fails, so the kubelet pulls without credentials.",
    "provider_answer": "The kubelet does not take what the credential provider %s answers, so it pulls without "
    "credentials.",
}
_FIX = "Run k3sfleet.registries.verify, which starts the provider as the kubelet does. (%s)"


class Heard(NamedTuple):
    """A line about a provider. ``provider`` and ``image`` are "" where the kubelet does not name them."""

    cause: str
    provider: str
    image: str
    said: str
    line: str


def own_file(data_dir: str, since: float = 0.0) -> list[str]:
    """The newest lines of a kubelet that has a log of its own, as RKE2's, whose lines its service's log has not.

    :param since: of a file that was written last before this time, none are read.
    """
    path = os.path.join(data_dir, "agent", "logs", "kubelet.log")
    with contextlib.suppress(OSError):
        if os.stat(path).st_mtime >= since:
            return last_lines(path, LINES, _MOST)
    return []


def heard(lines: Iterable[str]) -> list[Heard]:
    """What the lines say about providers, in their order."""
    found = []
    for line in lines:
        if "credential" not in line and "GVK" not in line:
            continue
        match = _STARTED.search(line)
        if match:
            provider, image, said = match.groups()
            found.append(Heard(_cause(said), provider, image.strip('"'), said.strip('"'), line))
            continue
        answer = next((words for words in _ANSWERS if words in line), "")
        if answer:
            found.append(Heard("provider_answer", "", "", line[line.index(answer) :].strip('"'), line))
    return found


def _cause(said: str) -> str:
    if "context deadline exceeded" in said:
        return "provider_timeout"
    if said.startswith("fork/exec") and any(words in said for words in _NOT_STARTED):
        return "provider_not_started"
    return "provider_failed"


def explained(pull: Mapping[str, Any], said: Sequence[Heard], providers: Sequence[Provider]) -> dict[str, Any]:
    """A pull that fails, with the kubelet's reason if that has one for it.

    :param pull: of k3s_pull_diagnosis.
    :param providers: those of the node: of a line that names no image it is known by them whose it may be.
    """
    if pull["cause"] not in EXPLAINED:
        return dict(pull)
    repository = _repository(str(pull["image"]))
    its = [item.name for item in providers if any(matches(pattern, repository) for pattern in item.match_images)]
    # A line that names the image tells more than a newer one that does not.
    item = next((item for item in reversed(said) if item.image == repository), None)
    whose = item.provider if item is not None else ""
    if item is None and its:
        item = next((item for item in reversed(said) if not item.image), None)
        whose = " or ".join(its)
    if item is None:
        return dict(pull)
    return {
        **pull,
        "cause": item.cause,
        "endpoint": None,
        "message": _MESSAGES[item.cause] % whose,
        "fix": _FIX % reason(item.said, providers),
        "evidence": [*pull["evidence"], shown(item.line, providers)],
    }


def refusal(lines: Iterable[str]) -> str:
    """Why the kubelet, and K3s with it, ends at its start because of its providers; "" if no line says so."""
    for line in lines:
        match = _REFUSED.search(line)
        if match:
            return "the kubelet refuses its credential providers: %s" % shown(match.group(1).strip('"'))
    return ""


def _repository(image: str) -> str:
    """An image's name without tag and digest."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name
