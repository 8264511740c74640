# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``config`` of a module that reads logs: a registries configuration, whose credentials are secret and whose
names are what the result is about.

Ansible blanks every value of an option with secrets in it wherever it stands in a result: each endpoint, user name and
file of the configuration would be asterisks in the messages that have to name them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import known_secrets

if TYPE_CHECKING:
    from typing import Any

    from ansible.module_utils.basic import AnsibleModule

HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def take_config(module: AnsibleModule) -> dict[str, Any] | None:
    """The value of ``config``, None without one. From then on it is not in `module`'s parameters any more, and so in no
    result, and of its values only the credentials are blanked."""
    config: dict[str, Any] | None = module.params["config"]
    if config is not None:
        module.params["config"] = HIDDEN
        values = getattr(module, "no_log_values", None)
        if isinstance(values, set):
            values.intersection_update(known_secrets(config))
    return config
