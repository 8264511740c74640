# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commit: make one node run the staged state, or put it back as it was.

Everything happens in one call on the node, so it goes on to its end when the controller dies or the
connection is cut. A transaction file stands beside the record from before the first change until after the
last check; a run that finds one knows which generation was the last good one.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Callable, Iterator, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import kubelet_log
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction import explained
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import compare
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import Redactor

from . import canary, expectation, health, installed_release, lease, placing, steps
from .commit_options import CommitOptions
from .cordon_around import CordonAround, NotCordoned
from .desired import Desired, DesiredProblem, from_text, inside
from .files import FileProblem
from .generated import last_write, read_generated
from .generations import GenerationDamaged, Generations
from .memory import Memory
from .service import OpenRC, ServiceProblem, ServiceState, Systemd, service_of

if TYPE_CHECKING:
    from .live import LivePlan

# K3s reads a registries.yaml that it could not read anew every 5 to 11 s, and a server is healthy some 10 s after that.
_RELOAD_LOOP = 30.0
# As many automatic restarts as this mean that it will not get better by itself.
_CRASH_LOOP = 3
_LOG_LINES = 30


class Failure(Exception):
    """A step of the commit did not succeed; the text says what was seen."""


class NotProven(Failure):
    """A restart was not done, because the cluster was not seen to be able to do without this server."""


class Refused(Exception):
    """Nothing has been done, because something else has to be put right first."""


