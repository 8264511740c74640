# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes ``verify`` pass: each rule that a node can fail, in one place."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from . import providers, registries

#: States in which a node does not run what its files say, whatever works at the moment.
_NOT_AS_IT_SHOULD = ("pending", "drifted", "unreadable")
_WITHOUT_K3S = {"not_installed": "installed", "not_set_up": "set up"}
_FIX_WITHOUT_K3S = (
    "If it is, it runs as another distribution or service than k3s_registries_distribution and k3s_registries_service "
    "say: correct them. If K3s is not meant to be here yet, set k3s_registries_verify_not_installed: allow, or leave "
    "the host out with --limit."
)
_MOST_FINDINGS = 10


class Finding(NamedTuple):
    """Something about a node; with one that ``fails``, it does not pass. ``place``: the endpoint that it is about.

    ``code`` is one word for scripts. A sentence begins with it, or with ``label`` if that is not None.
    """

    fails: bool
    code: str
    message: str
    fix: str = ""
    place: str = ""
    label: str | None = None


def of_modules(answers: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """What could not be asked is not known to be well.

    :param answers: module to what it has returned.
    """
    for module, answer in answers.items():
        if answer.get("failed") or answer.get("unreachable"):
            message = str(answer.get("msg") or "no reason given")
            yield Finding(True, "module_failed", message, label="%s failed" % module)


def of_info(facts: Mapping[str, Any], managed: bool, not_installed: str) -> Iterator[Finding]:
    """K3s has loaded what is in place, and nothing about it is an error.

    :param facts: ``info`` of k3s_registries_info.
    :param managed: whether the node is meant to have the collection's configuration, so that somebody else's
        registries.yaml is a failure and not only worth mentioning.
    :param not_installed: ``allow`` lets a node without K3s pass, where nothing can be verified.
    """
    state = str(facts.get("state") or "")
    told = False
    for problem in facts.get("problems") or []:
        code = str(problem.get("code") or "problem")
        told = told or code == state
        fails = problem.get("level") == "error" or code in _NOT_AS_IT_SHOULD or (code == "foreign" and managed)
        yield Finding(fails, code, str(problem.get("message") or ""), str(problem.get("fix") or ""))
    if state in _NOT_AS_IT_SHOULD and not told:
        yield Finding(True, state, "")
    if state in _WITHOUT_K3S and not_installed != "allow":
        yield Finding(
            True, state, "K3s is not %s here, so nothing was verified" % _WITHOUT_K3S[state], _FIX_WITHOUT_K3S
        )


def of_inventory(files: Sequence[Mapping[str, Any]], applied: Mapping[str, Any], loaded: bool) -> Iterator[Finding]:
    """What the inventory says is in place.

    :param files: those that k3s_registries would change.
    :param applied: what it has returned in check mode.
    :param loaded: whether K3s has loaded what is in place.
    """
    if files:
        changes = ", ".join("%s (%s)" % (item.get("path"), item.get("action")) for item in files)
        message = "the node does not have what k3s_registries says: %s" % changes
        yield Finding(True, "not_applied", message, "Run k3sfleet.registries.site.")
    elif applied.get("restart") and loaded:
        # Both come from one prediction, so this is a defect of the collection, and nothing that may pass as green.
        reasons = "; ".join(str(reason) for reason in applied.get("reasons") or ["no reason given"])
        message = "K3s has loaded what is in place, but k3s_registries would restart it: %s" % reasons
        yield Finding(True, "disagreement", message, "Please report this with the node's config.yaml.")


def of_endpoints(entries: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Every registry answers at one of its endpoints at least, and every image that was asked for is there."""
    levels = {name: found.level for name, found in registries.assess(entries).items()}
    for entry in entries:
        registry, fix = str(entry.get("registry") or ""), str(entry.get("fix") or "")
        place = str(entry.get("endpoint") or registry)
        if registries.works(entry):
            # It works, but containerd gives its credentials to somebody else.
            listed = entry.get("findings")
            for finding in listed[:_MOST_FINDINGS] if isinstance(listed, list) else ():
                yield Finding(False, "credentials_exposed", str(finding), fix, place, label="")
        elif levels[registry] != "ok":
            cause, message = str(entry.get("cause") or "unknown"), str(entry.get("message") or "")
            yield Finding(levels[registry] == "error", cause, message, fix, place)
    for image, entry in registries.missing_images(entries).items():
        message = "%s is not available from any endpoint: %s" % (image, entry.get("message") or "")
        yield Finding(True, str(entry.get("cause") or "unknown"), message, str(entry.get("fix") or ""))


def of_providers(entries: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Every credential provider of the kubelet's answers as the kubelet wants it, and its registry takes the answer.

    One that could not be asked for want of an image does not fail: nothing is known to be wrong with it.
    """
    for trouble in providers.troubles(entries):
        yield Finding(trouble.level == "error", trouble.code, trouble.message, trouble.fix)


def of_canaries(pulls: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Every canary image can be pulled."""
    for pull in pulls:
        if not pull.get("ok"):
            message = "%s cannot be pulled: %s" % (pull.get("image"), pull.get("message") or "")
            yield Finding(True, str(pull.get("cause")), message, str(pull.get("fix") or ""))


def of_metrics(written: Mapping[str, Any]) -> Iterator[Finding]:
    """The node's metrics, if they are wanted, are where node_exporter reads them.

    :param written: what k3s_registries_metrics has returned.
    """
    if written.get("failed") or written.get("unreachable"):
        yield Finding(True, "metrics_not_written", str(written.get("msg") or "no reason given"))
