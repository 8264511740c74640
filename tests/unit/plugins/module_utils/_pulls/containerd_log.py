# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes logs as the resolvers of containerd 1.6, 1.7 and 2.1 do, from what each host answers.

Follows ``remotes/docker/resolver.go`` of each generation: which host is logged how, and which error ends the pull.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

GENERATIONS = ("1.6", "1.7", "2.1")
_NEEDS_QUOTES = re.compile(r"[^a-zA-Z0-9\-._/@^+]")


def quoted(text: str) -> str:
    """A logrus value: quoted as Go's %q does, but only where it has to be."""
    if text and not _NEEDS_QUOTES.search(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def line(message: str, level: str = "info", time: str = "2026-11-24T01:59:51.000000000Z", **fields: str) -> str:
    """One log line."""
    more = "".join(f" {name}={quoted(value)}" for name, value in fields.items())
    return f'time="{time}" level={level} msg={quoted(message)}{more}'


@dataclass
class Answer:
    """What a host answers: an HTTP status, or the error in place of one (``{url}`` is the request).

    `path` is the endpoint's, `repository` what its rewrite makes of the image's.
    """

    host: str
    status: str = ""
    error: str = ""
    scheme: str = "https"
    path: str = "/v2"
    repository: str = ""


def image_parts(image: str) -> tuple[str, str, str]:
    """Registry, repository and tag of a full image name."""
    registry, _slash, rest = image.partition("/")
    repository, _colon, tag = rest.rpartition(":")
    return registry, repository, tag


def resolve(image: str, answers: list[Answer], generation: str) -> tuple[list[str], str]:
    """The lines between start and end of a pull that no host resolves, and its error."""
    registry, repository, tag = image_parts(image)
    default = "registry-1.docker.io" if registry == "docker.io" else registry
    lines, best, rank = [], "", 0
    for number, answer in enumerate(answers):
        last = "fetch failed" if generation == "2.1" and number == len(answers) - 1 else "trying next host"
        url = f"{answer.scheme}://{answer.host}{answer.path}/{answer.repository or repository}/manifests/{tag}"
        if answer.host != default:
            url += f"?ns={registry}"
        if answer.error:
            error = answer.error.replace("{url}", url)
            lines.append(line(last, error=error, host=answer.host))
            here = 1
        elif answer.status.startswith("404"):
            message = "trying next host - response was http.StatusNotFound"
            lines.append(
                line(message if generation != "2.1" else f"{last} after status: {answer.status}", host=answer.host)
            )
            error, here = f"{image}: not found", 2 if generation == "2.1" else 0
        else:
            if generation == "2.1":
                lines.append(line(f"{last} after status: {answer.status}", host=answer.host))
            error = f"unexpected status from HEAD request to {url}: {answer.status}"
            if generation == "1.6":
                error = f"pulling from host {answer.host} failed with status code [manifests {tag}]: {answer.status}"
            here = 3 if generation == "2.1" else 1
        if here > rank:
            best, rank = error, here
    return lines, best or f"{image}: not found"


def started(image: str) -> str:
    return line(f'PullImage "{image}"')


def succeeded(image: str) -> str:
    return line(f'PullImage "{image}" returns image reference "sha256:aa"')


def failed(image: str, error: str, code: str = "Unknown") -> str:
    """The line that ends a pull; `error` is what follows the image's name."""
    text = f'rpc error: code = {code} desc = failed to pull and unpack image "{image}": {error}'
    return line(f'PullImage "{image}" failed', "error", error=text)


def unresolved(image: str, answers: list[Answer], generation: str) -> list[str]:
    """A whole pull that no host resolves."""
    lines, error = resolve(image, answers, generation)
    return [started(image), *lines, failed(image, f'failed to resolve reference "{image}": {error}')]


def unfetched(image: str, error: str) -> list[str]:
    """A whole pull that is resolved, but whose content is not had."""
    return [started(image), failed(image, error)]
