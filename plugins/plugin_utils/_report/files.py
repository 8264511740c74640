# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents as files on the controller."""

from __future__ import annotations

import datetime
import json
from typing import Any, Mapping

from ansible.errors import AnsibleActionFail
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.checked_action import write_texts


def now() -> str:
    """The time that a document says it is of."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_json(document: Mapping[str, Any]) -> str:
    """A document's text."""
    return json.dumps(document, indent=1) + "\n"


def mode_of(text: str) -> int:
    """A mode as people write it.

    :raises AnsibleActionFail: if it is none.
    """
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise AnsibleActionFail('mode is %s. It must be octal digits in quotes, such as "0644"' % text)
    return mode


def write(what: str, texts: Mapping[str, str], mode: int) -> None:
    """Write all files, each in one step, or none.

    :param what: how messages name them.
    :param texts: absolute paths to what the files hold.
    :raises AnsibleActionFail: if one cannot be written.
    """
    try:
        write_texts(texts, mode)
    except FileProblem as problem:
        reason = str(getattr(problem.__cause__, "strerror", "") or "")
        if not reason:
            # Another user's file is in the way, and the sentence says what to do about it.
            raise AnsibleActionFail("%s cannot be written on the controller: %s" % (what, problem)) from problem
        raise AnsibleActionFail(
            "%s cannot be written on the controller (%s): %s. Choose another path, or make this one writable"
            % (what, ", ".join(texts), reason)
        ) from problem