class Commit:
    """One commit on one node. ``result`` grows with every step, and is the module's result in the end."""

    def __init__(
        self,
        node: Identity,
        options: CommitOptions,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.node = node
        self.paths = paths = node.paths
        self.options = options
        self.sleep = sleep
        self.now = now
        self.clock = clock
        self.tell = tell
        self.memory = Memory(paths)
        self.service: Systemd | OpenRC = service_of(paths.service)
        self.redactor = Redactor()
        self.interrupted = False
        self.asks_until = 0.0
        self.end = steps.DONE
        self.live_plan: LivePlan | None = None
        self.proven = False
        self.result: dict[str, Any] = {
            "changed": False,
            "restarted": False,
            "live": False,
            "rolled_back": False,
            "cordoned": False,
            "uncordoned": False,
            "step": steps.NOTHING_TO_DO,
            "seconds": 0.0,
            "health": "",
            "canaries": [],
            "log": [],
            "diagnosis": {},
            "differences": [],
            "kept": "",
            "waiting_for": [],
            "waited_for": [],
            "warnings": [],
        }
        self.cordon = CordonAround(paths, self.memory, options.restart_timeout, self.result, sleep, clock)

    def run(self) -> dict[str, Any]:
        """Bring the staged state into force.

        :raises Refused: if the other servers of the cluster are not seen well; nothing has been touched.
        :raises Failure: if it did not come into force; ``result`` says whether the node was put back.
        :raises FileProblem: if a file could not be written before anything was changed.
        :raises NodeBusy: if another run is changing this node.
        """
        with self.memory.locked():
            return self._run()

    def _run(self) -> dict[str, Any]:
        text = self.memory.candidate_text()
        record = self.memory.record()
        if text is None:
            return self.result
        try:
            desired = from_text(text).at(self.paths)
        except DesiredProblem as problem:
            raise Refused("%s; run the playbook again, it stages anew" % problem) from problem
        self.redactor = Redactor.of_tables([*desired.auth.values(), *(read_generated(self.paths).auth or {}).values()])
        self.interrupted = self.memory.transaction() is not None
        state = self.service.state()
        with self._lease_held() if state.alive else contextlib.nullcontext():
            self.live_plan = self._plan_live(desired, record) if state.alive else None
            if self._restart_is_certain(state) and not self._may_begin():
                return self.result
            if self.options.cordon and state.alive and self.live_plan is None:
                self._cordon(state)
            began = self.now()
            base = self._base(desired, record, state)
            self.memory.write_transaction(base, "putting files in place", began)
            try:
                self._bring_into_force(desired, record, state, base)
            except (Failure, FileProblem, ServiceProblem) as problem:
                self.result["seconds"] = round(self.now() - began, 1)
                try:
                    self._put_back(desired, base, problem)
                except (Failure, FileProblem):
                    self.cordon.end(self.proven)
                    raise
            self.cordon.end(self.proven)
            self.result["seconds"] = round(self.now() - began, 1)
        return self.result

    @contextlib.contextmanager
    def _lease_held(self) -> Iterator[None]:
        """On a server, hold the cluster's Lease for as long as this commit may take at the most.

        The commit goes on when the controller dies, and no other run may restart a server meanwhile.

        :raises Refused: if another run has taken the Lease.
        """
        if self.paths.node_role != "server" or not self.options.lease_holder:
            yield
            return
        # Waiting for the other servers, before the restart of a rollback for as long as for a healthy node.
        longest = self.options.quorum_timeout + 3 * self.options.restart_timeout + 2 * _RELOAD_LOOP
        longest += self.options.canary_timeout * len(self.options.canary_images)
        longest += self.cordon.longest(self.options.cordon)
        # When this server's own API is away, that is what the commit may be about to mend.
        with contextlib.suppress(lease.LeaseUnavailable):
            try:
                lease.take(self.paths, lease.Holder(self.options.lease_holder, int(longest)))
            except lease.LeaseHeld as held:
                raise Refused("not restarted: %s" % held) from held
        try:
            yield
        finally:
            with contextlib.suppress(lease.LeaseUnavailable, lease.LeaseHeld):
                lease.take(self.paths, lease.Holder(self.options.lease_holder, lease.RENEWED_FOR), shorten=True)

    def _cordon(self, state: ServiceState) -> None:
        """Keep new pods away before anything is touched. On a node that hangs, none can start anyway.

        :raises Refused: if that is not possible; nothing has been touched.
        """
        if not health.containerd_ready(self.paths, state):
            return
        try:
            self.cordon.begin(self.options.lease_holder)
        except NotCordoned as problem:
            if self.options.force:
                self.result["warnings"].append("the node restarts without being cordoned: %s" % problem)
                return
            raise Refused(
                "not restarted, and nothing was changed: k3s_registries_cordon is true, but the node could not be "
                "cordoned: %s. Fix that first, or set k3s_registries_cordon: false" % problem
            ) from problem

    def _restart_is_certain(self, state: ServiceState) -> bool:
        """Whether this takes a server's restart for certain: it is no change without one, and K3s does not hang, so
        that putting its files right will not do."""
        if not (self._asks_the_others() and state.alive) or self.live_plan is not None:
            return False
        return health.containerd_ready(self.paths, state)

    def _asks_the_others(self) -> bool:
        return self.paths.node_role == "server" and not self.options.force

    def _may_begin(self) -> bool:
        """Before anything is touched: whether the other servers are seen well, or will be within ``quorum_timeout``.

        :returns: False when the person at the terminal is to be told first for whom this would wait.
        :raises Refused: if they are not; nothing has been touched.
        """
        self.asks_until = self.clock() + self.options.quorum_timeout
        missing = self._prove(0.0 if self.options.announce else self.options.quorum_timeout, not self.options.announce)
        if not missing:
            return True
        if self.options.announce:
            self.result.update(waiting_for=list(missing), step=steps.NOT_STARTED)
            return False
        raise Refused(
            "not restarted, and nothing was changed: with this server away too the cluster could lose its quorum, or "
            "its API. Within %d s these were not seen healthy: %s. Fix that first, or set k3s_registries_force: true"
            % (self.options.quorum_timeout, "; ".join(missing))
        )

    def _prove(self, timeout: float, final: bool = True) -> Sequence[str]:
        """What keeps the cluster from doing without this server, after waiting for it; empty when nothing does.

        :param final: whether a majority is enough when the time is over.
        """
        if not self._asks_the_others():
            return ()
        # Imported here: TLS, HTTP and threads take longer than all of this collection's code, and only a server that
        # restarts needs them.
        from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction import circumstances

        from . import members, proof

        supervisor = int(circumstances.supervisor_port(self.node.settings, self.paths.distribution))
        found = proof.prove(
            lambda: members.look(self.paths, supervisor),
            timeout,
            final,
            self.options.hanging,
            self.tell,
            self.sleep,
            self.clock,
        )
        for key, values in (("waited_for", found.waited_for), ("warnings", found.warnings)):
            self.result[key].extend(value for value in values if value not in self.result[key])
        return found.missing

    def _base(self, desired: Desired, record: dict[str, Any], state: ServiceState) -> int:
        """The generation to put back if this fails: the last one that is known to have worked."""
        generations = Generations(self.paths)
        transaction = self.memory.transaction()
        if transaction is not None and generations.intact(transaction["generation"]):
            return int(transaction["generation"])
        found = placing.save_found(self.paths, self.memory, desired, record)
        if found != record["generation"] and generations.intact(record["generation"]):
            # The file was edited since the last commit. It is kept as a generation, but what the node goes back
            # to is what K3s has loaded: the edit, when it has been restarted with it and is well.
            if not health.observe(self.paths, state).healthy:
                return int(record["generation"])
        return found

    def _bring_into_force(self, desired: Desired, record: dict[str, Any], state: ServiceState, base: int) -> None:
        if self.live_plan is not None:
            self._change_live(self.live_plan, desired, record, base)
            return
        hanging = state.alive and not health.containerd_ready(self.paths, state)
        placing.place(self.paths, desired, record)
        self.result["changed"] = True
        self.result["step"] = steps.FILES_IN_PLACE
        if state.alive:
            # What has been waited for before anything was touched is not waited for once more.
            patience = self.options.quorum_timeout if hanging else max(0.0, self.asks_until - self.clock())
            self._reload(base, hanging, patience)
            self._compare_with_prediction(desired)
            self._pull_canaries(desired)
            self.result["step"] = self.end
            self.proven = self.end == steps.DONE
        self._remember(desired, base)

    def _change_live(self, plan: LivePlan, desired: Desired, record: dict[str, Any], base: int) -> None:
        """Bring a change into force without a restart."""
        placing.place(self.paths, desired, record)
        self.result["changed"] = True
        self.result["live"] = True
        plan.bring_into_force(self.paths)
        self.result["step"] = steps.CHANGED_LIVE
        self._compare_with_prediction(desired)
        self._pull_canaries(desired)
        self.result["step"] = steps.DONE
        self.proven = True
        self._remember(desired, base)

    def _plan_live(self, desired: Desired, record: dict[str, Any]) -> LivePlan | None:
        """How to do without a restart; None if this takes one.

        :raises Refused: if the plan was made without this node's restart, and a registry says otherwise by now.
        """
        if self.interrupted or self.options.live is False:
            return None
        by_files = self._files_are_enough(desired)
        if not (by_files or desired.settings.get("live")):
            return None
        # Imported here: what asks registries is much to load for a node that restarts anyway.
        from . import live, live_question

        if by_files:
            return live.LivePlan({}, "")
        found = read_generated(self.paths)
        decided = live.plan(self.node, desired, record, found, installed_release.installed(self.paths, keep=True))
        why = live_question.ask(self.node, decided, self.options.canary_images) if decided.texts is not None else []
        if why and self.options.live:
            raise Refused(
                "nothing was changed: the plan has this node without a restart, and by now it is in doubt whether the "
                "new credentials work that way: %s. Run again, which plans anew" % "; ".join(why)
            )
        return None if why or decided.texts is None else decided

    def _files_are_enough(self, desired: Desired) -> bool:
        """Whether nothing has to be read anew: the kubelet asks the credential store at each pull."""
        if not desired.settings.get("credential_store"):
            return False
        # Imported here: all other commits do without it.
        from .stage import pending_reasons

        return not pending_reasons(self.node, desired, installed_release.installed(self.paths, keep=True))

    def _remember(self, desired: Desired, base: int) -> None:
        if desired.absent and self.proven:
            # What is known of the cordon is removed with all the rest.
            self.cordon.lift()
        self.memory.drop_candidate()
        self.result["kept"] = placing.remember(self.paths, self.memory, desired, base)
        self.memory.end_transaction()

    def _reload(self, base: int, hanging: bool, patience: float) -> None:
        """Have K3s read the files that are in place: by its own loop when it hangs in that, else by a restart.

        :param hanging: whether containerd was not up before the files were put in place. A K3s that is about to start
            looks like one that hangs, and so does a node that is too busy to answer: those have read the old files.
        :param patience: seconds to wait for the other servers before a restart.
        :raises NotProven: if it was not restarted, because other servers were not seen well within ``patience``.
        :raises Failure: if the node is not healthy within ``restart_timeout``.
        """
        before = last_write(self.paths)
        if hanging and self._heals_by_itself(self.now(), before):
            return
        read = hanging and self._runs_with_these_files(health.observe(self.paths, self.service.state()), before)
        missing = self._prove(0.0 if read else patience)
        if missing and read:
            # It runs with these files, and waits for a quorum: if all servers hang on theirs, each has to let the
            # next one have its turn.
            self.end = steps.WAITING_FOR_SERVERS
            self.result["warnings"].append(
                "%s runs with its files, but is not ready without other servers: %s"
                % (self.paths.service, "; ".join(missing))
            )
            return
        if missing:
            raise NotProven("within %d s these servers were not seen well: %s" % (patience, "; ".join(missing)))
        self.memory.write_transaction(base, "restarting %s" % self.paths.service, self.now())
        old = self.service.state()
        since = self.now()
        mark = self.service.mark()
        self.service.restart()
        self.result["restarted"] = True
        self.result["step"] = steps.RESTARTED
        seen = health.wait(
            self.paths,
            self.service,
            since,
            self.options.restart_timeout,
            lambda new: self._hopeless(old, new, mark),
            self.sleep,
            self.clock,
        )
        self.result["health"] = seen.sentence()
        if not seen.healthy:
            self.result["log"] = self.redactor.lines(self.service.log(mark, _LOG_LINES))
            raise Failure("after %.0f s: %s" % (self.now() - since, seen.sentence()))
        self.result["step"] = steps.HEALTHY

    def _heals_by_itself(self, since: float, before: tuple[int, int, int]) -> bool:
        """Whether a K3s without containerd comes up now that the files are right: it may have been waiting for a
        registries.yaml that it can read, and reads it anew in a loop."""
        seen = health.wait(self.paths, self.service, since, _RELOAD_LOOP, lambda _state: "", self.sleep, self.clock)
        healed = seen.healthy and self._runs_with_these_files(seen, before)
        if healed:
            self.result["step"] = steps.RELOADED
            self.result["health"] = seen.sentence()
        return healed

    def _runs_with_these_files(self, seen: health.Health, before: tuple[int, int, int]) -> bool:
        """Whether containerd is up, and K3s has written its configuration since it was as ``before``."""
        return bool(seen.proven) and last_write(self.paths) != before

    def _hopeless(self, old: ServiceState, new: ServiceState, mark: float) -> str:
        """A reason to stop waiting before the deadline, "" while there is hope; ``mark`` is the restart in the log."""
        if new.restarts - (old.restarts if new.restarts >= old.restarts else 0) >= _CRASH_LOOP:
            return "%s crashed %d times since the restart" % (self.paths.service, new.restarts)
        if new.state in ("stopped", "failed"):
            return "%s is %s" % (self.paths.service, new.state)
        lines = self.service.log(mark, _LOG_LINES)
        if any("server is not ready: yaml" in line for line in lines[-5:]):
            return "K3s cannot read %s" % self.paths.registries_yaml
        # K3s ends, and is started again, for as long as the kubelet refuses them.
        return kubelet_log.refusal(lines)

    def _compare_with_prediction(self, desired: Desired) -> None:
        if not desired.manages_registries:
            return
        release = installed_release.installed(self.paths, keep=True)
        found = expectation.in_force(self.node, desired, release, read_generated(self.paths))
        wanted = expectation.prediction(self.node, desired, release, found, self.options.embedded_mirror)
        if not wanted.certain:
            return
        self.result["differences"] = explained.sentences(compare(found, wanted))
        if self.result["differences"]:
            raise Failure(
                "K3s is healthy but has not loaded the configuration as predicted: %s"
                % "; ".join(self.result["differences"])
            )
        self.result["step"] = steps.LOADED

    def _pull_canaries(self, desired: Desired) -> None:
        for image in self.options.canary_images:
            pulled = canary.pull(self.paths, image, self.options.canary_timeout, desired.config or {}, self.now)
            if not pulled["ok"]:
                self.result["log"] = self.redactor.lines(pulled["evidence"])
                kept = ("image", "cause", "endpoint", "message", "fix")
                found = {key: self.redactor.text(str(pulled[key] or "")) for key in kept}
                self.result["diagnosis"] = found
                reason = ("%(message)s %(fix)s" % found).strip().rstrip(".")
                raise Failure("the canary image %s could not be pulled: %s" % (image, reason))
            self.result["canaries"].append({"image": image, "seconds": pulled["seconds"]})
            self.result["step"] = steps.CANARY_PULLED

    def _put_back(self, desired: Desired, base: int, problem: Exception) -> None:
        """Put the last good generation back, and end in :class:`Failure` in any case."""
        said = str(problem)
        if isinstance(problem, NotProven):
            said = "%s was not restarted: %s" % (self.paths.service, problem)
        if self.options.on_failure == "keep":
            raise Failure("%s. The new configuration was left in place (on_failure: keep)" % said)
        reached = self.result["step"]
        was_restarted = self.result["restarted"]
        self.proven = False
        log = self.result["log"]
        try:
            with contextlib.suppress(FileProblem):
                # On a full disk the older note has to do: it names the same generation.
                self.memory.write_transaction(base, "putting generation %d back" % base, self.now())
            state = self.service.state()
            hanging = state.alive and not health.containerd_ready(self.paths, state)
            own = (self.paths.cert_dir, self.paths.state_dir)
            shipped = [item.path for item in desired.files if any(inside(item.path, folder) for folder in own)]
            shipped += [self.paths.provider_config] if desired.on_node else []
            record = placing.restore(self.paths, base, shipped)
            if self.result["live"] and self.live_plan is not None:
                self.live_plan.take_back(self.paths)
            # A K3s that hung before, and that may not be restarted, goes on as it was.
            if state.alive and (was_restarted or (hanging and not isinstance(problem, NotProven))):
                self._reload(base, hanging, self.options.restart_timeout)
        except NotProven as second:
            self.result.update(step=steps.NOT_RESTARTED, log=log)
            raise Failure(
                "%s. The old files are back, but %s was not restarted with them, so that the cluster does not lose its "
                "quorum: %s. Fix that and run again, which restarts it" % (said, self.paths.service, second)
            ) from second
        except (Failure, FileProblem, GenerationDamaged, ServiceProblem) as second:
            self.result["step"] = steps.ROLLBACK_FAILED
            self.result["log"] = log
            raise Failure("%s. Putting generation %d back failed too: %s" % (said, base, second)) from second
        self.memory.write_record(record)
        self.memory.drop_candidate()
        self.memory.end_transaction()
        self.result.update(changed=False, rolled_back=True, step=reached, log=log)
        hangs_on = isinstance(problem, NotProven) and hanging
        self.proven = not hangs_on
        raise Failure("%s. The node was put back as it was%s" % (said, "" if hangs_on else " and is healthy"))
