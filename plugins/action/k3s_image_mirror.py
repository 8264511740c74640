# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of k3s_image_mirror: names the places, shows the plan, and has the copies made a while at a time.

A module says nothing until it ends. So the action calls it again and again, for some seconds of work each, and shows
what was done in between; that works the same on the controller and on a bastion. A run that is struck leaves nothing
running for longer than that.
"""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from typing import Any, Mapping

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.utils.display import Display
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror import copy_plan
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.arguments import MIRROR_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.exchange import (
    Answer,
    Item,
    Request,
    decoded,
    encoded,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.lists import ListProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.skopeo import lacking
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import ConfigError, normalise
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import answer_of, controller_file, plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.node_action import NodeAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings import given
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._mirror_request import progress, wanted
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._mirror_request.accesses import (
    Accesses,
    AccessProblem,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare import describe
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.sources import SourceProblem
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rewrite_engine import rewrite_engine

_MODULE = "k3sfleet.registries.k3s_image_mirror"
_PASSED_ON = ("platforms", "parallel", "retries", "timeout", "copy_timeout")
_PROBLEMS = (AccessProblem, ConfigError, given.GivenProblem, ListProblem, SourceProblem, wanted.WantedProblem)

display = Display()


class _Failed(Exception):
    """The module has failed as a whole; ``answer`` is what it said."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(str(answer.get("msg", "")))
        self.answer = answer


class ActionModule(NodeAction):
    _spec = MIRROR_ARGUMENTS

    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        self._task_vars = task_vars
        self._base = Request(token=uuid.uuid4().hex, **{name: arguments[name] for name in _PASSED_ON})
        began = time.monotonic()
        try:
            items = self._items(arguments)
            answer = self._ask("plan", items=items)
            items = answer.items
            self._decide(items, arguments["overwrite"])
            self._copy(arguments, items, answer)
        except _PROBLEMS as problem:
            raise AnsibleActionFail("k3s_image_mirror: %s. Nothing has been copied." % visible(str(problem))) from None
        except _Failed as failed:
            result.update(failed.answer)
            return result
        finally:
            self._clean(arguments)
        return self._told(result, items, arguments, time.monotonic() - began)

    def _items(self, arguments: dict[str, Any]) -> list[Item]:
        """The images with their two places; what only the other machine can see is asked of it first."""
        wanted.check(arguments)
        read = given.read(arguments["config"])
        if read.errors:
            lines = "\n".join(describe.finding_lines(read.errors))
            raise wanted.WantedProblem("the configuration is refused\n%s\n" % lines)
        nodes = read.config or {}
        gathered = Answer()
        urls = wanted.urls_of(arguments)
        if urls or self._files(arguments):
            gathered = self._ask(
                "gather", urls=urls, archives=arguments["archives"], layouts=arguments["layouts"],
                imports=arguments["import_from"],
            )  # fmt: skip
        config = normalise({"mirrors": nodes.get("mirrors")})
        items = wanted.wanted(arguments, config, gathered, self._read_file, rewrite_engine())
        sides = {
            "src": Accesses({"configs": arguments["source_configs"]}, self._read_file),
            "dest": Accesses(nodes, self._read_file),
        }
        self._base.access = {
            key: sides[key.partition(":")[0]].of(key.partition(":")[2], scheme)
            for key, scheme in wanted.hosts_of(items).items()
        }
        if arguments["export_to"]:
            self._base.export, self._base.export_tar = wanted.export_folder(arguments["export_to"])
        return items

    @staticmethod
    def _files(arguments: dict[str, Any]) -> bool:
        return bool(arguments["archives"] or arguments["layouts"] or arguments["import_from"])

    def _decide(self, items: list[Item], overwrite: bool) -> None:
        """Enter what is to happen to each image."""
        for item in items:
            item.action = "none" if item.state == copy_plan.SAME else "failed"
            if copy_plan.to_copy(item, overwrite):
                item.action = "would_copy"
            elif item.state == copy_plan.DIFFERS:
                item.cause = "tag_moved"
                item.message = (
                    "%s is there with another digest (%s, the source has %s): overwrite: true replaces it"
                    % (item.target.text, item.target_digest, item.digest)
                )  # fmt: skip

    def _copy(self, arguments: dict[str, Any], items: list[Item], answer: Answer) -> None:
        """Have the copies made, and show each as it is done."""
        waiting = [item for item in items if item.action == "would_copy"]
        display.display(progress.plan_line(items, len(waiting)))
        settled = len(items) - len(waiting)
        for number, item in enumerate([item for item in items if item.action == "failed"], 1):
            display.display(progress.progress_line(number, len(items), item))
        missing = lacking(answer.skopeo) if answer.skopeo_needed and waiting else ""
        if self._task.check_mode:
            if missing:
                display.warning(missing)
            return
        if missing:
            raise _Failed({"failed": True, "msg": missing})
        copied = bool(waiting)
        broken = answer.broken
        places = {item.image: position for position, item in enumerate(items)}
        while waiting:
            said = self._ask("copy", items=waiting, broken=broken, seconds=arguments["progress_interval"])
            broken, done = said.broken, {item.image for item in said.items}
            for item in said.items:
                settled += 1
                items[places[item.image]] = item
                display.display(progress.progress_line(settled, len(items), item))
            waiting = [item for item in waiting if item.image not in done]
        if arguments["export_to"] and (copied or answer.unfinished):
            self._ask("finish", pack=copied)

    def _told(
        self, result: dict[str, Any], items: list[Item], arguments: dict[str, Any], seconds: float
    ) -> dict[str, Any]:
        """The task's result; the last line with the totals is shown."""
        counts = progress.totals(items, seconds)
        display.display(progress.totals_line(counts))
        result.update(
            images=[progress.result_of(item) for item in items], totals=counts,
            changed=bool(counts["copied"] or counts["would_copy"]),
            msg=progress.totals_line(counts),
        )  # fmt: skip
        notes = progress.notes(items, arguments["platforms"])
        if notes:
            result["warnings"] = notes
        if self._task.diff:
            result["diff"] = progress.diff(items, arguments["overwrite"])
        if counts["failed"]:
            result.update(failed=True, msg="%s\n%s" % (progress.failure_text(items), progress.totals_line(counts)))
        return result

    def _clean(self, arguments: dict[str, Any]) -> None:
        """What was unpacked on the other machine goes, however the task ended."""
        if self._files(arguments):
            try:
                self._ask("clean")
            except (AnsibleError, _Failed):
                display.vv("k3s_image_mirror: what was unpacked stays for a day: the machine cannot be reached")

    def _ask(self, operation: str, **more: Any) -> Answer:
        """One call of the module.

        :raises _Failed: if it fails as a whole.
        """
        request = encoded(dataclasses.replace(self._base, operation=operation, **more))
        answer = plain(
            self._execute_module(
                module_name=_MODULE, module_args={"request": json.dumps(request)}, task_vars=self._task_vars
            )
        )
        if answer.get("failed") or answer.get("unreachable") or "answer" not in answer:
            answer.setdefault("failed", not answer.get("unreachable"))
            raise _Failed(answer_of({key: value for key, value in answer.items() if key != "invocation"}))
        return decoded(Answer, answer["answer"])

    def _read_file(self, path: str) -> bytes:
        return controller_file(self, path, self._task_vars)
