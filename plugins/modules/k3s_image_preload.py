#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings images to a node before it can pull them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_image_preload
short_description: Bring images to K3s nodes before there is a registry
version_added: 1.0.0
description:
  - Brings archives of images to the folder from which K3s and RKE2 import them (C(agent/images) in the data directory),
    sees to their import if K3s runs, and waits until every image is in containerd and pinned. If K3s does not run or is
    not installed yet, it imports them at its next start.
  - Archives are made once on the controller, one for each image of an export of
    M(k3sfleet.registries.k3s_image_mirror), or taken as they are, such as C(k3s-airgap-images-amd64.tar.zst).
  - Sends only what a node lacks. A transfer that was cut off continues where it stopped, also in a later run. Each
    block of 4 MiB and each archive is compared with its SHA-256 digest on the node.
  - Archives arrive outside the folder that K3s watches and are renamed into it, so that K3s never sees a part of one.
  - A second run with nothing to do takes one call per node and sends nothing.
  - With O(state=absent), removes what it has brought and no container uses. Files of yours in that folder are used if
    they have the wanted content, and never changed.
notes:
  - K3s imports archives while it runs since v1.29.13, v1.30.9, v1.31.5 and v1.32.0 (January 2025). On older releases,
    the module imports and pins the images with C(ctr).
  - Needs nothing on the node but Python 3.8, and no registry. O(compression=zstd), and archives that end in
    C(.tar.zst), need zstd on the controller.
  - Needs free space for the archives twice (the file, and the images in containerd), plus 256 MiB. It is checked before
    anything is written.
  - K3s gives an image up for garbage collection at its next start if its archive is gone.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
  - k3sfleet.registries.node
attributes:
  check_mode:
    details:
      - Says what would be sent, imported and removed. Archives that are not made yet are not made.
  diff_mode:
    support: full
    details:
      - Shows the archives that are brought or removed.
