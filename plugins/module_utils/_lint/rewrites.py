# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rewrites: patterns that Go refuses or that break hosts.toml, and those that do something else than meant."""

from __future__ import annotations

import re
from typing import Any, Iterator

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import DOCKER_HUB
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.rewrite import (
    Pattern,
    PatternError,
    Reference,
    compile_pattern,
    parse_template,
)

from .catalogue import ERROR, WARNING, Findings, checks, declare
from .naming import path, quoted
from .subject import Subject

_REGEXP = "Go regexp; k3s-io/containerd core/remotes/docker/resolver.go withRewritesFromHost"
_TEMPLATE = "k3s-io/k3s pkg/agent/templates/templates.go (HostsTomlTemplate)"
# What a TOML basic string cannot hold as it is.
_NOT_IN_TOML = re.compile('["\\\\\x00-\x1f\x7f\ud800-\udfff]')
_LITERAL = re.compile(r"\^[A-Za-z0-9._-]+\$\Z")
_REPEATED_GROUP = re.compile(r"\)[*+?{]")
_REPEATED = re.compile(r"[*+{]")
_LONGEST_COMPARED = 200
_MOST_COMPARED = 200
_AT_THE_BEGINNING = re.compile(r"\(?\^|\(?\.[*+]")
_START = re.compile(r"\^?\(?([a-z0-9._/-]+)")

REFUSED = declare(
    "K3R240",
    ERROR,
    "Rewrite pattern that Go refuses",
    "K3s' containerd logs a warning and goes on without the rewrite. Go's expressions (RE2) know no lookaround and no "
    "backreference in the pattern.",
    _REGEXP,
    "Write it as RE2 understands it: https://github.com/google/re2/wiki/Syntax.",
)
BREAKS_TOML = declare(
    "K3R241",
    ERROR,
    "Rewrite that makes hosts.toml unreadable",
    "K3s writes pattern and replacement into hosts.toml as they are: a backslash or a quote makes it invalid TOML. "
    "containerd then ignores the whole file and asks the registry itself.",
    _TEMPLATE,
    r"Write [.] for \. and [0-9] for \d; leave quotes out.",
)
NO_SUCH_GROUP = declare(
    "K3R242",
    ERROR,
    "Replacement names a group that the pattern does not have",
    "Go puts nothing in its place. $1x is the group named 1x.",
    "Go regexp Regexp.Expand",
    "Use a group of the pattern; write ${1}x where text follows the number, $$ for a dollar sign.",
)
OVERLAPPING = declare(
    "K3R243",
    WARNING,
    "Rewrites that can match the same image",
    "They are tried in no fixed order, and the first that changes the name wins: the same image can come from two "
    "places.",
    "https://github.com/rancher/rke2/issues/3227; " + _REGEXP,
    "Make the patterns exclude each other, or leave one.",
)
WITHOUT_ENDPOINT = declare(
    "K3R244",
    WARNING,
    "Rewrite without endpoint",
    "Rewrites belong to endpoints; the default endpoint and the embedded mirror know none. K3s writes nothing.",
    "https://docs.k3s.io/installation/private-registry (Rewrites)",
    "Give the mirror an endpoint.",
)
ON_DEFAULT = declare(
    "K3R245",
    WARNING,
    "Rewrite on the default endpoint",
    "An endpoint that equals the registry's own becomes the default endpoint, to which no rewrite applies.",
    "https://docs.k3s.io/installation/private-registry (Rewrites)",
    "Write the endpoint differently: https://host:443.",
)
NEVER_MATCHES = declare(
    "K3R246",
    WARNING,
    "Rewrite that never matches",
    "Patterns see only the repository: neither registry nor tag. Docker Hub's official images are library/<name>.",
    "https://docs.k3s.io/installation/private-registry (Rewrites); " + _REGEXP,
    "Match the repository alone, such as ^library/nginx$.",
)
BAD_RESULT = declare(
    "K3R247",
    WARNING,
    "Rewrite that makes no repository name",
    "Repository names are lower case, do not begin or end with a slash, and hold no tag.",
    "distribution/reference regexp.go",
    "Write it like $1/name or project/$1.",
)
UNCHECKED = declare(
    "K3R248",
    WARNING,
    "Rewrite pattern that could not be checked",
    "Without google-re2 on the controller only a conservative check is made, and this pattern is beyond it.",
    "https://pypi.org/project/google-re2/",
    "Install google-re2 on the controller, or write the pattern more simply.",
)
OWN_HOST = declare(
    "K3R249",
    ERROR,
    "Rewrite to the endpoint's own host",
    "A rewrite changes the repository, which the endpoint is then asked for: a host at its beginning is asked for as "
    "the first part of the repository.",
    "https://docs.k3s.io/installation/private-registry (Rewrites); " + _REGEXP,
    "Leave the host out: the endpoint says it.",
)


