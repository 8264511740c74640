#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans and copies images into the registry from which nodes will ask for them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_image_mirror
short_description: Copy the images of a K3s fleet into its private registry
version_added: 1.0.0
description:
  - Puts images where the nodes will look for them. The place of each image comes from the nodes' configuration
    (O(config)) by the rules that P(k3sfleet.registries.resolve_image#filter) follows, so the mirror and the rewrites
    cannot disagree.
  - First asks both sides for each image's digest, many at a time, and copies only what is missing. If a run was
    stopped, the next one continues from there. A run with nothing to do sends one HEAD request per image and side.
  - Keeps indexes with all their platforms and digests. With O(platforms), an index gets smaller and its digest changes;
    the task says so.
  - Shows a line for each image while it runs, and the totals at the end.
  - If an image cannot be copied, the others still are. The task fails at the end and gives the reason for each image.
    If a registry refuses everything (wrong credentials, an unknown CA, read-only), it is not asked again.
notes:
  - Runs on the controller (C(delegate_to=localhost)), a bastion, or any host with Python 3.8 or later that can reach
    both sides. O(archives) need skopeo there, and zstd if they end in C(.tar.zst).
  - Credentials are in no file, command line, result or message. They go to the scheme, host and port that you set them
    for, and to the token server that this registry names, never from https to http.
  - Certificates are checked unless C(insecure_skip_verify) is in the entry of that very host. It and a client
    certificate do not apply to a token server on another host or port.
  - If you name an image by digest, its bytes are checked against it, or the copy fails. The same holds for every part
    of an image. Only SHA-256 digests can be verified; others are refused.
  - Manifests are read up to 4 MiB, tokens and headers up to 64 KiB, image lists up to 1 MiB. Tarballs can unpack to
    20 times their size, or 1 GiB. A broken answer fails only the image that it belongs to.
  - Projects of Harbor, Artifactory or GitLab and repositories of ECR must exist already.
  - Proxies come from the environment (C(HTTPS_PROXY), C(NO_PROXY)) of the host, by Go's rules. A proxy that is reached
    over TLS (C(https://)) is refused.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
attributes:
  check_mode:
    details:
      - Returns the plan. Fails if the run would fail.
  diff_mode:
    support: full
    details:
      - Shows the place and the digest of every image that is copied or would be.
options:
  config:
    description:
      - The nodes' registries as M(k3sfleet.registries.k3s_registries) takes them. C(mirrors) says where images go, with
        rewrites. C(configs) says how to reach the target, with C(ca_src), C(cert_src), C(key_src) or C(*_content) for
        certificates on the controller. C(*_file) is a file on the host that copies.
      - The first endpoint of an image's mirror is the target, or the one that O(endpoint) names.
    type: raw
  images:
    description: Images, named as in pods.
    type: list
    elements: str
    default: []
  image_files:
    description:
      - Files on the controller with one image per line, such as C(k3s-images.txt) and C(rke2-images.linux-amd64.txt).
    type: list
    elements: path
    default: []
  releases:
    description:
      - K3s or RKE2 releases, such as V(v1.34.3+k3s1). The host that copies fetches their image lists.
      - Without internet, download the list and use O(image_files).
    type: list
    elements: str
    default: []
  release_url:
    description:
      - The base URL of the releases, with GitHub's paths below it. Set it if your site keeps a copy of the releases.
      - Lists are fetched without credentials. A user name, a password or a query is refused here.
    type: str
    default: https://github.com
  archives:
    description:
      - Tarballs on the host that copies, such as C(k3s-airgap-images-amd64.tar.zst), plain or packed with gzip or zstd.
      - Such a tarball has one platform and no digest of an index. Two images are the same if their configurations are.
    type: list
    elements: path
    default: []
  layouts:
    description:
      - OCI layouts on the host that copies, as folders or tarballs, whose C(index.json) names images in full in the
        annotation C(org.opencontainers.image.ref.name) or C(io.containerd.image.name).
    type: list
    elements: path
    default: []
  import_from:
    description:
      - What O(export_to) has written, on the host that copies. Every file is checked against its digest and the
        manifest of the export before it is copied.
    type: list
    elements: path
    default: []
  export_to:
    description:
      - Write into an OCI layout on the host that copies instead of a registry - a folder, or a tarball if the name ends
        in C(.tar). O(config) is not needed.
      - If there is one already, the export continues it. If it is a link, belongs to another user or is writable by
        everybody, it is refused.
    type: path
  source_registries:
    description:
      - Where to take the images of a registry from instead, as V([http[s]://]host[:port][/prefix]) by registry. V(*)
        means all others.
      - Credentials are refused here. Put them into O(source_configs).
    type: dict
    default: {}
  source_configs:
    description:
      - How to reach source registries, by host, in the form of C(configs) in C(registries.yaml).
      - Credentials of O(config) are never sent to a source.
    type: dict
    default: {}
  mapping:
    description:
      - Special cases, images to V(host[:port]/repository[:tag]), whatever the mirrors say.
      - Credentials are refused here. Put them into C(configs) of O(config).
    type: dict
    default: {}
  endpoint:
    description: The C(host[:port]) of the endpoint to copy to, if mirrors have several.
    type: str
    default: ""
  system_default_registry:
    description: The nodes' C(system-default-registry), if nodes ask for all of these images under that name.
    type: str
    default: ""
  platforms:
    description: Platforms to copy, such as V(linux/amd64) or V(arm64). Empty copies all and keeps the index's digest.
    type: list
    elements: str
    default: []
  overwrite:
    description: If the target has a tag with another digest, replace it. Otherwise such an image fails.
    type: bool
    default: false
  parallel:
    description: How many images to copy at the same time.
    type: int
    default: 4
  retries:
    description:
      - How often to retry an image after a 429, a server error or a broken connection. The wait before each retry is
        what the registry asks for in C(Retry-After).
    type: int
    default: 3
  timeout:
    description:
      - Seconds after which a request to a registry has failed, from connecting to the last byte of the answer. While a
        blob is read, seconds of silence.
    type: int
    default: 30
  copy_timeout:
    description: Seconds after which the copy of one image has failed.
    type: int
    default: 3600
  progress_interval:
    description:
      - Seconds between the lines that show the progress. After that time, no new copy starts until they are shown.
    type: int
    default: 10
  request:
    description: What the controller has made from the other options. Only the action plugin sets it.
    type: str
seealso:
  - plugin: k3sfleet.registries.resolve_image
    plugin_type: filter
  - module: k3sfleet.registries.k3s_registry_probe
"""

EXAMPLES = r"""
- name: Copy a release's images and two others into the registry
  k3sfleet.registries.k3s_image_mirror:
    config: "{{ k3s_registries }}"
    releases: [v1.34.3+k3s1]
    images:
      - docker.io/library/nginx:1.29
      - quay.io/prometheus/node-exporter:v1.10.2
  delegate_to: localhost
  run_once: true

- name: Show what would be copied, from a list that was downloaded
  k3sfleet.registries.k3s_image_mirror:
    config: "{{ k3s_registries }}"
    image_files: [files/k3s-images.txt]
  delegate_to: bastion
  run_once: true
  check_mode: true
  diff: true

- name: Export images for an air gap, on the connected side
  k3sfleet.registries.k3s_image_mirror:
    image_files: [files/k3s-images.txt]
    export_to: /srv/transfer/images.tar
    source_configs:
      docker.io: {auth: {username: team, password: "{{ vault_docker_hub }}"}}
  delegate_to: localhost
  run_once: true

- name: Import them on the other side
  k3sfleet.registries.k3s_image_mirror:
    config: "{{ k3s_registries }}"
    import_from: [/srv/transfer/images.tar]
  delegate_to: bastion
  run_once: true
"""

RETURN = r"""
images:
  description: Every image, in the order of the lists.
  returned: always, unless the task fails before the plan
  type: list
  elements: dict
  contains:
    image:
      description: The image's full name.
      type: str
      sample: docker.io/rancher/mirrored-pause:3.6
    source:
      description: Where the image comes from.
      type: str
    target:
      description: Where the nodes will ask for it.
      type: str
      sample: registry.example.com:5000/mirror/rancher/mirrored-pause:3.6
    state:
      description: What the plan found - V(same), V(missing), V(differs), V(source_missing) or V(failed).
      type: str
    action:
      description: What was done - V(none), V(copied), V(would_copy) in check mode, or V(failed).
      type: str
    digest:
      description: Digest of the index or manifest. For a tarball's image that is not copied yet, of the configuration.
      type: str
      returned: if it is known
    target_digest:
      description: What the target had before.
      type: str
      returned: if it is known
    bytes:
      description: Bytes of everything that belongs to the image, including what was already there.
      type: int
      returned: if it was copied
    seconds:
      description: How long the copy took.
      type: float
      returned: if it was tried
    cause:
      description:
        - Why it failed - one of the causes of M(k3sfleet.registries.k3s_pull_diagnosis), or V(tag_moved),
          V(target_full), V(read_only), V(no_target).
      type: str
      returned: if it failed
    message:
      description: Why it failed and what to do.
      type: str
      returned: if it failed
    note:
      description: What changes the digest of an image.
      type: str
      returned: if something does
totals:
  description: Counts C(images), C(copied), C(would_copy), C(unchanged), C(failed), and C(bytes) and C(seconds).
  returned: always, unless the task fails before the plan
  type: dict
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.k3sfleet.registries.plugins.module_utils._ansiballz import compiled_once

compiled_once.begin()

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.arguments import MIRROR_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.work import MirrorProblem, answer


def main() -> None:
    """Runs the module."""
    module = AnsibleModule(argument_spec=MIRROR_ARGUMENTS, supports_check_mode=True)
    if not module.params["request"]:
        module.fail_json(
            msg="the places of the images were not worked out on the controller: call "
            "k3sfleet.registries.k3s_image_mirror as a task, so that its action plugin works them out"
        )
    request = json.loads(module.params["request"])
    # The whole request is one secret, but the answer must name what is not secret in it (hosts, images).
    try:
        found = answer(request)
    except MirrorProblem as problem:
        module.fail_json(msg=str(problem))
        return
    module.exit_json(changed=request["operation"] in ("copy", "finish"), answer=found)


if __name__ == "__main__":
    main()
