# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.ee`: build the execution environment with ansible-builder on a base of Debian packages.

It is execution-environment.yml as it stands, but for two things that only a network has: the base image, and the
collection, which comes from a tarball of this checkout and not from Galaxy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.ee import base
from tests.fleet.podman import CHECKOUT, podman
from tests.fleet.process import FleetError, say
from tests.tools.tool_venv import tools

NAME = "localhost/k3sfleet-ee:test"
CONTEXT = CHECKOUT / ".cache" / "ee"


def definition(tarball: Path, base_image: str) -> dict[str, object]:
    """execution-environment.yml with ``base_image`` and the collection from ``tarball``."""
    content: dict[str, object] = yaml.safe_load((CHECKOUT / "execution-environment.yml").read_text(encoding="utf-8"))
    content["images"] = {"base_image": {"name": base_image}}
    content["dependencies"]["galaxy"] = {"collections": [{"name": "tarball/" + tarball.name, "type": "file"}]}  # type: ignore[index]
    content["dependencies"]["python_interpreter"] = {"python_path": base.PYTHON}  # type: ignore[index]
    content["additional_build_files"] = [{"src": str(tarball), "dest": "tarball"}]
    return content


def build() -> str:
    """Build the image; returns its name.

    :raises FleetError: when a tool fails, with the end of what it said.
    """
    shutil.rmtree(CONTEXT, ignore_errors=True)
    CONTEXT.mkdir(parents=True)
    galaxy = str(Path(sys.executable).with_name("ansible-galaxy"))
    _run([galaxy, "collection", "build", "--output-path", str(CONTEXT)])
    (tarball,) = CONTEXT.glob("*.tar.gz")
    file = CONTEXT / "execution-environment.yml"
    file.write_text(yaml.safe_dump(definition(tarball, base.ensure())), encoding="utf-8")
    say("Building the execution environment with ansible-builder (about 2 minutes) ...")
    builder = tools() / "ansible-builder"
    _run(
        [
            str(builder), "build", "--file", str(file), "--context", str(CONTEXT / "context"), "--tag", NAME,
            "--container-runtime", "podman", "--verbosity", "1",
            "--extra-build-cli-args=--runtime runc --network host --isolation chroot --pull=never " + _trust(),
        ]
    )  # fmt: skip
    podman("image", "prune", "--force", "--filter", "label=ansible-execution-environment=true", check=False)
    say("Execution environment ready: " + NAME)
    return NAME


def _trust() -> str:
    """While it builds, the image trusts the CAs that this machine trusts, and uses its package index: a network may
    have both of its own. Mounted, so that nothing of it stays in the image."""
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    index = os.environ.get("PIP_INDEX_URL", "")
    settings = CONTEXT / "pip.conf"
    settings.write_text(
        "[global]\ncert = %s\n%s" % (bundle, "index-url = %s\n" % index if index else ""), encoding="utf-8"
    )
    settings.chmod(0o600)
    return "--volume %s:%s:ro --volume %s:/etc/pip.conf:ro" % (bundle, bundle, settings)


def _run(command: list[str]) -> None:
    outcome = subprocess.run(command, cwd=CHECKOUT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if outcome.returncode:
        said = outcome.stdout.decode("utf-8", "replace").splitlines()[-25:]
        raise FleetError("%s has failed:\n%s" % (Path(command[0]).name, "\n".join(said)))


if __name__ == "__main__":
    try:
        build()
    except FleetError as error:
        sys.exit(str(error))
