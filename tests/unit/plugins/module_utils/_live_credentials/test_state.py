# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in hosts.toml with and without headers, compared with what K3s will write."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.changes import applied, changes
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.header import without_headers
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.state import as_written, in_force
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction import explained
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import Circumstances
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import (
    Prediction,
    compare,
    predict,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise

K = "registry.example.com"
AROUND = Circumstances("k3s", "/var/lib/rancher/k3s/agent", "v1.34.3+k3s1", True, ("",))


def predicted(password: str, **more: Any) -> Prediction:
    given: dict[str, Any] = {
        "mirrors": {"docker.io": {"endpoint": ["https://" + K]}},
        "configs": {K: {"auth": {"username": "robot", "password": password}}, **more},
    }
    return predict(normalise(given), AROUND)


def live(before: Prediction, after: Prediction) -> Generated:
    """What there is once ``after`` has come into force where K3s had loaded ``before``."""
    needed = changes(after.hosts[0], before.auth, after.auth)
    texts = applied(after.hosts[0], needed.headers)
    return Generated(
        {name: without_headers(text)[0] for name, text in texts.items()}, before.auth, True,
        {name: without_headers(text)[1] for name, text in texts.items()},
    )  # fmt: skip


OLD, NEW = predicted("old-password"), predicted("new-password")


def test_what_is_in_force_is_no_difference_and_named() -> None:
    found = live(OLD, NEW)
    assert compare(found, NEW) == []
    assert in_force(found, NEW.hosts, NEW.auth)[1:] == ((K,), (K,))


def test_once_k3s_has_started_nothing_is_in_force_by_headers() -> None:
    found = Generated(NEW.hosts[0], NEW.auth, True)
    assert (compare(found, NEW), in_force(found, NEW.hosts, NEW.auth).keys) == ([], ())


def test_credentials_of_others_are_a_difference_and_are_not_shown() -> None:
    found = live(OLD, NEW)
    for wanted in (OLD, predicted("third-password"), predicted("new-password", other={"auth": {"username": "u"}})):
        differences = compare(found, wanted)
        assert {item.file for item in differences} >= {"certs.d/docker.io/hosts.toml", "certs.d/%s/hosts.toml" % K}
        shown = "\n".join([*explained.sentences(differences), *explained.diff_lines(differences)])
        assert "Authorization" in shown
        assert "cm9ib3Q6" not in shown
    assert "config.toml" in {item.file for item in compare(found, predicted("third-password"))}


def test_a_header_that_is_missing_in_one_file_is_a_difference() -> None:
    found = live(OLD, NEW)
    less = found._replace(headers={K: found.headers[K]})
    assert [item.file for item in compare(less, NEW)] == ["certs.d/%s/hosts.toml" % K, "config.toml"]


def test_where_a_template_writes_the_credentials_headers_are_a_difference() -> None:
    found = live(OLD, NEW)._replace(auth=None)
    assert len(compare(found, NEW)) == 2


def test_as_written_has_the_headers() -> None:
    found = live(OLD, NEW)
    assert all("Authorization" in text for text in as_written(found).values())
