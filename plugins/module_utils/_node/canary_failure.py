# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a canary could not be pulled, as containerd's log and the runtime tell it."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.certs_d import configured_mirrors
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.loaded_secrets import loaded_secrets
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.log_files import (
    find_log_files,
    read_log_file,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.reader import PullReader
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import Redactor

from .command import Outcome
from .files import last_lines
from .paths import NodePaths

# containerd stamps its lines with its own clock reading; a pull's first line may carry the second it was asked in.
_CLOCKS_DIFFER = 1.0
_LOG_LINES = 30
_LOG_BYTES = 64 << 10
_HELD_UP = "Find out what holds the pull up: the registry, a proxy before it, or a slow disk on the node."


class Failed(NamedTuple):
    """A pull of ``image``, asked for at ``began`` (seconds since 1970), that ended in ``outcome``.

    ``secrets`` are those of the credential store.
    """

    image: str
    began: float
    outcome: Outcome
    secrets: Sequence[str]


def explained(paths: NodePaths, failed: Failed, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """``cause``, ``endpoint``, ``message``, ``fix``, ``evidence``; loaded credentials are masked.

    :param config: the node's registries configuration; read from certs.d if it is None.
    """
    secrets = [*loaded_secrets(paths.containerd_config), *failed.secrets]
    found = _diagnosis(paths, failed, configured_mirrors(paths.certs_d) if config is None else config, secrets)
    if found:
        return found
    redactor, outcome = Redactor(secrets), failed.outcome
    said = redactor.text((outcome.err or outcome.out).strip())
    result: dict[str, Any] = {"cause": "unknown", "message": "The runtime said: %s" % (said or "nothing")}
    if outcome.status is None:
        # containerd logs a pull's failure when it has failed; this one was given up on before.
        result.update(cause="timeout", fix=_HELD_UP)
    result["evidence"] = redactor.lines(last_lines(paths.containerd_log, _LOG_LINES, _LOG_BYTES))
    return result


def _diagnosis(paths: NodePaths, failed: Failed, config: Mapping[str, Any], secrets: list[str]) -> dict[str, Any]:
    """What containerd's log says about the pull; {} if it says nothing."""
    reader = PullReader(dict(config), [failed.image], failed.began - _CLOCKS_DIFFER, secrets=secrets)
    try:
        for path in find_log_files(paths.containerd_log, failed.began):
            reader.read(read_log_file(path))
    except OSError:
        # The explanation is a help, not a step of the rollout.
        return {}
    found = reader.diagnoses()
    return dict(found[-1]) if found else {}