options:
  state:
    description:
      - V(present) brings the archives, V(absent) removes them, and V(archived) only makes them on the controller,
        without a node.
      - With V(absent) and neither O(layouts) nor O(archives), everything that was ever brought to the node is removed.
    type: str
    choices: [present, absent, archived]
    default: present
  archive_dir:
    description:
      - A folder on the controller for the archives that are made, and a catalogue of digests. It is created with mode
        0700, and kept for later runs.
    type: path
    default: ~/.cache/k3s_image_preload
  layouts:
    description:
      - Exports on the controller, of which an archive is made for each image. What
        O(k3sfleet.registries.k3s_image_mirror#module:export_to) has written, or another OCI layout whose C(index.json)
        names images in full - a folder, or a tarball (C(.tar)).
      - Each is a path, or a mapping of C(path) and C(images), a list of those of its images that are wanted. An image
        that is not in it is an error.
    type: list
    elements: raw
    default: []
  archives:
    description:
      - Tarballs on the controller that are brought as they are - of C(docker save), or of an OCI layout. K3s reads
        C(.tar), C(.tar.gz), C(.tgz), C(.tar.zst) and C(.tzst) of what the controller can look into.
    type: list
    elements: path
    default: []
  compression:
    description:
      - How archives that are made are compressed. Layers of images are compressed already, so this saves much only if
        they are not, as in exports of C(docker save) tarballs.
    type: str
    choices: [gzip, zstd, none]
    default: gzip
  purge:
    description: Also remove what earlier runs have brought, is not wanted now, and no container uses.
    type: bool
    default: false
  chunk_size:
    description: MiB to send at a time. If a connection breaks, at most this much is sent again.
    type: int
    default: 16
  bandwidth_limit:
    description: kB (1000 bytes) per second to send to this node, on average. V(0) is no limit.
    type: int
    default: 0
  import_timeout:
    description: Seconds after which an import has failed.
    type: int
    default: 600
  progress_interval:
    description: Seconds between the lines that show the progress.
    type: int
    default: 10
  step:
    description:
      - Only the role C(k3s_image_preload) sets it, for the nodes of a site with a relay. V(look) sends nothing and
        returns RV(lacking), V(relay) makes this node serve the archives that it has, V(fetch) takes them from there,
        and V(end_relay) ends it.
    type: str
    choices: [all, look, relay, fetch, end_relay]
    default: all
  site:
    description: The site of this node, by which its relay is found. Used with O(step).
    type: str
    default: ""
  site_hosts:
    description: The inventory hosts that the relay serves. Used with O(step=relay).
    type: list
    elements: str
    default: []
  relay_address:
    description: Where the other nodes of the site reach the relay. Used with O(step=relay).
    type: str
    default: ""
  relay_port:
    description: The TCP port of the relay. V(0) takes any that is free. Used with O(step=relay).
    type: int
    default: 0
  relay_timeout:
    description: Seconds after which the relay ends by itself. Used with O(step=relay).
    type: int
    default: 7200
  request:
    description: What the controller asks of the node. Only the action plugin sets it.
    type: str
  secret:
    description: The relay's key, or this node's token for it. Only the action plugin sets it.
    type: str
  key:
    description: Seals configuration files that only the controller can read. Only the action plugin sets it.
    type: str
seealso:
  - module: k3sfleet.registries.k3s_image_mirror
  - name: Import images
    description: K3s' own documentation of the folder.
    link: https://docs.k3s.io/import-images
"""

EXAMPLES = r"""
- name: Export the images of a release, on the controller
  k3sfleet.registries.k3s_image_mirror:
    releases: [v1.34.3+k3s1]
    platforms: [linux/amd64]
    export_to: /srv/preload/layout
  delegate_to: localhost
  run_once: true

- name: Bring them to every node, at most 1 MB/s each
  k3sfleet.registries.k3s_image_preload:
    layouts: [/srv/preload/layout]
    bandwidth_limit: 1000
  become: true

- name: Bring the tarball of a release before K3s is installed
  k3sfleet.registries.k3s_image_preload:
    archives: [files/k3s-airgap-images-amd64.tar.zst]
  become: true

- name: Remove all that was brought and no container uses
  k3sfleet.registries.k3s_image_preload:
    state: absent
  become: true
"""

RETURN = r"""
archives:
  description: Every archive that is wanted, or that is removed.
  returned: success
  type: list
  elements: dict
  contains:
    file:
      description: Its name in K3s' folder, with a part of its digest.
      type: str
      sample: k3sfleet-docker.io-library-nginx-1.29.0123456789ab.tar.gz
    images:
      description: The full names of its images. Empty for one that is removed.
      type: list
      elements: str
    bytes:
      description: Its size. V(0) for one that is removed.
      type: int
    action:
      description:
        - V(none), V(sent), V(imported) if it was there and its images were not, V(theirs) if a file of yours has the
          content, V(made) or V(removed).
        - In check mode V(would_send), V(would_import), V(would_make) or V(would_remove).
      type: str
relayed:
  description: Bytes that the node took from the relay of its site.
  returned: success
  type: int
sent:
  description: Bytes that were sent to the node from the controller.
  returned: success
  type: int
images_removed:
  description: Names of images that were removed from containerd, or would be.
  returned: success
  type: list
  elements: str
kept:
  description: What was not removed, and why.
  returned: success
  type: list
  elements: str
lacking:
  description: How many archives have to be sent to the node.
  returned: with O(step=look)
  type: int
k3s:
  description: V(running), V(stopped), V(not_set_up) or V(not_installed); empty with O(state=archived).
  returned: success
  type: str
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.k3sfleet.registries.plugins.module_utils._ansiballz import compiled_once

compiled_once.begin()

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.from_parameters import (
    Contradicted,
    confirmed,
    identify,
    unsure_answer,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import Unsafe
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.arguments import PRELOAD_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.work import OPERATIONS, PROBLEMS


def main() -> None:
    """Runs the module."""
    module = AnsibleModule(argument_spec=PRELOAD_ARGUMENTS, supports_check_mode=True)
    if not module.params["request"]:
        module.fail_json(
            msg="the controller has not said what to do: call k3sfleet.registries.k3s_image_preload as a task, so that "
            "its action plugin does"
        )
    request = {**json.loads(module.params["request"]), "secret": module.params["secret"]}
    try:
        node = identify(module.params)
        if node.unsure and module.params["key"]:
            module.exit_json(changed=False, **unsure_answer(node, module.params["key"]))
        said = OPERATIONS[request["operation"]](confirmed(node), request)
    except (Contradicted, ServiceProblem, Unsafe, *PROBLEMS) as problem:
        module.fail_json(msg=str(problem))
        return
    module.exit_json(changed=request["operation"] in ("receive", "finish"), said=said)


if __name__ == "__main__":
    main()
