# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The download of an official K3s, from a local HTTP server in GitHub's place."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Iterator

import pytest

from tests.fleet import __main__ as command
from tests.fleet import k3s_source, official_k3s
from tests.fleet.official_k3s import Source
from tests.fleet.process import FleetError

NAME = "v1.34.3+k3s1"
PROGRAM = b"#!/bin/sh\necho k3s version v1.34.3+k3s1\n" * 1000


class Web:
    """Pages by path. A number is an answer without a page, text a redirect; ``short`` pages break off in the middle."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | int | str] = {}
        self.short: set[str] = set()
        self.asked: list[str] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(self.path)
                page = web.pages.get(self.path, 404)
                if isinstance(page, str):
                    self.send_response(302)
                    self.send_header("Location", web.url + page)
                    self.end_headers()
                elif isinstance(page, int):
                    self.send_error(page)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(page)))
                    self.end_headers()
                    self.wfile.write(page[: len(page) // 2] if self.path in web.short else page)

            def log_message(self, *_words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        self.source = Source(self.url + "/releases/download", self.url + "/channels/latest", 5.0)

    def publish(self, program: bytes, listed: bytes, name: str = "v1.34.3%2Bk3s1") -> None:
        """As GitHub keeps files of a release: its name in the URL is quoted, and they are on another host."""
        sums = b"%s  k3s-airgap-images-amd64.tar\n%s  k3s\n" % (b"0" * 64, hashlib.sha256(listed).hexdigest().encode())
        self.pages["/releases/download/%s/sha256sum-amd64.txt" % name] = "/store/sums"
        self.pages["/releases/download/%s/k3s" % name] = "/store/k3s"
        self.pages["/store/sums"], self.pages["/store/k3s"] = sums, program


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setattr(official_k3s.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    web = Web()
    threading.Thread(target=web.server.serve_forever, daemon=True).start()
    yield web
    web.server.shutdown()
    web.server.server_close()


def test_a_release_is_downloaded_once_and_can_be_run(web: Web, tmp_path: Path) -> None:
    web.publish(PROGRAM, PROGRAM)
    found = official_k3s.fetch(NAME, tmp_path, web.source)
    assert found == tmp_path / NAME / "k3s"
    assert found.read_bytes() == PROGRAM
    assert found.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in found.parent.iterdir()] == ["k3s"]
    asked = len(web.asked)
    assert official_k3s.fetch(NAME, tmp_path, web.source) == found
    assert len(web.asked) == asked


def test_another_program_than_the_checksum_says_is_refused_and_not_kept(web: Web, tmp_path: Path) -> None:
    web.publish(PROGRAM + b"and more", PROGRAM)
    with pytest.raises(FleetError, match="the download's checksum is [0-9a-f]{64}, sha256sum-amd64.txt says"):
        official_k3s.fetch(NAME, tmp_path, web.source)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_half_a_program_is_not_kept(web: Web, tmp_path: Path) -> None:
    web.publish(PROGRAM, PROGRAM)
    web.short.add("/store/k3s")
    with pytest.raises(OSError, match="breaks off"):
        official_k3s.fetch(NAME, tmp_path, web.source)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_server_in_trouble_is_as_one_that_cannot_be_reached(web: Web, tmp_path: Path) -> None:
    web.publish(PROGRAM, PROGRAM)
    web.pages["/store/k3s"] = 503
    with pytest.raises(OSError, match="answers 503"):
        official_k3s.fetch(NAME, tmp_path, web.source)


@pytest.mark.parametrize(
    ("sums", "why"),
    [
        (404, "sha256sum-amd64.txt answers 404"),
        (b"", "does not list k3s"),
        (b"%s  k3s-arm64\n" % (b"0" * 64), "does not list k3s"),
        (b"abc  k3s\n", "does not list k3s"),
    ],
)
def test_without_a_checksum_nothing_is_downloaded(web: Web, tmp_path: Path, sums: bytes | int, why: str) -> None:
    web.publish(PROGRAM, PROGRAM)
    web.pages["/store/sums"] = sums
    with pytest.raises(FleetError, match=why):
        official_k3s.fetch(NAME, tmp_path, web.source)
    assert "/store/k3s" not in web.asked


def test_the_latest_release_is_where_the_channel_leads(web: Web) -> None:
    web.pages["/channels/latest"] = "/k3s-io/k3s/releases/tag/v1.36.2%2Bk3s1"
    web.pages["/k3s-io/k3s/releases/tag/v1.36.2%2Bk3s1"] = b"a page"
    assert official_k3s.resolve("latest", web.source) == "v1.36.2+k3s1"
    assert official_k3s.resolve(NAME, web.source) == NAME


def test_a_channel_that_leads_nowhere_is_no_release(web: Web) -> None:
    web.pages["/channels/latest"] = b"sorry"
    with pytest.raises(FleetError, match="'latest' is not a release of K3s"):
        official_k3s.resolve("latest", web.source)


@pytest.mark.parametrize("name", ["", "v1.34", "v1.34.3+rke2r1", "../v1.34.3+k3s1", "v1.34.3+k3s1/.."])
def test_what_is_no_release_is_refused(name: str) -> None:
    with pytest.raises(FleetError, match="is not a release of K3s"):
        official_k3s.resolve(name)


def test_another_architecture_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(official_k3s.platform, "machine", lambda: "riscv64")
    with pytest.raises(FleetError, match="for riscv64; set K3S_BINARY"):
        official_k3s.fetch(NAME, tmp_path)


def test_the_fleet_takes_the_stand_in_if_nobody_has_the_release(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("K3S_BINARY", raising=False)
    monkeypatch.delenv("K3S_VERSION", raising=False)
    monkeypatch.setattr(official_k3s, "CACHE", tmp_path)

    def refuse() -> None:
        raise OSError("no route")

    monkeypatch.setattr(k3s_source, "_knock", refuse)
    assert k3s_source.choose("k3s", "auto") is None
    assert "the nodes run the stand-in" in capsys.readouterr().err


def test_the_command_says_what_went_wrong(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    web.server.shutdown()
    web.server.server_close()
    monkeypatch.setattr(official_k3s, "Source", lambda: web.source)
    monkeypatch.setattr(command.sys, "argv", ["fleet", "k3s", "latest"])
    assert command.main() == 1
    assert "fleet: K3s latest cannot be downloaded: " in capsys.readouterr().err
