# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nodes of a fleet have found about an upgrade, merged."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._upgrade import words

LACKING = {
    "image": "docker.io/rancher/coredns:2", "users": ["release v1.35.2+k3s1"], "state": "missing", "allowed": False,
    "endpoint": "https://r.test/v2", "cause": "not_found", "message": "It is not there.", "fix": "Copy it.",
}  # fmt: skip
FINE = dict(LACKING, image="docker.io/rancher/pause:3", state="can_be_pulled", cause="", message="", fix="")
UPGRADE = dict(LACKING, image="docker.io/rancher/k3s-upgrade:v1.35.2-k3s1", users=["system-upgrade-controller"])
RULE = {
    "code": "K3R403", "level": "error", "path": 'mirrors."*"', "message": "the wildcard needs more",
    "fix": "Upgrade it.",
}  # fmt: skip


def said(*images: Any, **more: Any) -> dict[str, Any]:
    given = {"target": "v1.35.2+k3s1", "installed": "v1.34.3+k3s1", "images": images or [FINE], **more}
    return words.completed(given)


def test_nothing_speaks_against_it() -> None:
    found = words.conclusion(["a", "b"], {"a": said(), "b": said()})
    assert (found.lines, found.stops) == ([], False)
    assert found.headline == "v1.35.2+k3s1: nothing speaks against it on 2 nodes with 1 image"
    line = words.node_line("a", said(FINE, LACKING, UPGRADE))
    assert line == "a: v1.34.3+k3s1 to v1.35.2+k3s1: 2 images: 1 can be pulled, 1 cannot be pulled"


def test_an_image_that_is_missing_is_named_once_for_all_nodes() -> None:
    found = words.conclusion(["a", "b"], {"a": said(FINE, LACKING), "b": said(LACKING)})
    assert found.lines == [
        "  a, b: cannot be pulled: docker.io/rancher/coredns:2: https://r.test/v2, not_found: It is not there. Copy it."
    ]
    assert found.stops
    assert found.headline == (
        "v1.35.2+k3s1: 1 image that cannot be pulled. To go on without an image, list it in "
        "k3s_registries_rehearse_allow"
    )


def test_an_image_that_was_let_go_does_not_stop() -> None:
    found = words.conclusion(["a"], {"a": said(dict(LACKING, allowed=True))})
    assert found.lines == ["  a: cannot be pulled, as allowed: docker.io/rancher/coredns:2"]
    assert not found.stops


def test_an_image_that_runs_and_is_lost_stops_but_one_that_is_broken_today_does_not() -> None:
    assert words.conclusion(["a"], {"a": said(dict(LACKING, state="lost"))}).stops
    found = words.conclusion(["a"], {"a": said(dict(LACKING, state="already_broken"))})
    assert (len(found.lines), found.stops) == (1, False)


def test_the_upgrade_image_counts_on_all_nodes_if_any_of_them_sees_the_controller() -> None:
    nodes = {"a": said(UPGRADE), "b": said(UPGRADE)}
    assert not words.conclusion(["a", "b"], nodes).stops
    found = words.conclusion(["a", "b"], {**nodes, "a": said(UPGRADE, sees_controller=True)})
    assert found.stops
    assert found.lines[0].startswith("  a, b: cannot be pulled: docker.io/rancher/k3s-upgrade:v1.35.2-k3s1")


def test_rules() -> None:
    found = words.conclusion(["a"], {"a": said(findings=[RULE])})
    assert found.lines == ['  a: error K3R403 mirrors."*" the wildcard needs more. Upgrade it.']
    assert (found.headline, found.stops) == ("v1.35.2+k3s1: 1 broken rule", True)
    assert not words.conclusion(["a"], {"a": said(findings=[dict(RULE, level="warning")])}).stops


def test_a_release_newer_than_the_rules_is_not_fine_and_does_not_stop() -> None:
    found = words.conclusion(["a"], {"a": said(target="v1.36.0+k3s1", known_up_to="v1.35.2+k3s1")})
    assert found.lines == ["  rules known up to v1.35.2+k3s1: what v1.36.0+k3s1 does differently is not known"]
    assert found.headline.endswith("but not known: its own rules, which are known up to v1.35.2+k3s1")
    assert not found.stops


def test_what_is_not_known_is_in_the_last_line() -> None:
    given = {"a": said(dict(LACKING, state="not_known"), not_known="it is somebody else's")}
    found = words.conclusion(["a"], given)
    assert "not known: whether 1 image can be pulled; what it makes of the configuration of 1 node" in found.headline
    assert not found.stops


def test_a_node_that_was_not_checked_stops() -> None:
    found = words.conclusion(["a", "b", "c"], {"a": said(), "b": words.completed({"problem": "k3s does not run"})})
    assert found.lines == ["  b: not checked: k3s does not run", "  c: not checked: it could not be asked"]
    assert (found.headline, found.stops) == ("v1.35.2+k3s1: 2 nodes that could not be checked", True)
    assert words.conclusion(["a"], {"a": words.completed({})}).stops, "an empty answer has checked nothing"


def test_hosts_toml_that_the_release_writes_otherwise() -> None:
    changed = [{"file": "/certs.d/docker.io/hosts.toml", "kind": "differs", "diff": "--- now\n+[host]\n"}]
    found = words.conclusion(["a", "b"], {"a": said(hosts=changed), "b": said(hosts=changed)})
    assert found.lines == [
        "  a, b: /certs.d/docker.io/hosts.toml is written otherwise:", "    --- now", "    +[host]"
    ]  # fmt: skip


def test_agents_that_were_asked_for_other_names_than_the_servers_use() -> None:
    found = words.conclusion(["s", "a"], {"s": said(default_registry="r.test:5000"), "a": said()})
    (line,) = found.lines
    assert line.startswith("  a: asked for the release's images without the system-default-registry that a server has")


def test_a_nodes_words_are_made_visible() -> None:
    found = words.conclusion(["a"], {"a": said(dict(LACKING, message="\x1b[2Jgone"))})
    assert "\x1b" not in found.lines[0]
