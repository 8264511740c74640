# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What needs attention: trouble that many nodes share is listed once, the worst first, then the most common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import nodes, providers, registries
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.levels import LEVELS

from . import certificates, words
from .document import natural


class Seen(NamedTuple):
    """One observation on one node. ``text`` is what was seen there, ``detail`` a diff or other preformatted lines."""

    level: str
    code: str
    title: str
    fix: str
    text: str
    detail: str = ""
    fallback: bool = False


@dataclass
class Variant:
    """Nodes on which the same was seen, word for word."""

    text: str
    detail: str
    fix: str
    nodes: list[str] = field(default_factory=list)


@dataclass
class Finding:
    """A trouble and the nodes that have it."""

    level: str
    code: str
    title: str
    fallback: bool = False
    variants: list[Variant] = field(default_factory=list)

    @property
    def nodes(self) -> list[str]:
        return sorted({name for variant in self.variants for name in variant.nodes}, key=natural)

    @property
    def fixes(self) -> list[str]:
        """What to do: one sentence for all of its variants, or one for each kind of them."""
        return list(dict.fromkeys(variant.fix for variant in self.variants if variant.fix))

    @property
    def order(self) -> tuple[int, bool, int, str]:
        """The worst first, then what most nodes have; an unreachable fallback comes after the mirror before it."""
        return (LEVELS.index(self.level), self.fallback, -len(self.nodes), self.title)


def findings(document: Mapping[str, Any]) -> list[Finding]:
    """Everything in a document that needs attention, except failing pulls."""
    groups: dict[tuple[str, ...], Finding] = {}
    variants: dict[tuple[str, ...], Variant] = {}
    for name, host in document["hosts"].items():
        for seen in _of_host(name, host):
            key = (seen.level, seen.code, seen.title)
            group = groups.setdefault(key, Finding(*key, seen.fallback))
            same = (*key, seen.text, seen.detail, seen.fix)
            variant = variants.get(same)
            if variant is None:
                variant = variants[same] = Variant(seen.text, seen.detail, seen.fix)
                group.variants.append(variant)
            if name not in variant.nodes:
                variant.nodes.append(name)
    found = [*groups.values(), *_certificates(document)]
    for group in found:
        group.variants.sort(key=lambda variant: -len(variant.nodes))
    return sorted(found, key=lambda group: group.order)


def _certificates(document: Mapping[str, Any]) -> list[Finding]:
    """Certificates that have expired, expire soon or cannot be used: those of one registry together, since many nodes
    may have one each."""
    groups: dict[tuple[str, str, str, bool], list[certificates.Certificate]] = {}
    for found in certificates.certificates(document):
        if found.level != "ok":
            groups.setdefault((found.level, found.kind, found.where, bool(found.problem)), []).append(found)
    return [_certificate(group) for group in groups.values()]


def _certificate(group: list[certificates.Certificate]) -> Finding:
    first = group[0]
    where = words.address(first.where)
    what = f"{first.kind_label} certificate of {where}"
    if len(group) > 1:
        what = f"{len(group)} {first.kind_label} certificates of {where}"
    if first.problem:
        happens = "cannot be used"
    else:
        happens = words.days_left(first.days_left or 0, len(group))
        if len(group) > 1 and first.days_left != group[-1].days_left:
            happens += " or later"
    if first.kind == "server":
        fix = f"Renew the certificate on {where}; the nodes need no change if its CA stays the same."
    else:
        fix = "Renew it and run k3sfleet.registries.site: a changed certificate reaches the nodes without a restart."
    finding = Finding(first.level, "certificate", f"{words.first_upper(what)} {happens}")
    for found in group:
        text = "; ".join(part for part in (found.problem, found.subject, found.path, found.not_after) if part)
        finding.variants.append(Variant(text, "", fix, list(found.nodes)))
    return finding


def _of_host(name: str, host: Mapping[str, Any]) -> Iterator[Seen]:
    if host["unreachable"]:
        yield Seen(
            "unknown",
            "unreachable",
            "Unreachable",
            "Make sure that Ansible can log in, then run the report again: nothing is known about these nodes.",
            str(host["unreachable"]).replace(name, "this node"),
        )
        return
    for error in host.get("errors") or []:
        yield Seen(
            "unknown",
            "module_failed",
            f"{error.get('module')} failed",
            "Fix what it says, then run the report again.",
            str(error.get("message") or ""),
        )
    info = host["info"] or {}
    yield from _state(info)
    yield from _problems(info)
    yield from _endpoints(host)
    for trouble in providers.troubles(host.get("providers") or ()):
        title = words.first_upper(words.cause(trouble.code))
        yield Seen(trouble.level, trouble.code, title, trouble.fix, trouble.message)


def _state(info: Mapping[str, Any]) -> Iterator[Seen]:
    code = str(info.get("state") or "")
    state = words.STATES.get(code)
    if state is None:
        return
    registries = info.get("registries") or {}
    error = str(registries.get("error") or "")
    detail = "\n".join(_difference(item) for item in info.get("differences") or [])
    told = [problem for problem in info.get("problems") or [] if problem.get("code") == code]
    if not told:
        text = f"{state.message} {error}".strip()
        yield Seen(nodes.STATES[code], code, state.title, state.fix, text, detail)
    for number, problem in enumerate(told):
        text = str(problem.get("message") or state.message)
        # The difference belongs to all of them; show it once.
        shown = detail if number == len(told) - 1 else ""
        yield Seen(nodes.STATES[code], code, state.title, str(problem.get("fix") or state.fix), text, shown)


def _difference(item: Mapping[str, Any]) -> str:
    kind = {"missing": "is missing", "unexpected": "is not expected", "differs": "differs"}
    head = f"{item.get('file')} {kind.get(str(item.get('kind')), item.get('kind') or '')}".strip()
    diff = str(item.get("diff") or "").strip("\n")
    return f"{head}\n{diff}\n" if diff else head


def _problems(info: Mapping[str, Any]) -> Iterator[Seen]:
    for problem in info.get("problems") or []:
        code = str(problem.get("code") or "")
        if code in nodes.OF_CERTIFICATES or (code == info.get("state") and code in words.STATES):
            continue
        level = str(problem.get("level") or "warning")
        yield Seen(
            level if level in LEVELS else "warning",
            code,
            words.problem(code),
            str(problem.get("fix") or ""),
            str(problem.get("message") or ""),
        )


def _endpoints(host: Mapping[str, Any]) -> Iterator[Seen]:
    """Endpoints that fail, without a failing fallback that no pull needs."""
    assessed = registries.assess(host["endpoints"])
    by_registry: dict[str, list[Mapping[str, Any]]] = {}
    for entry in host["endpoints"]:
        by_registry.setdefault(str(entry.get("registry") or ""), []).append(entry)
    for entry in host["endpoints"]:
        registry = str(entry.get("registry") or "")
        cause = str(entry.get("cause") or "unknown")
        level = assessed[registry].level
        if cause == "ok" or level == "ok":
            continue
        endpoint = str(entry.get("endpoint") or entry.get("url") or "")
        # A hosts.toml that cannot be read has no endpoint.
        where = f"at {words.address(endpoint)}" if endpoint else f"for {registry}"
        image = str(entry.get("image") or "")
        yield Seen(
            level,
            cause,
            f"{words.first_upper(words.cause(cause))} {where}",
            str(entry.get("fix") or ""),
            f"{image}: {entry.get('message')}" if image else str(entry.get("message") or ""),
            "",
            entry.get("kind") == "default" and any(other.get("kind") != "default" for other in by_registry[registry]),
        )
