# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The browser that the report is looked at with: the system's Chromium, driven by Playwright from PyPI."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from playwright.sync_api import Browser, sync_playwright

from tests.fleet.deps import can_install
from tests.fleet.process import FleetError, run, say

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# The font is for the picture in docs/; the page itself names it first and does without it.
_PACKAGES = ("chromium", "fonts-inter")


def program() -> str | None:
    """The path of a Chromium, None where there is none."""
    return next((found for name in _PROGRAMS if (found := shutil.which(name))), None)


def ensure() -> None:
    """Installs Chromium on Debian as root.

    :raises FleetError: saying what is missing, where it cannot be installed.
    """
    if program() and Path("/usr/share/fonts/opentype/inter").is_dir():
        return
    if not can_install():
        if program():
            return
        raise FleetError("the report is tested with Chromium, which is not here; install it by your system's means")
    say("Installing with apt-get: " + ", ".join(_PACKAGES))
    run(["apt-get", "-q", "update"], timeout=600)
    run(["apt-get", "-q", "-y", "install", "--no-install-recommends", *_PACKAGES], timeout=1200)


@contextmanager
def browser() -> Iterator[Browser]:
    """A running Chromium without a window.

    :raises FleetError: where there is none.
    """
    found = program()
    if found is None:
        raise FleetError("Chromium is not here: run `make report-check`, which installs it on Debian")
    with sync_playwright() as playwright:
        # Without a sandbox, since CI is root in a container, and the page is our own.
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()
