# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes many endpoints at once, each under a deadline of its own."""

from __future__ import annotations

import platform as this_machine
import queue
import threading
from typing import Any, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure

from .authorization import Authorization
from .endpoint_checks import Asker, check_api, check_image
from .failure import Exposure
from .node_hosts import NodeHosts
from .platform import node_platform
from .result import Describer, Probed
from .session import Session
from .targets import Target
from .trust import Trust

MOST_AT_ONCE = 128
# What a probe may need beyond its deadline to notice that it has passed.
_GRACE = 0.5


class Prober:
    """Probes from this machine.

    :param node: which hosts there are, with which credentials.
    :param environment: of the node's containerd, see :mod:`environment`.
    :param timeout: the deadline of each probe, in seconds.
    :param content: whether an image's content is looked at, not only its manifest's existence.
    :param machine: the node's architecture as ``uname -m`` gives it; "" is this machine's.
    """

    def __init__(
        self,
        node: NodeHosts,
        environment: Mapping[str, str],
        timeout: float = 10.0,
        content: bool = True,
        machine: str = "",
    ) -> None:
        self._node = node
        self._environment = environment
        self._timeout = timeout
        self._content = content
        self._platform = node_platform(machine or this_machine.machine())
        self._trust = Trust(environment)

    def results(self, targets: Sequence[Target]) -> list[dict[str, Any]]:
        """A result for each target, in order; targets that one probe answers are probed once."""
        unique = list({target.key: target for target in targets}.values())
        probed = self._all(unique)
        describer = Describer(self._node)
        return [describer.result(target, probed[target.key]) for target in targets]

    def _all(self, targets: Sequence[Target]) -> dict[Any, Probed]:
        waiting: queue.Queue[Target] = queue.Queue()
        done: dict[Any, Probed] = {}
        for target in targets:
            waiting.put(target)

        def work() -> None:
            while True:
                try:
                    target = waiting.get_nowait()
                except queue.Empty:
                    return
                done[target.key] = self.probe(target)

        # Left behind if something cannot be interrupted: a name that is looked up, a file on a dead mount.
        threads = [threading.Thread(target=work, daemon=True) for _target in targets[:MOST_AT_ONCE]]
        for thread in threads:
            thread.start()
        rounds = -(-len(targets) // MOST_AT_ONCE)
        patience = Deadline(rounds * (self._timeout + _GRACE))
        for thread in threads:
            try:
                thread.join(patience.left("wait"))
            except Failure:
                break
        late = Probed("timeout", f"nothing within {self._timeout:g} s")
        return {target.key: done.get(target.key, late) for target in targets}

    def probe(self, target: Target) -> Probed:
        """What one target answers. Never raises."""
        if target.host is None:
            return Probed("hosts_toml_invalid", target.problem)
        if target.problem:
            return Probed("unknown", f"containerd cannot ask for {target.url}: {target.problem}")
        deadline = Deadline(self._timeout)
        try:
            contexts = self._trust.contexts(target.host.tls)
        except Failure as failure:
            return Probed(failure.cause, failure.detail)
        endpoint = f"{target.host.scheme}://{target.host.host}"
        try:
            session = Session(contexts, self._environment, deadline, endpoint, target.host.tries_https_first)
        except Failure as failure:
            return Probed(failure.cause, failure.detail)
        authorization = Authorization(session, self._node.credentials, target.repository, target.host.header)
        try:
            probed = asked(Asker(session, authorization), session, authorization, target, self._platform, self._content)
        finally:
            session.close()
        session.connections.times["total"] = round(deadline.passed_ms(), 1)
        return probed


def asked(
    ask: Asker,
    session: Session,
    authorization: Authorization,
    target: Target,
    platform: tuple[str, str],
    content: bool,
) -> Probed:
    """What a target answers in a session, which has asked nothing else or other things of the same endpoint. Never
    raises.

    :param content: whether an image's content is looked at, not only its manifest's existence.
    """
    if target.host is None:
        raise AssertionError("targets without a host are not asked")
    held_back, digest, fix = "", "", ""
    known = len(session.findings)
    try:
        if target.image is None:
            seen = check_api(ask, authorization, target.url)
        else:
            seen = check_image(ask, target.image, target.host, target.repository, platform, content)
        (code, detail, digest), cause, at_proxy = seen, "ok", False
    except Failure as failure:
        cause, detail, code, at_proxy = failure.cause, failure.detail, failure.status or 0, failure.at_proxy
        fix = failure.fix
        if isinstance(failure, Exposure):
            held_back = failure.sentence
    except Exception as error:  # pylint: disable=broad-except  # noqa: BLE001 - one probe must not end the others
        cause, detail, code, at_proxy = "unknown", f"the probe failed: {type(error).__name__}", 0, False
    connections = session.connections
    return Probed(
        cause,
        detail,
        code or None,
        authorization.scheme,
        connections.times,
        connections.certificate,
        connections.protocol,
        authorization.secrets,
        authorization.credentials is not None,
        connections.proxy.text if connections.proxy is not None else "",
        at_proxy,
        held_back,
        tuple(session.findings[known:]),
        digest,
        fix,
    )
