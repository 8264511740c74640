# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of k3s_image_preload: makes the archives, sends what a node lacks, and shows how it goes."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from typing import Any, Mapping, Sequence

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import NODE_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.archive import Archive
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.arguments import PRELOAD_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.relay_server import digest_of_token
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import (
    answer_of,
    controller_path,
    plain,
    show,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.node_action import NodeAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._config_yaml.ask import ask
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload import parcels, relay_identity, words
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload.answers import SHAPES
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload.delivery import (
    Delivery,
    DeliveryProblem,
    Fetch,
    Settings,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload.stock import Stock, StockProblem, stock_of

_MODULE = "k3sfleet.registries.k3s_image_preload"
_NOTHING_GIVEN = (
    "nothing to bring: give layouts or archives (the role: k3s_image_preload_images, _image_files, _releases, "
    "_import_from or _archives)"
)
_SETTINGS = ("chunk_size", "bandwidth_limit", "import_timeout", "progress_interval")


class _Failed(Exception):
    """The module has failed on the node; ``answer`` is what it said."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__()
        self.answer = answer


class _OverAnsible:
    """A node, reached through Ansible's connection."""

    def __init__(self, action: ActionModule, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> None:
        self._action, self._task_vars = action, task_vars
        self._told = {name: arguments[name] for name in NODE_ARGUMENTS if arguments.get(name) is not None}
        self.host = str(task_vars.get("inventory_hostname", ""))
        self._paths: dict[str, str] = {}

    def has_at(self, paths: Mapping[str, str]) -> None:
        """Where the controller has the archives."""
        self._paths = dict(paths)

    def ask(self, operation: str, secret: str = "", **more: Any) -> dict[str, Any]:
        """One call of the module.

        :param secret: what goes to the node and nowhere else.
        :raises _Failed: if it fails.
        """
        request = json.dumps({"operation": operation, **more})

        def execute(sent: dict[str, Any]) -> dict[str, Any]:
            said = plain(self._action._execute_module(module_name=_MODULE, module_args=sent, task_vars=self._task_vars))
            # A seal is not text, and would not survive the cleaning.
            return said if "unsure" in said else answer_of(said)

        told = {**self._told, "request": request, **({"secret": secret} if secret else {})}
        answer = ask(execute, told)
        if answer.get("failed") or answer.get("unreachable") or "said" not in answer:
            answer.setdefault("failed", not answer.get("unreachable"))
            raise _Failed({key: value for key, value in answer.items() if key != "invocation"})
        found: dict[str, Any] = conform(answer["said"], SHAPES[operation], "what it says")
        return found

    def fetcher(self, site: str, settings: Settings) -> Fetch | None:
        """How this node takes archives from the relay of its site, None if none runs."""
        running = relay_identity.recall(str(C.DEFAULT_LOCAL_TMP), site)
        if running is None:
            self.tell("no relay runs at site %s; the archives come from the controller" % site)
            return None
        found = running

        def fetch(archives: Sequence[Archive], limit: int) -> dict[str, Any]:
            return self.ask(
                "fetch", secret=relay_identity.token_of(found.secret, self.host), address=found.address,
                port=found.port, certificate=found.certificate, limit=limit, seconds=settings.progress_interval,
                archives=[archive.as_dict(blocks=True) for archive in archives],
            )  # fmt: skip

        return fetch

    def put(self, pieces: Sequence[parcels.Piece]) -> str:
        """Send a parcel; returns its path on the node."""
        shell = self._action._connection._shell
        if not shell.tmpdir:
            self._action._make_tmp_path()
        target: str = shell.join_path(shell.tmpdir, "parcel")
        with tempfile.NamedTemporaryFile(dir=C.DEFAULT_LOCAL_TMP, prefix="k3sfleet-parcel-") as local:
            parcels.write(local, pieces, self._paths)
            local.flush()
            self._action._transfer_file(local.name, target)
        return target

    def tell(self, line: str) -> None:
        """Show a line of progress."""
        show("%s: %s" % (self.host, line))


class ActionModule(NodeAction):
    _spec = PRELOAD_ARGUMENTS

    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        node = _OverAnsible(self, arguments, task_vars)
        try:
            found = self._done(arguments, node, task_vars)
        except _Failed as failure:
            result.update(failure.answer)
            return result
        except OddAnswer as odd:
            raise AnsibleActionFail(
                "the node's answer is none that the module gives (%s). See whether the node is still yours" % odd
            ) from None
        except (DeliveryProblem, OSError, StockProblem) as problem:
            raise AnsibleActionFail(str(problem)) from None
        finally:
            self._clean()
        result.update(found, msg=words.sentence(found))
        if found["changed"]:
            if arguments["state"] == "archived":
                show(result["msg"])
            else:
                node.tell(result["msg"])
        if found["kept"]:
            result["warnings"] = list(found["kept"])
        if self._task.diff:
            result["diff"] = words.diff(found)
        return result

    def _clean(self) -> None:
        """Remove what was sent; a node that cannot be reached now removes nothing, and keeps one parcel at most."""
        if self._connection._shell.tmpdir:
            with contextlib.suppress(AnsibleError):
                self._remove_tmp_path(self._connection._shell.tmpdir)

    def _done(self, arguments: dict[str, Any], node: _OverAnsible, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        check = bool(self._task.check_mode)
        given = bool(arguments["layouts"] or arguments["archives"])
        if arguments["step"] == "end_relay":
            return self._end_relay(arguments, node)
        if arguments["state"] == "absent":
            selected = [item.archive.file for item in self._stock(arguments, task_vars, True).stored] if given else []
            if given and not selected:
                return words.nothing()
            said = node.ask("remove", files=selected, check=check)
            return words.with_removal(words.nothing(), said, check)
        if not given:
            raise StockProblem(_NOTHING_GIVEN)
        stock = self._stock(arguments, task_vars, check)
        if arguments["state"] == "archived":
            return words.of_stock(stock)
        return self._present(stock, arguments, node, check)

    def _present(
        self, stock: Stock, arguments: Mapping[str, Any], node: _OverAnsible, check: bool
    ) -> dict[str, Any]:  # fmt: skip
        node.has_at(parcels.paths_of(stock.stored))
        if arguments["step"] == "relay":
            return self._relay(stock, arguments, node)
        settings = Settings(**{name: arguments[name] for name in _SETTINGS})
        relay = node.fetcher(arguments["site"], settings) if arguments["step"] == "fetch" else None
        delivery = Delivery(node, stock.stored, settings, relay=relay)
        if arguments["step"] == "look":
            return {**words.nothing(), "lacking": len(delivery.look()), "k3s": delivery.result.k3s}
        if check:
            delivery.look()
        else:
            delivery.deliver()
        found = words.of_delivery(stock.stored, delivery.result, stock.to_make, check)
        if arguments["purge"] and delivery.result.superfluous:
            said = node.ask("remove", files=delivery.result.superfluous, check=check)
            found = words.with_removal(found, said, check)
        return found

    def _relay(self, stock: Stock, arguments: Mapping[str, Any], node: _OverAnsible) -> dict[str, Any]:
        """Make this node the relay of its site; the other processes of the run find it by what is written here."""
        identity = relay_identity.new_identity()
        tokens = [relay_identity.token_of(identity.secret, host) for host in arguments["site_hosts"]]
        said = node.ask(
            "relay",
            secret=identity.key,
            archives=[item.archive.as_dict() for item in stock.stored],
            certificate=identity.certificate,
            tokens=[digest_of_token(token) for token in tokens],
            port=arguments["relay_port"],
            seconds=arguments["relay_timeout"],
            run=relay_identity.run_of(arguments["site"], identity.secret),
        )
        running = relay_identity.Running(
            arguments["relay_address"], int(said["port"]), identity.certificate, identity.secret
        )
        relay_identity.remember(str(C.DEFAULT_LOCAL_TMP), arguments["site"], running)
        show("Site %s: served by %s, port %d" % (arguments["site"], node.host, running.port))
        return words.nothing()

    def _end_relay(self, arguments: Mapping[str, Any], node: _OverAnsible) -> dict[str, Any]:
        running = relay_identity.forget(str(C.DEFAULT_LOCAL_TMP), arguments["site"])
        if running is not None:
            node.ask("end_relay", run=relay_identity.run_of(arguments["site"], running.secret))
        return words.nothing()

    def _stock(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any], check: bool) -> Stock:
        def find(path: str) -> str:
            return os.path.abspath(controller_path(self, path, task_vars))

        return stock_of(arguments, find, check, show)
