# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the registries whose credentials change whether that needs a restart: apart from what every node is sent."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials import question
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.environment import service_environment

from . import expectation, installed_release, live
from .desired import from_text
from .generated import read_generated
from .memory import Memory


def ask(node: Identity, decided: live.LivePlan, images: Sequence[str]) -> list[str]:
    """Why new credentials need a restart after all, as sentences.

    :param images: the canary images.
    """
    if not decided.credentials.headers:
        return []
    environment = service_environment(node.paths.data_dir, [node.paths.service]).variables
    found = question.ask(decided.bare, decided.credentials, images, environment)
    return [doubt.sentence for doubt in found]


def ask_for(node: Identity, wanted: str, images: Sequence[str]) -> list[str]:
    """The same for a wanted state, as it was shipped, that staging has found no doubt about.

    :raises DesiredProblem: if that is damaged.
    :raises FileProblem: if a file cannot be read.
    """
    desired = expectation.with_store(node, from_text(wanted), check_mode=True)[0].at(node.paths)
    release = installed_release.installed(node.paths, keep=False)
    decided = live.plan(node, desired, Memory(node.paths).record(), read_generated(node.paths), release)
    if decided.texts is None:
        return [decided.doubt or "the node has changed since it was staged"]
    return ask(node, decided, images)
