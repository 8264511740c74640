# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all action plugins of the collection begin with: their arguments, checked and as plain values."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Mapping

from ansible.plugins.action import ActionBase
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import Writes
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import plain, with_days_as_text


class CheckedAction(ActionBase):  # type: ignore[misc]
    """An action plugin with an argument spec. It supports check mode, but not async."""

    _supports_check_mode = True
    _supports_async = False
    _spec: Mapping[str, Any] = {}

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        return self._act(result, self._checked_arguments(), task_vars or {})

    def _checked_arguments(self) -> dict[str, Any]:
        self._task.args = with_days_as_text(self._task.args)
        _validated, arguments = self.validate_argument_spec(argument_spec=self._spec)
        checked: dict[str, Any] = plain(arguments)
        return checked

    @abstractmethod
    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Do the task's work, and return ``result`` with what came of it."""


class ControllerAction(CheckedAction):
    """One that works on the controller only, for no host in particular."""

    _requires_connection = False


def write_texts(texts: Mapping[str, str], mode: int) -> None:
    """Write all files on the controller or, unless something fails while they are renamed, none.

    :raises FileProblem: if one cannot be written.
    """
    writes = Writes(shared=True)
    for path, text in texts.items():
        writes.add(path, text.encode("utf-8", "replace"), mode, through_link=False)
    writes.finish()
