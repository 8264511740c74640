# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one job as AWX' dispatcher does; the tests start it with the Python that has ansible-runner.

`drive.py PRIVATE_DATA_DIR PLAYBOOK JOB LIMIT`: the job is cancelled when a file `cancel` appears in the folder.
"""

from __future__ import annotations

import os
import sys

import ansible_runner


def main(folder: str, playbook: str, job: str, limit: str) -> int:
    runner = ansible_runner.run(
        private_data_dir=folder,
        playbook=playbook,
        ident=job,
        limit=limit or None,
        quiet=True,
        suppress_env_files=True,
        cancel_callback=lambda: os.path.exists(os.path.join(folder, "cancel")),
    )
    sys.stdout.write(runner.status + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
