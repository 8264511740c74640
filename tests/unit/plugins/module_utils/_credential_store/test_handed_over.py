# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that the kubelet starts, run as the kubelet runs it: an executable file, a question, an answer."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple, Sequence

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import Provider
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.handed_over import (
    HandedOver,
    handed_over,
    program_text,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.store import Login, Store

CANARY = "canary-of-the-test"
HARBOR = "harbor.example.com:5000"
LOGINS = {HARBOR: Login("robot$k3s", CANARY), "quay.io": Login("ünser", CANARY + ' "of\\ünser\n')}
V1 = "credentialprovider.kubelet.k8s.io/v1"


class Installed(NamedTuple):
    program: Path
    provider: Provider
    store: Path

    def ask(self, question: object, args: Sequence[str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.program), *(self.provider.args if args is None else args)],
            input=question if isinstance(question, str) else json.dumps(question),
            capture_output=True,
            text=True,
            check=False,
            # Whatever stands in the kubelet's environment.
            env={"PYTHONPATH": "/nowhere", "PYTHONSTARTUP": "/nowhere", "LC_ALL": "C", "PYTHONINSPECT": "1"},
        )


def question(image: str, version: str = V1) -> dict[str, Any]:
    return {"kind": "CredentialProviderRequest", "apiVersion": version, "image": image}


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    store = tmp_path / "credential-store.json"
    store.write_bytes(Store(LOGINS).content())
    store.chmod(0o600)
    found = handed_over(sys.executable, str(store), tuple(LOGINS))
    assert found is not None
    provider = found.provider
    program = tmp_path / provider.name
    program.write_bytes(found.program)
    program.chmod(0o700)
    return Installed(program, provider, store)


@pytest.mark.parametrize(("registry", "login"), LOGINS.items())
@pytest.mark.parametrize("version", [V1, V1 + "beta1", V1 + "alpha1"])
def test_it_answers_with_what_is_stored_for_the_registry(
    installed: Installed, registry: str, login: Login, version: str
) -> None:
    done = installed.ask(question(registry + "/team/app", version))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "kind": "CredentialProviderResponse",
        "apiVersion": version,
        "cacheKeyType": "Registry",
        "cacheDuration": "0s",
        "auth": {registry: {"username": login.username, "password": login.password}},
    }


@pytest.mark.parametrize(
    "image", ["harbor.example.com/team/app", "docker.io/library/nginx", "quay.io.example.com/x", ""]
)
def test_it_has_nothing_for_another_registry(installed: Installed, image: str) -> None:
    done = installed.ask(question(image))
    assert done.returncode == 0
    assert json.loads(done.stdout)["auth"] == {}


def test_the_next_pull_gets_what_the_file_has_by_then(installed: Installed) -> None:
    before = installed.program.read_bytes()
    installed.store.write_bytes(Store({HARBOR: Login("robot$k3s", "another")}).content())
    answer = json.loads(installed.ask(question(HARBOR + "/x")).stdout)
    assert answer["auth"][HARBOR]["password"] == "another"
    assert installed.program.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700 | 0o001])
def test_a_file_that_others_can_read_is_refused(installed: Installed, mode: int) -> None:
    installed.store.chmod(mode)
    refused(installed.ask(question(HARBOR + "/x")), "regular one of root's with mode 0600")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(installed: Installed) -> None:
    os.chown(installed.store, 12345, 12345)
    refused(installed.ask(question(HARBOR + "/x")), "regular one of root's with mode 0600")


def test_no_link_is_followed_and_no_pipe_is_waited_for(installed: Installed, tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(installed.store)
    os.mkfifo(pipe, 0o600)
    refused(installed.ask(question(HARBOR + "/x"), [str(link)]), "cannot be opened")
    refused(installed.ask(question(HARBOR + "/x"), [str(pipe)]), "regular one")
    refused(installed.ask(question(HARBOR + "/x"), [str(tmp_path / "none")]), "cannot be opened: No such file")


@pytest.mark.parametrize(
    "content",
    [
        f'{{"format": 1, "registries": {{"{HARBOR}": {{"username": "{CANARY}"}}}}}}',
        f'{{"format": 1, "registries": {{"{HARBOR}": "{CANARY}"}}}}',
        f'{{"format": 2, "registries": {{"x": "{CANARY}"}}}}',
        f'{{"format": 1, "registries": ["{CANARY}"]}}',
        f'["{CANARY}"]',
        f'{{"format": 1, "{CANARY}',
        "[" * 100_000 + CANARY,
        CANARY + "\udc80",
        "",
    ],
)
def test_what_is_no_store_is_refused_without_a_word_of_it(installed: Installed, content: str) -> None:
    installed.store.write_bytes(content.encode("utf-8", "surrogateescape"))
    refused(installed.ask(question(HARBOR + "/x")), "the file")


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "nothing",
        "[]",
        {},
        dict(question("x"), kind="Pod"),
        dict(question("x"), apiVersion="v1"),
        dict(question("x"), apiVersion=None),
        dict(question("x"), image=5),
    ],
)
def test_what_no_kubelet_asks_is_refused(installed: Installed, asked: object) -> None:
    refused(
        installed.ask(asked), "question" if isinstance(asked, str) and asked != "[]" else "CredentialProviderRequest"
    )


@pytest.mark.parametrize("args", [[], ["a", "b"]])
def test_it_wants_to_be_told_the_file(installed: Installed, args: list[str]) -> None:
    refused(installed.ask(question("x"), args), "name the file")


def refused(done: subprocess.CompletedProcess[str], reason: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert CANARY not in done.stderr


def test_its_entry_holds_nothing_that_a_new_password_changes(installed: Installed) -> None:
    provider = installed.provider
    assert provider.match_images == (HARBOR, "quay.io")
    assert provider.default_cache_duration == "0s"
    assert provider.sha256 == hashlib.sha256(installed.program.read_bytes()).hexdigest()
    assert CANARY not in repr(provider)
    assert provider.args == (str(installed.store),)
    assert not provider.env


def test_without_anything_stored_there_is_no_provider() -> None:
    assert handed_over("/usr/bin/python3", "/etc/x", ()) is None


def test_its_order_is_the_same_whatever_the_order_of_the_registries() -> None:
    entries = [handed_over("/usr/bin/python3", "/etc/x", names) for names in (("b", "a"), ("a", "b"))]
    assert all(isinstance(entry, HandedOver) for entry in entries)
    assert entries[0] == entries[1]


def test_its_text_is_found_in_a_module_s_archive_too(tmp_path: Path) -> None:
    # On a node the collection is a zip file in the path.
    root = Path(__file__).parents[5] / "plugins"
    archive = tmp_path / "module.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for source in sorted((root / "module_utils").glob("*/*.py")):
            name = "ansible_collections/k3sfleet/registries/plugins/%s" % source.relative_to(root)
            file.writestr(name, source.read_text(encoding="utf-8"))
        for package in ("", "/k3sfleet", "/k3sfleet/registries", "/k3sfleet/registries/plugins"):
            file.writestr("ansible_collections%s/__init__.py" % package, "")
        file.writestr("ansible_collections/k3sfleet/registries/plugins/module_utils/__init__.py", "")
    text = "from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store import handed_over\n"
    text += "import sys; sys.stdout.buffer.write(handed_over.program_text('/usr/bin/python3'))"
    done = subprocess.run(
        [sys.executable, "-c", text], env={"PYTHONPATH": str(archive)}, capture_output=True, check=True, cwd=tmp_path
    )
    assert done.stdout == program_text("/usr/bin/python3")
    assert done.stdout.startswith(b"#!/usr/bin/python3 -ISB\n# Copyright")
