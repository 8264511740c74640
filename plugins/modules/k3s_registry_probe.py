#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports what each registry endpoint answers to a node, with that node's certificates and credentials."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_registry_probe
short_description: Report what each registry endpoint answers to a node
version_added: 1.0.0
description:
  - Asks every endpoint that a K3s or RKE2 node's containerd is configured with, from that node, with its CAs, client
    certificates, credentials and proxies. Returns for each one whether it works and, if it does not, the cause and a
    fix in one sentence that names the place in C(registries.yaml).
  - For the images in O(images), it makes the requests that containerd would make, in order and with mirrors, rewrites,
    the C(ns) parameter and tokens, down to the manifest for the node's architecture and the blobs that it names.
  - It reads what to ask from the files that K3s generated (C(certs.d/*/hosts.toml) and the credentials in
    C(config.toml)). So it works on nodes that this collection has never touched, and finds a C(hosts.toml) that was
    edited by hand. With O(config) you can try a configuration that the node does not have yet.
  - Asks all endpoints at the same time, each with a separate deadline. It changes nothing on the node and pulls no
    image. The result repeats nothing of what a server says, except for the names in its certificate and where it
    redirects to, with control characters as escapes.
  - Sends a credential to the scheme, host and port that it belongs to, and nowhere else. If containerd would send it to
    others (to a token server without TLS, along with a redirect to another port of the same name, in a form that a 307
    or 308 repeats elsewhere), the probe does not, and RV(endpoints[].findings) says so. C(insecure_skip_verify) and a
    client certificate apply to the endpoint itself, not to a token server, a proxy or a place to which it redirects.
  - Reads at most 64 KiB of an answer's headers, 64 KiB of a token server's answer and 4 MiB of a manifest. An image
    configuration larger than 256 KiB is treated like a layer.
notes:
  - This module only looks. It believes O(distribution), O(service) and O(data_dir) if you set them; it accepts the
    other options that say what the node is, and does not use them.
  - Reading the credentials needs C(become=true). The node needs nothing but Python 3.8 or later.
  - The causes are those of M(k3sfleet.registries.k3s_pull_diagnosis), and V(ok). V(unauthorized) together with
    RV(endpoints[].findings) means that containerd can only continue by sending credentials where they do not belong.
  - If the nodes are not meant to reach an endpoint of the kind V(default), it is not a fault if it does not answer.
  - Layers are not downloaded. The probe only asks whether they are there and how long they are. So only a pull finds a
    layer that is damaged but has the right length.
  - Extra headers (C(header) in a C(hosts.toml) that was written by hand) are not sent.
author:
  - the k3sfleet.registries authors (@k3sfleet)
extends_documentation_fragment:
  - k3sfleet.registries.attributes
  - k3sfleet.registries.node
options:
  images:
    description: Images to look for, with or without registry and tag, as for C(crictl pull).
    type: list
    elements: str
    default: []
  all_endpoints:
    description: Ask every configured endpoint whether it works at all. V(false) asks only for O(images).
    type: bool
    default: true
  content:
    description:
      - Also check what an image's manifest says - the platforms of an index, digests, whether the blobs are there.
      - V(false) only asks whether the manifest is there.
    type: bool
    default: true
  timeout:
    description: The deadline of each endpoint in seconds, from the name lookup to the last answer.
    type: float
    default: 10.0
  config:
    description:
      - A registries configuration with the keys C(mirrors) and C(configs), as
        P(k3sfleet.registries.from_registries_yaml#filter) returns it, to try instead of what the node has.
      - Its C(ca_file), C(cert_file) and C(key_file) are files on the node. What would be shipped from the
        controller (C(ca_src), C(ca_content) and so on) is left out, with a warning.
    type: dict
  default_endpoint:
    description: Only with O(config). V(false) if the node sets C(disable-default-registry-endpoint).
    type: bool
    default: true
  embedded_mirror:
    description: Only with O(config). The C(host:port) of the embedded registry mirror, empty if it is off.
    type: str
    default: ""
  credential_providers:
    description:
      - Also start each of the kubelet's credential providers once, as the kubelet does for a pod - with its
        environment, its arguments and a minute to answer - and ask the registry with what it answers.
      - It is asked for the first of O(images) that it is for, otherwise for an image of a registry that its
        C(match_images) name without a wildcard.
      - What it answers is neither shown nor kept. It is sent to the image's registry only, for RV(endpoints) too if the
        node has no credentials for that registry.
    type: bool
    default: false
seealso:
  - module: k3sfleet.registries.k3s_pull_diagnosis
  - plugin: k3sfleet.registries.resolve_image
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Ask every endpoint of every node, and for the image that every pod needs
  k3sfleet.registries.k3s_registry_probe:
    images:
      - docker.io/rancher/mirrored-pause:3.6
  become: true
  register: probe

- name: Show what does not work
  ansible.builtin.debug:
    msg: "{{ item.message }} {{ item.fix }}"
  loop: "{{ probe.endpoints | rejectattr('cause', 'eq', 'ok') }}"
  loop_control:
    label: "{{ item.registry }} {{ item.endpoint }}"

- name: Try a configuration before you roll it out, and stop if a mirror would not work
  k3sfleet.registries.k3s_registry_probe:
    config: "{{ lookup('ansible.builtin.file', 'registries.yaml') | k3sfleet.registries.from_registries_yaml }}"
    timeout: 5
  become: true
  register: probe
  failed_when: probe is failed or
    probe.endpoints | selectattr('kind', 'eq', 'mirror') | rejectattr('cause', 'eq', 'ok') | length > 0
"""

RETURN = r"""
endpoints:
  description:
    - One entry for each endpoint, then one for each attempt for each image, in the order in which containerd asks.
    - A C(hosts.toml) that containerd cannot read has a separate entry, with an empty RV(endpoints[].endpoint).
  returned: success
  type: list
  elements: dict
  contains:
    image:
      description: The image, normalised as containerd does. Empty if the endpoint itself was asked.
      type: str
      sample: docker.io/rancher/mirrored-pause:3.6
    registry:
      description: The registry whose images the endpoint serves, V(*) for all registries without an entry.
      type: str
      sample: docker.io
    kind:
      description: V(embedded), V(mirror) or V(default).
      type: str
    endpoint:
      description: The endpoint, as written in hosts.toml.
      type: str
      sample: https://registry.example.com:5000/v2
    url:
      description: What was asked first, without credentials.
      type: str
      sample: https://registry.example.com:5000/v2/rancher/mirrored-pause/manifests/3.6?ns=docker.io
    cause:
      description: V(ok), or one word for why it does not work.
      type: str
      sample: tls_unknown_authority
    message:
      description: What happened.
      type: str
    fix:
      description: What to do, in one sentence that names the path in the configuration. Empty with V(ok), unless there
        are RV(endpoints[].findings).
      type: str
    findings:
      description:
        - To whom containerd will send credentials that do not belong there, one sentence each. RV(endpoints[].message)
          has them too. The probe has not sent the credentials.
      type: list
      elements: str
      sample:
        - containerd will send the password of registry.example.com:5000 to http://registry.example.com in clear text,
          to which a redirect leads.
    status:
      description: The HTTP status, V(null) if there was none.
      type: int
      sample: 200
    times:
      description: Milliseconds of each phase, V(null) if it was not reached.
      type: dict
      contains:
        dns:
          description: Looking up the name (of the proxy, if there is one).
          type: float
        tcp:
          description: Connecting.
          type: float
        tls:
          description: The TLS handshake.
          type: float
        http:
          description: All requests together, including those to a token server.
          type: float
        total:
          description: Everything.
          type: float
    auth:
      description: What the endpoint asked for - V(none), V(basic) or V(bearer).
      type: str
    certificate:
      description: The server's certificate, V(null) if it showed none.
      type: dict
      contains:
        subject:
          description: The subject.
          type: str
          sample: CN=registry.example.com
        issuer:
          description: Who signed it.
          type: str
        not_after:
          description: When it expires, in UTC.
          type: str
          sample: "2027-01-31T00:00:00Z"
        days_left:
          description: Whole days until then, negative afterwards.
          type: int
        protocol:
          description: The version of TLS.
          type: str
          sample: TLSv1.3
providers:
  description: The kubelet's credential providers, with O(credential_providers).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The provider's name, V("") if the node's providers cannot be told.
      type: str
    image:
      description: The image that it was asked for.
      type: str
    cause:
      description:
        - V(ok) if it has answered and the registry has taken its answer.
        - Otherwise V(not_asked), V(provider_unknown), V(provider_not_started), V(provider_timeout), V(provider_failed),
          V(provider_answer), V(provider_empty), or what the registry said, as in RV(endpoints).
      type: str
    message:
      description: The same in words, without secrets.
      type: str
    fix:
      description: What to do about it.
      type: str
    seconds:
      description: How long it took to answer.
      type: float
    cached_for:
      description: For how many seconds the kubelet keeps its answer.
      type: float
    findings:
      description: To whom containerd gives its answer beside the registry, as sentences.
      type: list
      elements: str
proxy_source:
  description:
    - Where the proxies come from - V(process) is the running containerd, otherwise a file. Empty if no proxy is set.
  returned: success
  type: str
"""

import os
from typing import TYPE_CHECKING

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.k3sfleet.registries.plugins.module_utils._ansiballz import compiled_once

compiled_once.begin()

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.from_parameters import places
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import NODE_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceProblem, service_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.environment import service_environment
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import (
    NodeHosts,
    PlannedHosts,
    read_node,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.run import Prober
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import endpoint_targets, image_targets
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.config_option import take_config
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import ConfigError, normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import HostsTomlError
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

    from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import answer
    from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
    from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import Target
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import Image

    Probe = Callable[[Sequence[Target]], list[dict[str, Any]]]

ARGUMENTS: dict[str, dict[str, Any]] = dict(
    NODE_ARGUMENTS,
    images={"type": "list", "elements": "str", "default": []},
    all_endpoints={"type": "bool", "default": True},
    content={"type": "bool", "default": True},
    timeout={"type": "float", "default": 10.0},
    config={"type": "dict", "no_log": True},
    default_endpoint={"type": "bool", "default": True},
    embedded_mirror={"type": "str", "default": ""},
    credential_providers={"type": "bool", "default": False},
)


def run(module: AnsibleModule) -> dict[str, Any]:
    """The module's result; fails through `module` where an option cannot be understood or a file cannot be read."""
    parameters = module.params
    planned = take_config(module)
    paths = places(parameters)
    if not parameters["timeout"] > 0:
        module.fail_json(msg="timeout must be more than 0 seconds")
    try:
        images = [parse_image(name) for name in parameters["images"]]
    except ImageError as error:
        module.fail_json(msg=f"images: {error}")
    node = _node(module, planned, paths)
    environment = service_environment(paths.data_dir, (paths.service,))
    providers: list[dict[str, Any]] = []
    options = node, environment.variables, parameters["timeout"], parameters["content"]
    probe: Probe = Prober(*options).results
    if _asks_providers(parameters):
        providers, probe = _providers(paths, options, images)
    targets = endpoint_targets(node) if parameters["all_endpoints"] else []
    targets += image_targets(node, images)
    proxied = any(name.lower().endswith("s_proxy") or name.lower() == "http_proxy" for name in environment.variables)
    return {
        "changed": False,
        "endpoints": probe(targets),
        "proxy_source": environment.source if proxied else "",
        "providers": providers,
    }


def _asks_providers(parameters: dict[str, Any]) -> bool:
    """Whether the kubelet's credential providers are started: not for a configuration that the node may not have."""
    return parameters["credential_providers"] and parameters["config"] is None


def _providers(
    paths: NodePaths, options: tuple[NodeHosts, dict[str, str], float, bool], images: list[Image]
) -> tuple[list[dict[str, Any]], Probe]:
    """What each provider answers, and how to probe with these answers."""
    # Imported here: most nodes have none.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import (
        check,
        configured,
        kubelet_process,
    )
    from ansible_collections.k3sfleet.registries.plugins.module_utils._probe import handed

    node, variables, timeout, _content = options
    known = configured.known(paths)
    if known.problem or not known.providers:
        return [check.not_known(known.problem)] if known.problem else [], Prober(*options).results
    try:
        pid = service_of(paths.service).state().main_pid
    except ServiceProblem:
        pid = 0
    names = [f"{image.registry}/{image.repository}" for image in images]
    answers: dict[str, answer.Credential] = {}

    def ask(image: str, credential: answer.Credential) -> dict[str, Any]:
        answers[image] = credential
        return handed.ask_registry(node, variables, timeout, image, credential.username, credential.password)

    found = check.check(paths, known.providers, names, kubelet_process.environment(pid, paths.data_dir), ask)
    given = check.given(known.providers, names, answers)
    return found, lambda targets: handed.results(*options, targets, given)


def _node(module: AnsibleModule, planned: dict[str, Any] | None, paths: NodePaths) -> NodeHosts:
    parameters, certs_d, config_toml = module.params, paths.certs_d, paths.containerd_config
    if planned is not None:
        try:
            config = normalise(planned)
            _warn_of_files_elsewhere(module, planned)
            return PlannedHosts(config, parameters["default_endpoint"], parameters["embedded_mirror"], certs_d)
        except (ConfigError, HostsTomlError) as error:
            module.fail_json(msg=f"config: {error}")
    if not os.path.isdir(os.path.dirname(config_toml)):
        module.fail_json(
            msg=f"There is no {os.path.dirname(config_toml)}: is {parameters['distribution']} installed, has it run,"
            " and may this user look there (become: true)? If its data is elsewhere, set data_dir; to try a"
            " configuration without it, set config."
        )
    try:
        return _with_the_store(read_node(certs_d, config_toml), paths)
    except OSError as error:
        module.fail_json(msg=f"Cannot read {config_toml}: {error.strerror}. Reading it needs become: true.")
    raise AssertionError


def _with_the_store(node: NodeHosts, paths: NodePaths) -> NodeHosts:
    """With the credentials that the kubelet hands out, as what containerd has read may be refused by now."""
    if os.path.exists(paths.credential_store):
        # Imported here: hardly any node has a store.
        from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store import in_the_probe

        node.auth = in_the_probe.auth(node, paths)
    return node


def _warn_of_files_elsewhere(module: AnsibleModule, planned: dict[str, Any]) -> None:
    """Certificates that the collection would ship first are not on the node: what they secure cannot work yet."""
    for host, settings in (planned.get("configs") or {}).items():
        for key in sorted((settings or {}).get("tls") or {}):
            if key.endswith(("_src", "_content")):
                module.warn(
                    f'config: configs."{host}".tls.{key} was left out: only files that are on the node are used here'
                    " (ca_file, cert_file, key_file)."
                )


def main() -> None:
    """Runs the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    module.exit_json(**run(module))


if __name__ == "__main__":
    main()
