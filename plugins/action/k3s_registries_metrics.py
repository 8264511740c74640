# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of k3s_registries_metrics: what the node answers, made fit to be shown."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.node_action import ShownAction


class ActionModule(ShownAction):
    """The module does the work, on the node."""
