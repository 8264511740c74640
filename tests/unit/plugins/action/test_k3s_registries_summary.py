# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s_registries_summary: the file that it writes, whatever has become of the hosts of the play."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible_collections.k3sfleet.registries.plugins.action import k3s_registries_examine, k3s_registries_summary
from ansible_collections.k3sfleet.registries.plugins.action.k3s_registries_examine import _judged, _keep
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import handed_on as handed_on_module
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify import verified
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.row import row_of

from tests import results

LOADED: dict[str, Any] = {"info": {"state": "loaded", "role": "agent", "problems": []}}
VERIFY = {"managed": True, "not_installed": "fail", "keep": True}


class Hosts(dict):  # type: ignore[type-arg]
    """As far as the plugin asks ``hostvars``."""

    def raw_get(self, name: str) -> Any:
        return self.get(name, {})


class Task:
    check_mode = False


class Summary(k3s_registries_summary.ActionModule):
    """Without Ansible around it."""

    def __init__(self, check_mode: bool = False) -> None:
        self._task = Task()
        self._task.check_mode = check_mode


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ansible's temporary folder of the run."""
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    return tmp_path


def examined(host: str, **answers: Any) -> dict[str, Any]:
    """What the task of a host has registered."""
    given: dict[str, Any] = {"info": {}, "applied": {}, "probe": {}, "canary": {}, **answers}
    judged = _judged(host, given, VERIFY)
    return {"verdict": row_of(judged), "kept": _keep(host, given, judged)}


