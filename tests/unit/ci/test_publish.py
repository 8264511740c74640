# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `.ci/publish` does, in a copy of the script's surroundings, with a Galaxy of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Iterator

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
TOKEN = "galaxy-0b5c1d77e9aa"
# In place of the real targets, which take minutes. They show that nothing but the upload is told the token.
MAKEFILE = """\
venv:
\t@env > made-venv
artifact:
\t@env > made-artifact
\t@mkdir -p .cache/artifact
\t@tar czf .cache/artifact/k3sfleet-registries-1.2.3.tar.gz galaxy.yml
"""
# In place of ansible-galaxy, where only the way to it matters.
NOTES = """#!/bin/sh
echo "$@" > argv
env | grep ^ANSIBLE_GALAXY > environment
"""


class Galaxy:
    """As much of Galaxy's API as an upload needs."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self.body = b""
        galaxy = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self, text: str, code: int = 200) -> None:
                galaxy.requests.append((self.command, self.path, self.headers.get("Authorization", "")))
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def do_GET(self) -> None:
                if "/imports/" in self.path:
                    self._answer('{"state": "completed", "finished_at": "2026-11-27T00:00:00Z", "messages": []}')
                else:
                    self._answer('{"available_versions": {"v3": "v3/"}}')

            def do_POST(self) -> None:
                galaxy.body = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer('{"task": "/api/v3/imports/collections/1/"}', 202)

            def log_message(self, *_words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/api/" % self.server.server_port


@pytest.fixture
def galaxy() -> Iterator[Galaxy]:
    galaxy = Galaxy()
    threading.Thread(target=galaxy.server.serve_forever, daemon=True).start()
    yield galaxy
    galaxy.server.shutdown()
    galaxy.server.server_close()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One that is ready for v1.2.3, with this environment's programs and without its targets."""
    shutil.copytree(CHECKOUT / ".ci", tmp_path / ".ci")
    # What it installs is no matter of this test, and must not be installed by it.
    (tmp_path / ".ci" / "prepare.sh").write_text("python=python3\n", encoding="utf-8")
    (tmp_path / "tests" / "tools").mkdir(parents=True)
    shutil.copy(CHECKOUT / "tests" / "tools" / "tag.py", tmp_path / "tests" / "tools")
    (tmp_path / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    (tmp_path / "galaxy.yml").write_text("version: 1.2.3\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n', encoding="utf-8")
    (tmp_path / "changelogs").mkdir()
    (tmp_path / "changelogs" / "changelog.yaml").write_text("releases: {1.2.3: {}}\n", encoding="utf-8")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "ansible-galaxy").write_text(NOTES, encoding="utf-8")
    (programs / "ansible-galaxy").chmod(0o755)
    return tmp_path


def publish(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "GALAXY_", "MAKE"))}
    environment = {**kept, "HOME": str(checkout), **variables}
    return subprocess.run(
        [".ci/publish", *arguments], cwd=checkout, env=environment, check=False, capture_output=True, text=True
    )


def test_the_token_reaches_the_upload_by_the_environment_and_nothing_else(checkout: Path) -> None:
    outcome = publish(checkout, "v1.2.3", GALAXY_TOKEN=TOKEN)
    assert outcome.returncode == 0, outcome.stderr
    argv = (checkout / "argv").read_text(encoding="utf-8").split()
    assert argv == ["collection", "publish", ".cache/artifact/k3sfleet-registries-1.2.3.tar.gz"]
    assert sorted((checkout / "environment").read_text(encoding="utf-8").splitlines()) == [
        "ANSIBLE_GALAXY_SERVER_LIST=release",
        "ANSIBLE_GALAXY_SERVER_RELEASE_TOKEN=" + TOKEN,
        "ANSIBLE_GALAXY_SERVER_RELEASE_URL=https://galaxy.ansible.com/",
    ]
    for name in ("made-venv", "made-artifact"):
        assert TOKEN not in (checkout / name).read_text(encoding="utf-8")
    assert TOKEN not in outcome.stdout + outcome.stderr


def test_galaxy_gets_the_tarball_with_the_token(checkout: Path, galaxy: Galaxy) -> None:
    program = checkout / ".venv" / "bin" / "ansible-galaxy"
    program.unlink()
    program.symlink_to(Path(sys.executable).with_name("ansible-galaxy"))
    outcome = publish(checkout, "v1.2.3", GALAXY_TOKEN=TOKEN, GALAXY_URL=galaxy.url, no_proxy="127.0.0.1")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    uploads = [request for request in galaxy.requests if request[0] == "POST"]
    assert uploads == [("POST", "/api/v3/artifacts/collections/", "Token " + TOKEN)]
    tarball = (checkout / ".cache/artifact/k3sfleet-registries-1.2.3.tar.gz").read_bytes()
    # The tarball itself is encoded; its checksum is a field of the same form.
    assert hashlib.sha256(tarball).hexdigest().encode() in galaxy.body
    assert TOKEN not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    ("tag", "variables", "why"),
    [
        ("v1.2.3", {}, "GALAXY_TOKEN is not set"),
        ("v1.2.4", {"GALAXY_TOKEN": TOKEN}, "Nothing has been published."),
        ("main", {"GALAXY_TOKEN": TOKEN}, "The tag main is not a version"),
    ],
)
def test_what_does_not_fit_is_not_published(checkout: Path, tag: str, variables: dict[str, str], why: str) -> None:
    outcome = publish(checkout, tag, **variables)
    assert outcome.returncode != 0
    assert why in outcome.stderr
    assert not (checkout / "argv").exists()


def test_without_a_tag_it_says_how_to_call_it(checkout: Path) -> None:
    outcome = publish(checkout, GALAXY_TOKEN=TOKEN)
    assert outcome.returncode != 0
    assert "usage: .ci/publish TAG" in outcome.stderr


def test_a_dry_run_does_everything_but_the_upload(checkout: Path) -> None:
    outcome = publish(checkout, "v1.2.3", DRY_RUN="1")
    assert outcome.returncode == 0, outcome.stderr
    assert "is ready and has not been published" in outcome.stdout
    assert (checkout / "made-artifact").exists()
    assert not (checkout / "argv").exists()
