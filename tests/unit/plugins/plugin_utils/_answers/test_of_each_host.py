# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.of_each_host import of_each_host


class HostVars(dict[str, Any]):
    """As Ansible's: what is in it is a template until it has been worked out."""

    def __getitem__(self, host: str) -> Any:
        raise AssertionError("the variables of %s were worked out" % host)

    def raw_get(self, host: str) -> Any:
        return dict.__getitem__(self, host)


def test_hosts_that_have_registered_it_in_the_order_of_the_play() -> None:
    hostvars = HostVars(
        {
            "b": {"examined": {"info": {"state": "loaded"}}},
            "a": {"examined": {"failed": True}},
            "later": {"inventory_hostname": "later"},
            "odd": {"examined": "text"},
            "another play's": {"examined": {"info": {}}},
        }
    )
    task_vars = {"ansible_play_hosts_all": ["b", "later", "a", "odd"], "hostvars": hostvars}
    found = of_each_host(task_vars, "examined")
    assert list(found.items()) == [("b", {"info": {"state": "loaded"}}), ("a", {"failed": True})]
