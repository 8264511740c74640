# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a node can say about its registries without being changed, for the controller to make sense of.

Nothing here judges: the configuration is YAML and secret, and both are the controller's business.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import staging
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files, installed_release
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.generated import read_generated
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.generations import (
    GenerationDamaged,
    Generations,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.placing import is_ours
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.templates import read_templates

from . import certificate_files, waiting


def observe(
    node: Identity,
    certificates: Sequence[str] = (),
    pairs: Sequence[Sequence[str]] = (),
) -> dict[str, Any]:
    """What there is on this node. Holds secrets: for :func:`sealed.seal` only.

    :param certificates: certificate files to read beside those that can be seen here to be named.
    :param pairs: the same for pairs of certificate and key.
    """
    paths, unit = node.paths, node.unit
    registries = _registries(paths)
    generated = read_generated(paths)
    named, named_pairs = certificate_files.named_files(registries["text"], generated.hosts.values())
    wanted_pairs = dict.fromkeys([*named_pairs, *((str(cert), str(key)) for cert, key in pairs)])
    return {
        "distribution": paths.distribution,
        "role": paths.node_role,
        "node_state": node.state,
        "contradictions": [item._asdict() for item in node.contradictions],
        "rancher": node.rancher._asdict() if node.rancher else {},
        "release": installed_release.installed(paths, keep=False) if os.path.exists(paths.binary) else "",
        "unit": unit.name if unit else "",
        "unit_state": (unit.active or node.service.state) if unit else node.service.state,
        "service_state": node.service.state,
        "started": node.service.started,
        "command": list(unit.command) if unit else [],
        "environment": [[source, dict(variables)] for source, variables in (unit.environment if unit else ())],
        "config_files": [[item.path, item.text, item.changed_at] for item in node.config_files],
        "agent_dir": paths.agent_dir,
        "data_dir": paths.data_dir,
        "registries": registries,
        "ours": _ours(paths),
        "providers": _providers(paths),
        "generated": {
            "certs_d": paths.certs_d,
            "config_toml": paths.containerd_config,
            "hosts": dict(generated.hosts),
            "headers": {name: dict(headers) for name, headers in generated.headers.items()},
            "auth": generated.auth,
            "complete": generated.complete,
        },
        "stored": _stored(paths),
        "waiting": waiting.observed(paths, generated) if generated.headers else {},
        "templates": [item._asdict() for item in read_templates(paths)],
        "certificates": {
            path: certificate_files.read_certificates(path) for path in dict.fromkeys([*named, *certificates])
        },
        "pairs": [[cert, key, certificate_files.key_matches(cert, key)] for cert, key in wanted_pairs],
    }


def _changed_at(path: str) -> float:
    """When a file was last written, seconds since 1970; 0.0 if there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _registries(paths: NodePaths) -> dict[str, Any]:
    found: dict[str, Any] = {
        "path": paths.registries_yaml, "exists": False, "managed": False, "mode": "", "changed_at": 0.0,
        "sha256": "", "text": "", "error": "",
    }  # fmt: skip
    try:
        state = files.read(paths.registries_yaml)
    except files.FileProblem as problem:
        found.update(exists=os.path.lexists(paths.registries_yaml), error=str(problem))
        return found
    if state.content is None:
        return found
    found.update(
        exists=True,
        managed=is_ours(state.content),
        mode="%04o" % state.mode,
        changed_at=_changed_at(paths.registries_yaml),
        sha256=hashlib.sha256(state.content).hexdigest(),
        text=state.content.decode("utf-8", "surrogateescape"),
    )
    return found


def _providers(paths: NodePaths) -> dict[str, Any]:
    """Whether the kubelet has credential providers, and whose they are."""
    content = staging.content(paths)
    ours = staging.is_ours(content)
    return {
        "path": paths.provider_config,
        "exists": content is not None,
        "managed": ours,
        "changed_at": _changed_at(paths.provider_config) if content is not None else 0.0,
        "names": sorted(Memory(paths).record()["programs"]) if ours else [],
    }


def _stored(paths: NodePaths) -> dict[str, Any]:
    """What the kubelet is given by the credential store, {} if there is none."""
    if not os.path.exists(paths.credential_store):
        return {}
    # Imported here: hardly any node has one.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store import observed

    return observed.observed(paths)


def _ours(paths: NodePaths) -> dict[str, Any]:
    """What the collection remembers of this node, and which of its files are no longer as it left them."""
    memory = Memory(paths)
    record = memory.record()
    transaction = memory.transaction()
    return {
        "generation": record["generation"],
        "registries_sha256": record["registries_sha256"],
        "committed_at": record["committed_at"],
        "expires": record["expires"],
        "candidate": memory.candidate_text() is not None,
        "interrupted": str(transaction["step"]) if transaction is not None else "",
        "edited": _edited(paths, record["generation"]),
        "drop_in": paths.drop_in,
    }


def _edited(paths: NodePaths, number: int) -> list[dict[str, str]]:
    """Files of the generation in place that are not what was put there: ``{file, kind}``."""
    found: list[dict[str, str]] = []
    if not number:
        return found
    try:
        manifest = Generations(paths).manifest(number)
    except GenerationDamaged:
        return found
    for entry in manifest["files"]:
        try:
            content = files.read(entry["path"]).content
        except files.FileProblem:
            content = b""
        if entry["stored"] is None:
            if content is not None and is_ours(content):
                found.append({"file": entry["path"], "kind": "unexpected"})
        elif content is None:
            found.append({"file": entry["path"], "kind": "missing"})
        elif hashlib.sha256(content).hexdigest() != entry["sha256"]:
            found.append({"file": entry["path"], "kind": "differs"})
    return found
