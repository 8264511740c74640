# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project of somebody else's: its own folder, home and collections, inventory and playbooks; nothing of the checkout.

Every run is watched for secrets, as those of the integration tests are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterable, Mapping

import yaml

from tests.fleet.podman import CHECKOUT
from tests.integration.cluster import Run
from tests.integration.secrets_watch import ProcessWatch, Secrets, files_with

BIN = Path(sys.executable).parent
COLLECTION = "k3sfleet.registries"


class Project:
    """``folder`` is the project's own; ``collections`` the only place where Ansible looks for collections."""

    def __init__(self, folder: Path, secrets: Secrets) -> None:
        self.folder = folder / "project"
        self.home = folder / "home"
        self.temporary = folder / "tmp"
        self.collections = folder / "collections"
        self.secrets = secrets
        for place in (self.folder, self.home, self.temporary):
            place.mkdir()

    @property
    def installed(self) -> Path:
        return self.collections.joinpath("ansible_collections", *COLLECTION.split("."))

    def install(self) -> None:
        """Build the tarball of what git knows, as a release would be, and install it."""
        source = self._call(sys.executable, CHECKOUT / "tests" / "tools" / "collection_copy.py", self.folder.parent)
        self._call(BIN / "ansible-galaxy", "collection", "build", "--output-path", self.folder.parent, source.strip())
        [tarball] = self.folder.parent.glob("*.tar.gz")
        options = ("--collections-path", self.collections, "--offline")
        self._call(BIN / "ansible-galaxy", "collection", "install", tarball, *options)

    def _call(self, *command: object) -> str:
        outcome = subprocess.run(
            list(map(str, command)), cwd=CHECKOUT, env=self.environment(), check=False, capture_output=True, text=True
        )
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        return outcome.stdout

    def environment(self, **more: str) -> dict[str, str]:
        """The tools on PATH, and nothing of this machine's own Ansible settings."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("ANSIBLE_", "MOLECULE_", "PYTEST_", "PYTHONPATH"))
        }
        return {
            **kept,
            "PATH": "%s:%s" % (BIN, os.environ["PATH"]),
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "ANSIBLE_LOCAL_TEMP": str(self.temporary),
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_NOCOLOR": "1",
            **more,
        }

    def write(self, path: str, content: Any) -> Path:
        """A file of the project: text as it is, anything else as YAML."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)
        target.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
        return target

    def play(self, playbook: str, inventory: Mapping[str, Any], *arguments: str) -> Run:
        """Run a playbook, given as text, with an inventory, given as it stands in inventory.yml below ``all``."""
        self.write("inventory.yml", {"all": dict(inventory)})
        self.write("playbook.yml", playbook)
        return self.run(["ansible-playbook", "--inventory=inventory.yml", *arguments, "playbook.yml"])

    def run(self, command: Iterable[str], folder: Path | None = None, **environment: str) -> Run:
        """Run a command of the project's, which must keep the secrets."""
        began = time.time()
        with ProcessWatch(self.secrets) as watch:
            outcome = subprocess.run(
                list(command), cwd=folder or self.folder, env=self.environment(**environment), check=False, timeout=280,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        run = Run.of(outcome.returncode, outcome.stdout.decode("utf-8", "replace"), began)
        leaked = self.secrets.found_in(run.output)
        assert not leaked, "in the output: %s" % leaked
        assert not watch.found, sorted(watch.found)
        assert files_with(self.secrets, [self.home, self.temporary]) == []
        return run

    def knows(self) -> dict[str, Any]:
        """What ansible-galaxy lists: path of collections to name to version."""
        found: dict[str, Any] = json.loads(self._call(BIN / "ansible-galaxy", "collection", "list", "--format", "json"))
        return found
