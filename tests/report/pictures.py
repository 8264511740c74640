# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of a report in docs/images."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import page

from tests.report import chromium, samples

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def take() -> None:
    """The top of the page, also on a phone, and its plots, light and dark, of the fleet of forty."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium.browser() as browser:
        path = Path(folder) / "report.html"
        path.write_text(page.html(samples.document(40)), encoding="utf-8")
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": 1280, "height": 1180},
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            shown = context.new_page()
            shown.goto(path.as_uri())
            shown.screenshot(path=IMAGES / f"report-{scheme}.png")
            shown.locator("#latency").scroll_into_view_if_needed()
            first, last = (shown.locator(name).bounding_box() for name in ("#latency", "#certificates"))
            if first is None or last is None:
                raise RuntimeError("the page has no plots to take a picture of")
            shown.evaluate("top => window.scrollTo(0, window.scrollY + top)", first["y"])
            height = last["y"] + last["height"] - first["y"]
            shown.set_viewport_size({"width": 1280, "height": round(height) + 48})
            shown.screenshot(path=IMAGES / f"report-plots-{scheme}.png")
            context.close()
            phone = browser.new_context(
                viewport={"width": 375, "height": 740},
                device_scale_factor=2,
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            shown = phone.new_page()
            shown.goto(path.as_uri())
            shown.screenshot(path=IMAGES / f"report-phone-{scheme}.png")
            phone.close()
    for picture in sorted(IMAGES.glob("report-*.png")):
        print(f"docs/images/{picture.name}: {picture.stat().st_size // 1024} kB")