def write(
    folder: Path,
    of: str,
    registered: dict[str, Any],
    hosts: list[str],
    check_mode: bool = False,
    job: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The task's result."""
    arguments = {
        "of": of, "registered": "r", "path": str(folder / "new" / "result.json"), "mode": "0600",
        "groups": {"server": ["a"]}, **more,
    }  # fmt: skip
    variables = {"ansible_play_hosts_all": hosts, "hostvars": Hosts({k: {"r": v} for k, v in registered.items()})}
    return Summary(check_mode)._act({}, arguments, {**variables, **(job or {})})


def test_every_host_of_the_play_is_in_the_file_of_a_verification(folder: Path) -> None:
    registered = {
        "a": examined("a", info=LOADED),
        "b": examined("b", info={"unreachable": True, "msg": "no route to host"}),
        # The task itself has ended without an answer.
        "c": {"failed": True, "msg": "a worker was found in a dead state"},
    }
    result = write(folder, "verify", registered, ["a", "b", "c", "d"])
    assert (result["changed"], result["json_path"]) == (True, str(folder / "new" / "result.json"))
    hosts = results.valid(folder / "new" / "result.json")["hosts"]
    assert {name: (host["passes"], host["condition"], host["group"]) for name, host in hosts.items()} == {
        "a": (True, "ok", "server"), "b": (False, "unreachable", ""), "c": (False, "unknown", ""),
        "d": (False, "unknown", ""),
    }  # fmt: skip
    assert hosts["c"]["failures"][0]["message"] == "k3s_registries_info failed: a worker was found in a dead state"
    assert [item["code"] for item in hosts["d"]["failures"]] == ["not_asked"]


def test_every_host_of_the_play_is_in_the_file_of_a_diagnosis(folder: Path) -> None:
    pull = {"image": "a:1", "cause": "timeout", "endpoint": "m", "message": "m", "fix": "f", "evidence": ["l"]}
    registered = {
        "a": {"info": LOADED, "diagnosis": {"pulls": [pull]}},
        "b": {"info": {"unreachable": True, "msg": "no route to host"}, "diagnosis": {}},
        "c": {"failed": True, "msg": "a worker was found in a dead state"},
    }
    result = write(folder, "diagnose", registered, ["a", "b", "c", "d"])
    assert result["nodes"] == ["a"]
    hosts = results.valid(folder / "new" / "result.json")["hosts"]
    assert {name: host["condition"] for name, host in hosts.items()} == {
        "a": "failing", "b": "unreachable", "c": "unknown", "d": "unknown",
    }  # fmt: skip
    assert hosts["a"]["pulls"] == [pull]
    assert hosts["c"]["errors"] == [{"module": "k3s_registries_info", "message": "a worker was found in a dead state"}]


def test_a_diagnosis_of_no_node_fails_and_is_written(folder: Path) -> None:
    registered = {"a": {"info": {"unreachable": True, "msg": "no route to host"}, "diagnosis": {}}}
    assert write(folder, "diagnose", registered, ["a"])["failed"]
    assert results.valid(folder / "new" / "result.json")["hosts"]["a"]["unreachable"] == "no route to host"


def test_without_a_path_nothing_is_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("verification", "diagnosed"):
        monkeypatch.setattr(k3s_registries_summary, name, None)
    monkeypatch.setattr(verified, "host", None)
    registered = {"a": {"verdict": examined_without_keeping("a"), "info": LOADED, "diagnosis": {"pulls": []}}}
    for of in ("verify", "diagnose"):
        result = write(folder, of, registered, ["a"], path="")
        assert (result["changed"], "json_path" in result) == (False, False)
    assert [path.name for path in folder.rglob("*")] == ["run"]


def examined_without_keeping(host: str) -> dict[str, Any]:
    given: dict[str, Any] = {"info": LOADED, "applied": {}, "probe": {}, "canary": {}}
    return row_of(_judged(host, given, VERIFY))


def test_check_mode_makes_the_result_and_writes_nothing(folder: Path) -> None:
    result = write(folder, "verify", {"a": examined("a", info=LOADED)}, ["a"], check_mode=True)
    assert result["json_path"]
    assert not (folder / "new").exists()


def test_what_could_not_be_kept_is_no_result(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "run").rmdir()
    registered = {"a": examined("a", info=LOADED)}
    assert registered["a"]["kept"] == ""
    with pytest.raises(AnsibleActionFail, match="what was found on a could not be kept in Ansible's temporary folder"):
        write(folder, "verify", registered, ["a"])
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"mode": "rw"}, "octal digits in quotes"),
        ({"path": "/proc/none/result.json"}, "the result cannot be written on the controller .* Choose another path"),
    ],
)
def test_what_cannot_be_written_is_said(folder: Path, more: dict[str, str], said: str) -> None:
    with pytest.raises(AnsibleActionFail, match=said):
        write(folder, "verify", {"a": examined("a", info=LOADED)}, ["a"], **more)


def test_a_link_in_its_place_is_not_followed(folder: Path) -> None:
    victim, shared = folder / "victim", folder / "shared"
    victim.write_text("precious", encoding="utf-8")
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "result.json").symlink_to(victim)
    with pytest.raises(AnsibleActionFail, match="is a symbolic link"):
        write(folder, "verify", {"a": examined("a", info=LOADED)}, ["a"], path=str(shared / "result.json"))
    assert victim.read_text(encoding="utf-8") == "precious"


def test_an_answer_that_is_too_deep_is_kept_as_a_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = k3s_registries_examine.verified_host

    def too_deep(*_arguments: Any) -> Any:
        monkeypatch.setattr(k3s_registries_examine, "verified_host", real)
        raise RecursionError

    monkeypatch.setattr(k3s_registries_examine, "verified_host", too_deep)
    write(folder, "verify", {"a": examined("a", info=LOADED)}, ["a"])
    text = (folder / "new" / "result.json").read_text(encoding="utf-8")
    assert json.loads(text)["hosts"]["a"]["passes"] is False
    assert "nested too deeply" in text


AWAY = {"unreachable": True, "msg": "no route to host"}
JOB = {"awx_job_id": 41}


def handed_on(result: dict[str, Any]) -> dict[str, Any]:
    """What set_stats has, under the one name that it is under."""
    stats = result["ansible_stats"]
    assert (stats["per_host"], stats["aggregate"]) == (False, False)
    (data,) = stats["data"].values()
    return dict(data)


