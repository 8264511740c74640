# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the action plugin k3s_registries that asks a node by one shell command whether it has changed since it
had everything. Whenever there is a doubt, it says nothing, and the module is run as for every other node."""

from __future__ import annotations

import hmac
import os
from typing import Any, Callable, Mapping

import yaml
from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import FILE_NAME
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import secrets_of_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._snapshot.command import command
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import answer_of
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.once import once

from . import configuration_digest, node_answer

#: Gives the module's arguments with the wanted state, which holds secrets; it takes some time.
Told = Callable[[], Mapping[str, Any]]


class ShortWayAction(ActionBase):  # type: ignore[misc]
    """Asks the node's shell."""

    def _may_take_short_way(self, arguments: Mapping[str, Any]) -> bool:
        """Whether a node could have a snapshot for what these arguments want, and can be asked for it."""
        if arguments["state"] != "present" or not arguments["stage"] or arguments["validate_only"]:
            return False
        # These have nodes answer what no snapshot holds.
        more = ("rehearse", "credential_providers", "credential_store", "settings_read")
        if any(arguments[key] for key in more) or self._task.run_once:
            return False
        shell = getattr(self._connection, "_shell", None)
        return getattr(shell, "SHELL_FAMILY", "") == "sh" and arguments["node_role"] in ("", "server", "agent")

    def _short_answer(self, arguments: Mapping[str, Any], config: Any, parts: list[str], told: Told) -> dict[str, Any]:
        """What the module would answer, {} if the node has to be asked in full.

        :param config: the configuration as it was given.
        :param parts: what tells this configuration from others, for :func:`once.once`.
        :raises AnsibleConnectionFailure: if the node cannot be reached.
        """
        found = node_answer.read(self._said_by(_snapshot_of(arguments)))
        if found is None or not hmac.compare_digest(self._digest(parts, found.salt, told), found.digest):
            return {}
        # Nodes that are asked in full after this one get the same salt, so that the fleet keeps to few of them.
        configuration_digest.salt_of_the_run(str(C.DEFAULT_LOCAL_TMP), parts, found.salt)
        # The node's root knows the secrets of its configuration, and may have put them anywhere.
        return answer_of(found.result, _secrets(config))

    def _said_by(self, path: str) -> str:
        try:
            # Without the check of a module's answer: this is none.
            outcome = ActionBase._low_level_execute_command(self, command(path))
        except AnsibleConnectionFailure:
            raise
        except AnsibleError:
            # A password for become that is missing, for instance: the module's call says it better.
            return ""
        return str(outcome.get("stdout") or "") if outcome.get("rc") == 0 else ""

    def _name_of_snapshot(self, parts: list[str], told: Told) -> str:
        """By which salt and digest the node is to keep its snapshot for the next run."""
        salt = configuration_digest.salt_of_the_run(str(C.DEFAULT_LOCAL_TMP), parts)
        return "%s %s" % (salt, self._digest(parts, salt, told))

    @staticmethod
    def _digest(parts: list[str], salt: str, told: Told) -> str:
        folder = str(C.DEFAULT_LOCAL_TMP)

        def compute() -> str:
            return configuration_digest.digest(configuration_digest.text_of(told(), folder), salt)

        digest: str = once(folder, ["snapshot's digest", salt, *parts], compute)
        return digest


def _snapshot_of(arguments: Mapping[str, Any]) -> str:
    """Where the snapshot is, if the node is what the inventory says. If not, none is there or none that counts."""
    config_dir = arguments["config_dir"] or ""
    return os.path.join(node_paths(arguments["distribution"], config_dir=config_dir).state_dir, FILE_NAME)


def _secrets(config: Any) -> list[str]:
    """The secrets of a configuration that has been checked.

    :raises yaml.YAMLError: never for one of these.
    """
    found = yaml.safe_load(config) if isinstance(config, (str, bytes)) else config
    entries = ((found or {}).get("configs") or {}).values()
    return secrets_of_tables((entry or {}).get("auth") or {} for entry in entries)