def _engine() -> Any:
    """google-re2, None if it is not installed."""
    try:
        import re2  # pylint: disable=import-outside-toplevel
    except ImportError:
        return None
    return re2


def _rewrites(subject: Subject) -> Iterator[tuple[str, str, str]]:
    for name, mirror in subject.mirrors.items():
        for pattern, replacement in mirror["rewrite"].items():
            yield name, pattern, replacement


def _compiled(subject: Subject) -> dict[str, Any]:
    """Each pattern compiled, or the error that says why not; once per run."""
    if subject.patterns is None:
        engine = _engine()
        subject.patterns = {}
        for _name, pattern, _replacement in _rewrites(subject):
            if pattern not in subject.patterns:
                try:
                    subject.patterns[pattern] = compile_pattern(pattern, engine)
                except PatternError as error:
                    subject.patterns[pattern] = error
                except Exception:  # noqa: BLE001 - a fault of the engine must not end the check of everything else
                    subject.patterns[pattern] = PatternError("cannot be checked", certain=False)
    return subject.patterns


@checks(REFUSED, UNCHECKED)
def patterns_that_go_refuses(subject: Subject) -> Findings:
    compiled = _compiled(subject)
    for name, pattern, _replacement in _rewrites(subject):
        problem = compiled[pattern]
        if isinstance(problem, PatternError):
            rule = REFUSED if problem.certain else UNCHECKED
            yield rule.finding(path("mirrors", name, "rewrite", pattern), f"{quoted(pattern)} {problem}")


@checks(BREAKS_TOML)
def rewrites_that_break_toml(subject: Subject) -> Findings:
    for name, pattern, replacement in _rewrites(subject):
        for what, text in (("the pattern", pattern), ("the replacement", replacement)):
            found = _NOT_IN_TOML.search(text)
            if found:
                character = {"\\": "a backslash", '"': "a quote"}.get(found.group(), "a control character")
                fix = ""
                if found.group() == "\\":
                    better = re.sub(r"\\([.+*?()|^$/-])", r"[\1]", text).replace(r"\d", "[0-9]")
                    fix = f"Write {quoted(better)}." if "\\" not in better else ""
                yield BREAKS_TOML.finding(
                    path("mirrors", name, "rewrite", pattern), f"{what} {quoted(text)} holds {character}", fix
                )


@checks(NO_SUCH_GROUP)
def references_without_group(subject: Subject) -> Findings:
    compiled = _compiled(subject)
    for name, pattern, replacement in _rewrites(subject):
        known = compiled[pattern]
        if not isinstance(known, Pattern) or "$" not in replacement:
            continue
        for part in parse_template(replacement):
            if not isinstance(part, Reference):
                continue
            exists = part.name in known.group_names if part.number is None else part.number <= known.groups
            if not exists:
                split = re.match(r"([0-9]+)(\w+)", part.name)
                fix = f"Did you mean ${{{split.group(1)}}}{split.group(2)}?" if split and part.number is None else ""
                yield NO_SUCH_GROUP.finding(
                    path("mirrors", name, "rewrite", pattern),
                    f"the pattern has no group {quoted(part.name)} for the replacement {quoted(replacement)}",
                    fix,
                )


@checks(OVERLAPPING)
def overlapping_rewrites(subject: Subject) -> Findings:
    compiled = _compiled(subject)
    for name, mirror in subject.mirrors.items():
        patterns = [pattern for pattern in mirror["rewrite"] if _comparable(pattern, compiled)][:_MOST_COMPARED]
        for index, first in enumerate(patterns):
            second = next((other for other in patterns[index + 1 :] if _can_overlap(first, other, compiled)), None)
            if second is not None:
                yield OVERLAPPING.finding(
                    path("mirrors", name, "rewrite"),
                    f"{quoted(first)} and {quoted(second)} can match the same image, and their order is not defined",
                )