@pytest.mark.parametrize(("path", "job"), [("", {}), ("new/result.json", {}), ("", JOB)])
def test_the_outcome_of_a_verification_is_the_same_however_it_is_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch, path: str, job: dict[str, Any]
) -> None:
    monkeypatch.chdir(folder)
    registered = {"a": examined("a", info=LOADED), "b": examined("b", info=AWAY), "c": {"failed": True, "msg": "dead"}}
    result = write(folder, "verify", registered, ["a", "b", "c", "d"], path=path, job=job)
    assert list(result["ansible_stats"]["data"]) == ["k3s_registries_verify_result"]
    found = handed_on(result)
    assert (found["outcome"], found["hosts"]) == (
        "unreachable", {"unreachable": ["b"], "failed": ["c", "d"], "unchanged": ["a"]},
    )  # fmt: skip
    assert found["nodes"] == {"unreachable": 1, "failed": 2, "unchanged": 1}
    assert (found["headline"], found["lines"]) == (result["headline"], result["lines"])
    assert ("document" in found) == bool(job)


@pytest.mark.parametrize(("path", "job"), [("", {}), ("new/result.json", {}), ("", JOB)])
def test_the_outcome_of_a_diagnosis_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, path: str, job: dict[str, Any]
) -> None:
    monkeypatch.chdir(folder)
    registered = {
        "a": {"info": LOADED, "diagnosis": {"pulls": []}},
        "b": {"info": AWAY, "diagnosis": {}},
        "c": {"info": LOADED, "diagnosis": {"failed": True, "msg": "no log"}},
    }
    found = handed_on(write(folder, "diagnose", registered, ["a", "b", "c"], path=path, job=job))
    assert found["hosts"] == {"unreachable": ["b"], "failed": ["c"], "unchanged": ["a"]}


def test_in_a_job_of_awx_the_document_is_handed_on(folder: Path) -> None:
    found = handed_on(write(folder, "verify", {"a": examined("a", info=LOADED)}, ["a"], path="", job=JOB))
    (folder / "verify.json").write_text(json.dumps(found["document"]), encoding="utf-8")
    assert results.valid(folder / "verify.json")["hosts"]["a"]["passes"]
    assert (found["document"]["outcome"], found["document_left_out"]) == ("unchanged", "")
    assert sorted(path.name for path in folder.iterdir()) == ["run", "verify.json"]


def test_a_document_that_is_too_large_is_left_out_with_a_word(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = handed_on(write(folder, "verify", {"a": examined("a", info=LOADED)}, ["a"], path="", job=JOB))["document"]
    size = len(json.dumps(whole).encode("utf-8"))
    for largest, is_there in ((size, True), (size - 1, False)):
        monkeypatch.setattr(handed_on_module, "LARGEST", largest)
        found = handed_on(write(folder, "verify", {"a": examined("a", info=LOADED)}, ["a"], path="", job=JOB))
        assert bool(found["document"]) is is_there
        said = "Name a file that survives the job in k3s_registries_verify_file"
        assert (said in found["document_left_out"]) is not is_there
        assert found["hosts"] == {"unchanged": ["a"]}


def test_what_could_not_be_kept_is_said_in_place_of_the_document(folder: Path) -> None:
    (folder / "run").rmdir()
    found = handed_on(write(folder, "verify", {"a": examined("a", info=LOADED)}, ["a"], path="", job=JOB))
    assert (found["document"], found["outcome"]) == (None, "unchanged")
    assert "could not be kept" in found["document_left_out"]


def test_a_verification_that_asked_no_node_was_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = write(folder, "verify", {}, ["a", "b"])
    assert handed_on(result)["hosts"] == {"refused": ["a", "b"]}
    assert not (folder / "new").exists()
    assert capsys.readouterr().out == ""
