# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's node_exporter reads the file, under a user of its own, and promtool finds nothing to criticise in it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._metrics import textfile

from tests.monitoring import samples
from tests.monitoring.programs import path_of
from tests.monitoring.promtool import promtool

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a user who owns nothing can look; pytest's own folders are only for who runs it."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        found = Path(made) / "textfile"
        found.mkdir(mode=0o755)
        yield found


@contextmanager
def node_exporter(folder: Path) -> Iterator[str]:
    """One that reads only this folder; its URL."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port = int(opened.getsockname()[1])
    command = [
        path_of("prometheus-node-exporter"),
        "--web.listen-address=127.0.0.1:%d" % port,
        "--collector.disable-defaults",
        "--collector.textfile",
        "--collector.textfile.directory=%s" % folder,
    ]
    log = folder.parent / "node_exporter.log"
    user = NOBODY if os.geteuid() == 0 else None
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd="/", user=user) as process:
        try:
            yield "http://127.0.0.1:%d/metrics" % port
        finally:
            process.terminate()


def scrape(url: str, patience: float = 30.0) -> str:
    """What it says, as soon as it says something."""
    until = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return str(answer.read().decode("utf-8"))
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def of_ours(text: str) -> str:
    return "".join(line + "\n" for line in text.splitlines() if re.match(r"(# (HELP|TYPE) )?k3s_registries_", line))


def test_it_scrapes_what_was_written_and_what_replaces_it(folder: Path) -> None:
    written = samples.text(samples.host())
    textfile.write(str(folder), written)
    with node_exporter(folder) as url:
        scraped = scrape(url)
        assert "node_textfile_scrape_error 0\n" in scraped
        assert samples.read(of_ours(scraped)) == samples.read(written)
        # The words are ours, and not those that node_exporter makes up for a metric without HELP.
        assert {line for line in scraped.splitlines() if line.startswith("# HELP k3s_registries_")} == {
            line for line in written.splitlines() if line.startswith("# HELP")
        }
        textfile.write(str(folder), samples.text(samples.host(passes=True, failures=[])))
        assert "k3s_registries_verify_passed 1\n" in scrape(url)
        textfile.remove(str(folder))
        scraped = scrape(url)
        assert of_ours(scraped) == ""
        assert "node_textfile_scrape_error 0\n" in scraped


def test_whatever_is_in_labels_disturbs_no_other_metric(folder: Path) -> None:
    odd = 'a"b\\c\nd{}=,#é'
    written = samples.text(samples.host(canaries=[{"image": odd, "ok": True, "seconds": 1.0}]))
    textfile.write(str(folder), written)
    with node_exporter(folder) as url:
        scraped = scrape(url)
    assert "node_textfile_scrape_error 0\n" in scraped
    found = samples.read(of_ours(scraped))
    assert found["k3s_registries_canary_pull_success"] == {(("image", odd),): 1}
    assert found == samples.read(written)


def test_promtool_has_nothing_to_say_about_names_units_and_texts() -> None:
    for host in (samples.host(), samples.host(info=None)):
        assert promtool("check", "metrics", said=samples.text(host)) == ""