def _comparable(pattern: str, compiled: dict[str, Any]) -> bool:
    """Whether it can be tried on names in no time: re2 always can, Python's own engine may take for ever over a
    repeated group."""
    if not isinstance(compiled[pattern], Pattern) or len(pattern) > _LONGEST_COMPARED:
        return False
    return _engine() is not None or not (_REPEATED_GROUP.search(pattern) or len(_REPEATED.findall(pattern)) > 3)


def _can_overlap(first: str, second: str, compiled: dict[str, Any]) -> bool:
    """Whether a repository made from one pattern's beginning matches both. A guess, hence only a warning."""
    for pattern in (first, second):
        match = _START.match(pattern)
        stem = (match.group(1) if match else "").rstrip("/") or "name"
        for sample in (stem, f"{stem}/name", f"library/{stem}"):
            if compiled[first].matches(sample) and compiled[second].matches(sample):
                return True
    return False


@checks(WITHOUT_ENDPOINT)
def rewrites_without_endpoint(subject: Subject) -> Findings:
    for name, mirror in subject.mirrors.items():
        if mirror["rewrite"] and not mirror["endpoint"]:
            yield WITHOUT_ENDPOINT.finding(path("mirrors", name, "rewrite"), "there is no endpoint to apply it to")


@checks(ON_DEFAULT)
def rewrites_on_the_default_endpoint(subject: Subject) -> Findings:
    for listed in subject.endpoints:
        mirror = subject.mirrors[listed.mirror]
        # K3s takes only the last one for the default, and only if there is a default endpoint at all.
        is_last = listed.index + 1 == len(mirror["endpoint"])
        if not mirror["rewrite"] or listed.endpoint is None or not is_last:
            continue
        has_default = subject.default_endpoint or listed.mirror in subject.configs
        if has_default and listed.endpoint.url == subject.default_url(listed.mirror):
            other = f"{listed.endpoint.scheme}://{listed.endpoint.host}:443"
            fix = f"Write the endpoint as {quoted(other)}." if ":" not in listed.endpoint.host else ""
            yield ON_DEFAULT.finding(
                path("mirrors", listed.mirror, "rewrite"),
                f"{quoted(listed.text)} is the default endpoint of {quoted(listed.mirror)}: no rewrite applies to it",
                fix,
            )


@checks(NEVER_MATCHES)
def rewrites_that_never_match(subject: Subject) -> Findings:
    for name, pattern, _replacement in _rewrites(subject):
        bare = pattern.lstrip("^(")
        if name != "*" and name and bare.replace("\\", "").replace("[.]", ".").startswith(f"{name}/"):
            yield NEVER_MATCHES.finding(
                path("mirrors", name, "rewrite", pattern),
                f"{quoted(pattern)} begins with the registry, which is not looked at",
            )
        elif name == DOCKER_HUB and _LITERAL.match(pattern):
            yield NEVER_MATCHES.finding(
                path("mirrors", name, "rewrite", pattern),
                f"{quoted(pattern)} never matches: every repository of Docker Hub has a slash",
                f"Did you mean {quoted('^library/' + pattern[1:])}?",
            )


@checks(OWN_HOST)
def rewrites_to_the_endpoints_host(subject: Subject) -> Findings:
    for name, mirror in subject.mirrors.items():
        if not mirror["rewrite"]:
            continue
        hosts = {item.endpoint.host for item in subject.by_mirror.get(name, ()) if item.endpoint is not None}
        for pattern, replacement in mirror["rewrite"].items():
            first, slash, rest = replacement.lstrip("/").partition("/")
            if slash and first and first in hosts:
                yield OWN_HOST.finding(
                    path("mirrors", name, "rewrite", pattern),
                    f"{quoted(replacement)} begins with the endpoint's own host",
                    f"Write {quoted(rest)}.",
                )


@checks(BAD_RESULT)
def rewrites_without_valid_result(subject: Subject) -> Findings:
    for name, pattern, replacement in _rewrites(subject):
        literal = "".join("x" if isinstance(part, Reference) else part for part in parse_template(replacement))
        problem = ""
        if literal.startswith("/") and _AT_THE_BEGINNING.match(pattern):
            problem = "begins with a slash"
        elif literal != literal.lower():
            problem = "holds upper case letters"
        elif "//" in literal:
            problem = "holds two slashes in a row"
        elif re.search(r"[:@\s]", literal):
            problem = "holds a tag, digest or blank"
        if problem:
            yield BAD_RESULT.finding(
                path("mirrors", name, "rewrite", pattern), f"the replacement {quoted(replacement)} {problem}"
            )
