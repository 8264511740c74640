# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the document to the page: one HTML file that needs no other file and sends no request."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Mapping

from . import certificates, configurations, findings, latency, nodes, overview, providers, pulls, rehearsed, words

try:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup
except ImportError:  # pragma: no cover  # ansible-core itself needs them
    Environment = None  # type: ignore[assignment,misc]

TEMPLATES = Path(__file__).with_name("templates")
STYLES = ("base.css", "parts.css", "table.css")
SCRIPTS = ("table.js", "node.js")


def html(document: Mapping[str, Any], title: str = "Private registries") -> str:
    """The page of a document.

    :param document: as :func:`document.build` makes it.
    :param title: the page's name, plain text.
    """
    environment = Environment(
        loader=FileSystemLoader(str(TEMPLATES)),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals["broken"] = broken
    style, script = _assets(STYLES), _assets(SCRIPTS)
    page = environment.get_template("page.html.j2")
    return page.render(
        title=title,
        style=Markup(style),  # noqa: S704  # our own files
        script=Markup(script),  # noqa: S704
        data=Markup(embeddable(document)),  # noqa: S704  # escaped for its place
        policy=(
            f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        words=words,
        **model(document),
    )


def model(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates show."""
    rows = nodes.nodes(document)
    registries = nodes.registries(document)
    endpoints = latency.endpoints(document)
    axis = latency.scale(endpoints)
    return {
        "generated": document["generated"],
        "generated_text": _spoken(str(document["generated"])),
        "headline": overview.headline(rows),
        "legend": overview.legend(rows),
        "waffle": overview.waffle(rows),
        "shares": [overview.share(registry, rows) for registry in registries],
        "releases": configurations.releases(document),
        "rows": rows,
        "registries": registries,
        "findings": findings.findings(document),
        "pulls": pulls.failing_pulls(document),
        "endpoints": endpoints,
        "axis": axis,
        "dots": latency.dots,
        "strip": {"width": latency.WIDTH, "height": latency.HEIGHT},
        "certificates": certificates.certificates(document),
        "ticks": certificates.TICKS,
        "configurations": configurations.configurations(document),
        "settings": configurations.settings(document),
        "providers": providers.providers(document),
        "rehearsal": rehearsed.rehearsal(document),
        "no_cell": {"unknown": nodes.NOT_KNOWN, "none": nodes.NOT_CONFIGURED, "idle": nodes.NOT_PROBED},
    }


def broken(text: Any) -> Any:
    """``text`` that may break after the separators in a name or address. A reader who copies it copies no extra
    characters."""
    parts = re.split(r"(?<=[/.:@-])(?=[^/.:@-])", str(text))
    return Markup("<wbr>").join(parts)


def embeddable(document: Mapping[str, Any]) -> str:
    """The document as JSON for a script element: nothing in it ends the element or opens a comment."""
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _assets(names: tuple[str, ...]) -> str:
    return "\n" + "\n".join((TEMPLATES / name).read_text(encoding="utf-8").strip() for name in names) + "\n"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _spoken(generated: str) -> str:
    try:
        moment = datetime.datetime.strptime(generated, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return generated
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
