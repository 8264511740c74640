# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.newcomer``: from an empty machine to a verified fleet, with nothing but what two guides say.

The commands are the code blocks of README.md ("On your fleet") and docs/getting-started.md, in their order, but for the
removal, which is last. A reader puts names, addresses and secrets of their own in the place of the examples'; so does
this. Each command has to succeed. What is not run is in :data:`ELSEWHERE`, with the reason.
"""

from __future__ import annotations

import sys
from typing import Any, Callable

import yaml

from tests.docs.guides.blocks import Block, blocks, section
from tests.fleet import contents, up
from tests.fleet.podman import CHECKOUT
from tests.fleet.process import FleetError, say
from tests.fleet.state import USER, Fleet
from tests.newcomer.controller import Controller

NAME = "newcomer"
GALAXY = "ansible-galaxy collection install k3sfleet.registries"
ELSEWHERE = {
    GALAXY: "Galaxy cannot be reached from everywhere; the guides' other way is taken",
    "ansible-playbook -i inventory.yml k3sfleet.registries.upgrade_check "
    "-e k3s_registries_target_release=v1.35.2+k3s1": "it asks GitHub for the images of the release",
}
"""Commands that are not run, and why."""
_REMOVE = "k3sfleet.registries.remove"
_SAID: dict[str, Callable[[str], bool]] = {
    "ansible-playbook -i inventory.yml k3sfleet.registries.site": lambda said: "0 failed, 0 left as they were" in said,
    "ansible-playbook -i inventory.yml k3sfleet.registries.verify": lambda said: "all 2 nodes pass" in said,
}
"""What must be in the words of a command beside its success."""
_EXAMPLE = "registry.example.com:5000"
_CLONE = "registries"


def guides() -> dict[str, list[Block]]:
    """The blocks by the guide that they are in."""
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    started = (CHECKOUT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    return {
        "README.md": blocks(section(readme, "On your fleet")),
        "docs/getting-started.md": blocks(started),
    }


def inventory(text: str, fleet: Fleet) -> str:
    """The example's inventory with the reader's own nodes and user."""
    content: dict[str, Any] = yaml.safe_load(text)
    for group, found in content["k3s_cluster"]["children"].items():
        found["hosts"] = {node.name: {"ansible_host": node.address} for node in fleet.nodes if node.role == group}
    content["k3s_cluster"]["vars"]["ansible_user"] = USER
    return yaml.safe_dump(content)


def variables(text: str, fleet: Fleet) -> str:
    """The example's variables with the reader's own registry."""
    return text.replace(_EXAMPLE, "%s:%d" % (fleet.registry.host, fleet.registry.port))


class Newcomer:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._machine = Controller(fleet)
        self._ran = 0

    def prepare(self) -> None:
        """What a reader has: Ansible, a checkout, a key for SSH, and a password for ansible-vault."""
        machine, folder = self._machine, self._fleet.folder
        say("The newcomer's machine is there; installing ansible-core")
        machine.run("pip install --quiet ansible-core")
        machine.checkout(_CLONE)
        machine.file(".ssh/id_ed25519", (folder / "ssh" / "id_ed25519").read_bytes())
        machine.file(".ssh/known_hosts", (folder / "ssh" / "known_hosts").read_bytes())
        machine.file("vault-password", "only-for-this-walk\n")
        for name in ("ca.crt", "client.crt"):
            machine.file("files/registry-%s" % name, (folder / "pki" / name).read_bytes())
        secrets = {
            "vault_registry_password": self._fleet.registry.password,
            "vault_registry_key": (folder / "pki" / "client.key").read_text(encoding="utf-8"),
        }
        machine.file("group_vars/all/vault.yml", yaml.safe_dump(secrets))
        machine.run("ansible-vault encrypt group_vars/all/vault.yml")

    def follow(self, guide: str, found: list[Block]) -> list[str]:
        """Do what a guide says; the commands that are left for the end."""
        later = []
        for block in found:
            if block.language == "yaml":
                self._write(block.text)
            for command in block.commands:
                if command in ELSEWHERE:
                    say("%s: not run: %s (%s)" % (guide, command, ELSEWHERE[command]))
                elif _REMOVE in command:
                    later.append(command)
                else:
                    self._step(guide, command)
        return later

    def finish(self, commands: list[str]) -> None:
        for command in commands:
            self._step("README.md", command)

    @property
    def ran(self) -> int:
        return self._ran

    def _write(self, text: str) -> None:
        """A block of YAML, where the guide says that it goes."""
        if text.startswith("# inventory.yml"):
            self._machine.file("inventory.yml", inventory(text, self._fleet))
        elif text.startswith("k3s_registries:"):
            mine = variables(text, self._fleet)
            self._machine.file("group_vars/k3s_cluster.yml", mine)
            # Lint gets a file as K3s reads it.
            mirrors = yaml.safe_load(mine)["k3s_registries"]["mirrors"]
            self._machine.file("registries.yaml", yaml.safe_dump({"mirrors": mirrors}))

    def _step(self, guide: str, command: str) -> None:
        said = self._machine.run(command)
        expected = _SAID.get(command)
        if expected is not None and not expected(said):
            raise FleetError("%s: %s did not say what it should:\n%s" % (guide, command, said[-4000:]))
        say("%s: %s" % (guide, command))
        self._ran += 1


def main() -> int:
    up.down(NAME)
    try:
        fleet = up.up(NAME, 1, 1, "k3s", "stand-in", 40)
        # Where the example's rewrite leads.
        contents.Pusher(fleet).image("mirrorproject/rancher-images/mirrored-pause:3.6")
        newcomer = Newcomer(fleet)
        newcomer.prepare()
        later = []
        for guide, found in guides().items():
            later += newcomer.follow(guide, found)
        newcomer.finish(later)
        say("From an empty machine to a verified fleet and back: %d commands of the guides" % newcomer.ran)
    except FleetError as error:
        sys.stderr.write("newcomer: %s\n" % error)
        return 1
    finally:
        up.down(NAME)
    return 0


if __name__ == "__main__":
    sys.exit(main())
