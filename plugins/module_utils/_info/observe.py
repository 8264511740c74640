# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a node can say about its registries without being changed, for the controller to make sense of.

Nothing here judges: the configuration is YAML and secret, and both are the controller's business.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from dataclasses import replace
from typing import Any, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._info import certificate_files
from ansible_collections.k3sfleet.registries.plugins.module_utils._info.unit import Unit, read_unit
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files, loaded, release
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.generations import (
    GenerationDamaged,
    Generations,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.placing import is_ours
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import (
    ServiceProblem,
    ServiceState,
    service_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import (
    AuthTableError,
    read_auth_tables,
)

_LARGEST = 1 << 20
_TEMPLATES = ("config-v3.toml.tmpl", "config.toml.tmpl")
_AN_AUTH_TABLE = re.compile(r"\.registry\.configs\.")


def observe(
    paths: NodePaths,
    find_data_dir: bool = True,
    find_registries_file: bool = True,
    certificates: Sequence[str] = (),
    pairs: Sequence[Sequence[str]] = (),
    root: str = "/",
) -> dict[str, Any]:
    """What there is on this node. Holds secrets: for :func:`sealed.seal` only.

    :param find_data_dir: take the data directory from K3s' own flags, where they say one.
    :param find_registries_file: the same for the path of registries.yaml.
    :param certificates: certificate files to read beside those that can be seen here to be named.
    :param pairs: the same for pairs of certificate and key.
    """
    unit = read_unit(paths, root)
    configuration = _config_files(paths, unit)
    if find_data_dir:
        paths = replace(paths, data_dir=_path_flag(unit, configuration, "data-dir", "d") or paths.data_dir)
    if find_registries_file:
        flag = _path_flag(unit, configuration, "private-registry")
        paths = replace(paths, registries_yaml=flag or paths.registries_yaml)
    state = _service_state(paths)
    registries = _registries(paths)
    generated = loaded.generated(paths)
    named, named_pairs = certificate_files.named_files(registries["text"], generated.hosts.values())
    wanted_pairs = dict.fromkeys([*named_pairs, *((str(cert), str(key)) for cert, key in pairs)])
    return {
        "distribution": paths.distribution,
        "role": paths.node_role,
        "release": release.installed(paths, keep=False) if os.path.exists(paths.binary) else "",
        "installed": os.path.exists(paths.binary) or bool(unit.name and state.state != "absent"),
        "unit": unit.name,
        "unit_state": unit.active or state.state,
        "service_state": state.state,
        "started": state.started,
        "command": unit.command,
        "environment": [[source, variables] for source, variables in unit.environment],
        "config_files": configuration,
        "agent_dir": paths.agent_dir,
        "data_dir": paths.data_dir,
        "registries": registries,
        "ours": _ours(paths),
        "generated": _generated(paths, generated),
        "templates": _templates(paths),
        "certificates": {
            path: certificate_files.read_certificates(path) for path in dict.fromkeys([*named, *certificates])
        },
        "pairs": [[cert, key, certificate_files.key_matches(cert, key)] for cert, key in wanted_pairs],
    }


def _service_state(paths: NodePaths) -> ServiceState:
    try:
        return service_of(paths.service).state()
    except ServiceProblem:
        # An image being built, or a container without an init system.
        return ServiceState("absent", 0, 0.0, 0)


def _config_files(paths: NodePaths, unit: Unit) -> list[tuple[str, str, float]]:
    """K3s' own configuration files in the order in which it reads them: path, text, time of the last change."""
    main = _flag(unit.command, ("config", "c"))
    if not main:
        for _source, variables in unit.environment:
            main = variables.get(paths.distribution.upper() + "_CONFIG_FILE", main)
    main = main or os.path.join(paths.config_dir, "config.yaml")
    drop_ins = sorted(glob.glob(main + ".d/*.yaml") + glob.glob(main + ".d/*.yml"))
    found = []
    for path in [main, *drop_ins]:
        try:
            content = files.read(path).content
        except files.FileProblem:
            continue
        if content is not None:
            text = content[:_LARGEST].decode("utf-8", "surrogateescape")
            found.append((path, text, _changed_at(path)))
    return found


def _changed_at(path: str) -> float:
    """When a file was last written, seconds since 1970; 0.0 where there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _flag(command: Sequence[str], names: Sequence[str]) -> str:
    """The value of a flag on a command line, ``--name value`` or ``--name=value``, the last one."""
    found = ""
    for index, word in enumerate(command):
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name in names:
            found = value if equals else (command[index + 1] if index + 1 < len(command) else "")
    return found


def _path_flag(unit: Unit, configuration: Sequence[tuple[str, str, float]], *names: str) -> str:
    """A path that K3s is given, "" where it keeps to its default."""
    value = _flag(unit.command, names)
    for _path, text, _changed in () if value else configuration:
        # A key of the top level with a plain value: what anyone writes for a path.
        for given in re.findall(r"^%s\+?:[ \t]*[\"']?(/[^\s\"'#]+)" % names[0], text, re.MULTILINE):
            value = given
    return value if os.path.isabs(value) and os.path.normpath(value) != "/" else ""


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


def _ours(paths: NodePaths) -> dict[str, Any]:
    """What the collection remembers of this node, and which of its files are no longer as it left them."""
    memory = Memory(paths)
    record = memory.record()
    transaction = memory.transaction()
    return {
        "generation": record["generation"],
        "registries_sha256": record["registries_sha256"],
        "committed_at": record["committed_at"],
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


def _generated(paths: NodePaths, found: loaded.Generated) -> dict[str, Any]:
    text = (files.read(paths.containerd_config).content or b"").decode("utf-8", "replace")
    try:
        read_auth_tables(text)
        readable = True
    except AuthTableError:
        readable = False
    return {
        "certs_d": paths.certs_d,
        "config_toml": paths.containerd_config,
        "hosts": found.hosts,
        "auth": found.auth,
        # A template of the user's own may write them in a way that only containerd understands.
        "auth_readable": readable and (bool(found.auth) or not _AN_AUTH_TABLE.search(text)),
        "complete": found.complete,
    }


def _templates(paths: NodePaths) -> list[dict[str, Any]]:
    """Custom templates of containerd's configuration, the one that K3s prefers first."""
    found = []
    for name in _TEMPLATES:
        path = os.path.join(os.path.dirname(paths.containerd_config), name)
        try:
            content = files.read(path).content
        except files.FileProblem:
            continue
        if content is not None:
            text = content.decode("utf-8", "replace")
            extends = bool(re.search(r"template\s+\"base\"", text))
            found.append(
                {
                    "path": path,
                    "writes_auth": extends or "registry.configs" in text,
                    "writes_config_path": extends or "config_path" in text,
                }
            )
    return found
