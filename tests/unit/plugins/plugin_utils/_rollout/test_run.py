# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run remembers of a host when the same play applies the role again."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import Host, Run, begin


def test_a_host_that_could_not_be_staged_is_judged_anew() -> None:
    run = Run(failed={"edge-1": "unreachable"}, refused=["edge-1", "edge-2"])
    begin(run, "edge-1")
    assert (run.failed, run.refused) == ({}, ["edge-2"])


def test_a_host_that_failed_in_its_commit_still_counts() -> None:
    run = Run(hosts={"edge-1": Host()}, failed={"edge-1": "never became healthy"})
    begin(run, "edge-1")
    assert run.failed == {"edge-1": "never became healthy"}
