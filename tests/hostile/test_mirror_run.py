# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror as people run it, and as its process ends: what is printed, what is left, where lists come from."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.work import MirrorProblem, answer

from tests.conftest import CHECKOUT, COLLECTIONS
from tests.hostile import answers
from tests.hostile.bounds import bounded
from tests.hostile.certificates import ESCAPES
from tests.hostile.mirroring import Registry, only
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.registries import basic
from tests.hostile.server import Request
from tests.integration.secrets_watch import Secrets
from tests.mirror.play import mirror
from tests.registry_faults.servers import Reply

_MODULE = CHECKOUT / "plugins" / "modules" / "k3s_image_mirror.py"


def test_a_registry_cannot_write_on_the_terminal_nor_learn_or_show_a_password(
    hostile: Neighbourhood, tmp_path: Path
) -> None:
    """With the real Ansible, everything shown that can be: the source answers one image with what it should not."""
    store, taken, password = Registry(), Registry(), hostile.secret("password")
    for repository in ("broken/app", "good/app"):
        store.image(repository)

    def fake(request: Request) -> Reply:
        words = ESCAPES + "\n[2/2] broken/app:1 copied 1 B in 0.1 s\nok: [localhost]\n" + password
        return Reply(403, {}, json.dumps({"errors": [{"code": "DENIED", "message": words}]}).encode())

    source = hostile.server("source.test", basic("robot", password, only("broken/app/", fake, store)), tls=False)
    target = hostile.server("target.test", taken, tls=False)
    host = source.direct.partition("://")[2]
    given = {
        "config": {"mirrors": {"docker.io": {"endpoint": [target.direct]}}}, "platforms": ["linux/amd64"],
        "images": ["docker.io/broken/app:1", "docker.io/good/app:1"], "source_registries": {"docker.io": source.direct},
        "source_configs": {host: {"auth": {"username": "robot", "password": password}}}, "timeout": 5,
    }  # fmt: skip
    run = mirror(tmp_path / "run", given, "-vvv", "--diff")
    assert run.actions() == ["failed", "copied"], run.why
    assert taken.digest("good/app") == store.digest("good/app")
    # In results Ansible writes JSON, where an escape is text.
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", run.output)
    lines = run.output.splitlines()
    assert [line.partition(" ")[2][:8] for line in lines if line.startswith("[2/2]")] == ["good/app"]
    assert not any(line.startswith("ok: [") and "localhost" not in line for line in lines)
    assert "\\x1b[2K" in run.output
    assert "\\n[2/2]" in run.output
    secrets = Secrets({"password": password})
    secrets.add_basic_auth("robot", password)
    assert secrets.found_in(run.output) == []
    assert secrets.found_in((tmp_path / "run" / "result.json").read_text()) == []
    hostile.ledger.check(password=[source])


@pytest.mark.parametrize("operation", ["plan", "copy"])
def test_a_run_that_is_told_to_end_ends_at_once_and_leaves_nothing(
    hostile: Neighbourhood, tmp_path: Path, operation: str
) -> None:
    """While a registry keeps it waiting, for a manifest or for a blob, with a client's key in use."""
    store = Registry()
    store.image("team/app")
    slow = only("/manifests/" if operation == "plan" else "/blobs/", answers.dripping_body, store)
    source = hostile.server("source.test", slow, certificate=None)
    target = hostile.server("target.test", Registry(), tls=False)
    pair = hostile.pki.client("mirror")
    hosts = [server.direct.partition("://")[2] for server in (source, target)]
    key = pair.with_suffix(".key").read_text()
    access = {"scheme": "https", "ca": hostile.ca.read_text(), "cert": pair.with_suffix(".crt").read_text(), "key": key}
    item = {
        "image": "docker.io/team/app", "state": "missing", "digest": store.digest("team/app"),
        "source": {"kind": "registry", "place": ["https", hosts[0], "team/app", "1"]},
        "target": {"place": ["http", hosts[1], "team/app", "1"]},
    }  # fmt: skip
    if operation == "plan":
        del item["state"]
    request = {"operation": operation, "token": "t", "items": [item], "access": {"src:" + hosts[0]: access}}
    request.update(timeout=60, retries=3)
    given = {"ANSIBLE_MODULE_ARGS": {"request": json.dumps(request)}}
    environment = dict(os.environ, PYTHONPATH=str(COLLECTIONS), TMPDIR=str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, str(_MODULE)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=dict(environment, _ANSIBLE_LEGACY_MODULE_PROFILE="legacy"),
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(given).encode())
    process.stdin.close()
    part = "/manifests/" if operation == "plan" else "/blobs/"
    deadline = time.monotonic() + 30
    while not any(part in asked.path for asked in source.requests):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    assert "mirror" in hostile.ledger.heard(source.own_place)[0].certificate, "the key is in use"
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    process.wait(timeout=30)
    assert time.monotonic() - began < 10
    assert list(tmp_path.rglob("k3sfleet*")) == []
    assert [name for name in os.listdir("/dev/shm") if name.startswith("k3sfleet-mirror")] == []


def _gathered(url: str) -> list[str]:
    found: dict[str, Any] = answer({"operation": "gather", "token": "t", "urls": [url], "timeout": 1.0})
    return list(found["texts"])


def test_a_list_is_fetched_where_its_server_redirects(hostile: Neighbourhood) -> None:
    other = hostile.server("objects.test", lambda request: Reply(200, {}, b"nginx:1\n"), tls=False)
    lists = hostile.server("lists.test", lambda request: Reply(302, {"Location": other.url + "/x"}), tls=False)
    assert _gathered(lists.url + "/k3s-images.txt") == ["nginx:1\n"]


@pytest.mark.parametrize("name", [*answers.ENDLESS, *answers.BROKEN, "1 MiB and more", "404", "loop"])
def test_a_list_that_is_none_is_refused_in_bounded_time(hostile: Neighbourhood, name: str) -> None:
    app = {
        **answers.ENDLESS, **answers.BROKEN, "1 MiB and more": lambda request: Reply(200, {}, b"nginx:1\n" * 200_000),
        "404": lambda request: Reply(404), "loop": lambda request: Reply(302, {"Location": "/again"}),
    }[name]  # fmt: skip
    lists = hostile.server("lists.test", app, tls=False)
    readable = ("no JSON", "JSON list", "JSON null", "token with a line feed", "odd index", "odd manifest")
    with bounded(5.0, 24.0):
        try:
            found, said = bool(_gathered(lists.url + "/list")), ""
        except MirrorProblem as problem:
            found, said = False, str(problem)
    assert said.isprintable()
    assert found or "the image list http://lists.test:5000/list cannot be had" in said
    # What is text is for who reads the list to refuse, with its line.
    assert not found or name in (*readable, "negative length", "two lengths", "length of words", "folded header",
                                 "NUL in a header", "header without colon")  # fmt: skip


def test_a_list_over_tls_does_not_go_on_without(hostile: Neighbourhood, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(hostile.ca))
    plain = hostile.server("plain.test", lambda request: Reply(200, {}, b"evil:1\n"), tls=False)
    lists = hostile.server("lists.test", lambda request: Reply(302, {"Location": plain.url}))
    with pytest.raises(MirrorProblem, match="without TLS, where anybody could answer"):
        _gathered(lists.url + "/list")
    assert plain.requests == []
