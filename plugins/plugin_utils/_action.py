# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection's action plugins share: plain values, files of the controller, the run's ledger."""

from __future__ import annotations

import datetime
import hashlib
import os
from collections.abc import Iterable, Mapping
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.utils.display import Display
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.clean import clean
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger


def plain(value: Any) -> Any:
    """``value`` as plain Python types: without Ansible's tags, unsafe strings and lazy containers."""
    # First what there is most of: every host of a run does this with the names of all hosts.
    if isinstance(value, str):
        # str() of a subclass may return the subclass; joining makes a new, plain one.
        return "".join([str.__str__(value)])
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, bytes):
        return bytes(value)
    return value


def with_days_as_text(value: Any) -> Any:
    """``value`` with dates as text, as JSON has them. YAML makes a date of a day without quotes. Ansible accepts none
    in an argument with ``no_log``, and before 2.19 a template makes one text of a mapping with a date in it."""
    if isinstance(value, datetime.date):
        return datetime.datetime.isoformat(value) if isinstance(value, datetime.datetime) else value.isoformat()
    if isinstance(value, Mapping):
        return {key: with_days_as_text(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [with_days_as_text(item) for item in value]
    return value


#: What ansible-core itself adds to an answer, as objects of its own since 2.19: no words of the node's.
_ANSIBLES_OWN = ("exception", "deprecations", "warnings")


def answer_of(answer: Mapping[str, Any], secrets: Iterable[str] = ()) -> dict[str, Any]:
    """What a node has answered to a module, fit to be printed and kept: without credentials, escape sequences, or line
    breaks that could pass for lines of the run's."""
    said = {key: value for key, value in plain(answer).items() if key not in _ANSIBLES_OWN}
    if answer.get("warnings"):
        said["warnings"] = [_warning(item) for item in answer["warnings"]]
    cleaned: dict[str, Any] = clean(said, secrets)
    return cleaned


def _warning(item: Any) -> str:
    """A warning as text: since ansible-core 2.19 those of a module are objects."""
    for holder in (getattr(item, "event", None), next(iter(getattr(item, "details", None) or ()), None)):
        text = getattr(holder, "msg", None)
        if isinstance(text, str):
            return str(plain(text))
    return str(plain(item)) if isinstance(item, str) else str(item)


display = Display()


def show(line: str) -> None:
    """Print a line of the run, made safe: nodes, and the run that holds the Lease, have chosen words of it."""
    display.display(visible(line))


def ledger_of(arguments: Mapping[str, Any]) -> Ledger:
    """The ledger of the cluster that the task works on, shared by all processes of this run."""
    return Ledger(str(C.DEFAULT_LOCAL_TMP), str(arguments.get("cluster") or "default"))


class Warned:
    """What this run has warned of already, for whichever host: a task without a line cannot return warnings."""

    @staticmethod
    def _mark(text: str) -> str:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return os.path.join(str(C.DEFAULT_LOCAL_TMP), "k3sfleet-warned-%s" % digest)

    @classmethod
    def of(cls, text: str) -> bool:
        """Whether the run has warned of this."""
        return os.path.exists(cls._mark(text))

    @classmethod
    def first(cls, text: str) -> bool:
        """Enter that the run warns of this now; False if it has already."""
        try:
            os.close(os.open(cls._mark(text), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True


def cluster_groups(cluster: str) -> tuple[str, str]:
    """The names of a cluster's groups of servers and of agents, which is how the role names a cluster."""
    server_group, _slash, agent_group = str(cluster or "").partition("/")
    return server_group or "server", agent_group or "agent"


def controller_file(action: Any, path: str, task_vars: Mapping[str, Any] | None) -> bytes:
    """The content of a file on the controller, decrypted if vault has encrypted it.

    :param action: the action plugin that asks.
    :param path: a relative path is looked up where Ansible looks, in files/ next to the playbook and the role. If you
        run the collection's playbooks, you have no files there, so next to the inventory and in the current folder too.
    :raises ValueError: if it does not exist or cannot be decrypted.
    :raises OSError: if it cannot be read.
    """
    found = None
    try:
        named = controller_path(action, path, task_vars)
        found = action._loader.get_real_file(named, decrypt=True)
        with open(found, "rb") as handle:
            return handle.read()
    except AnsibleError as error:
        # Without the original error: ansible-core would show the same text again.
        raise ValueError(str(error)) from None
    finally:
        if found:
            action._loader.cleanup_tmp_file(found)


def controller_path(action: Any, path: str, task_vars: Mapping[str, Any] | None) -> str:
    """Where a file of the controller is: see :func:`controller_file`.

    :raises ValueError: if it does not exist, or is no file.
    """
    named = _found(action, path, task_vars or {})
    if os.path.exists(named) and not os.path.isfile(named):
        # A FIFO would block the run until somebody writes to it.
        raise ValueError("%s is not a regular file" % named)
    return named


def _found(action: Any, path: str, task_vars: Mapping[str, Any]) -> str:
    try:
        return str(action._find_needle("files", path))
    except AnsibleError:
        path = os.path.expanduser(path)
    if os.path.isabs(path):
        raise ValueError("there is no such file")
    folders = [str(folder) for folder in (task_vars.get("inventory_dir"), os.getcwd()) if folder]
    for folder in folders:
        candidate = os.path.join(folder, path)
        if os.path.isfile(candidate):
            return candidate
    raise ValueError(
        "there is no such file in files/ next to the playbook and the role, nor in %s"
        % " or ".join(dict.fromkeys(folders))
    )
