# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nodes tell that their registries.yaml does not, and that decides what it means."""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence


class NodeFacts(NamedTuple):
    """What is known of the nodes that get a configuration; the defaults say that nothing is.

    k3s_version: their release (`v1.34.3+k3s1`), for the rules about releases; empty if it is not known.
    default_endpoint: false if they run with `disable-default-registry-endpoint`.
    embedded_mirror: address of the embedded registry mirror (`127.0.0.1:6443`), empty if it is off.
    images: names of images that they will pull.
    environment: environment of their K3s service, for the rule about proxies.
    config_template: path of a custom template of containerd's configuration, empty if there is none.
    embedded_unknown: the embedded registry mirror may be on although no address is given: nobody has said.
    """

    k3s_version: str = ""
    default_endpoint: bool = True
    embedded_mirror: str = ""
    images: Sequence[str] = ()
    environment: Mapping[str, str] = {}
    config_template: str = ""
    embedded_unknown: bool = False


#: The address of the embedded registry mirror, if nothing else is known than that it is on.
EMBEDDED_MIRROR = "127.0.0.1:6443"

#: Nothing is known of the nodes.
UNKNOWN = NodeFacts()
