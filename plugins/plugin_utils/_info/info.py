# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known about a node's registries, out of what the node has said: the result of ``k3s_registries_info``."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.settings import FileEntries, Settings
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import NodeFacts
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction import explained
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import (
    Circumstances,
    circumstances,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import compare, predict
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import (
    known_secrets,
    redact,
    visible,
    without_credentials,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import (
    EndpointError,
    normalise_endpoint,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.no_proxy import proxy_of_containerd
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import (
    Release,
    ReleaseError,
    parse_release,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.clean import clean
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._config_yaml.yaml_entries import (
    LARGEST,
    LARGEST_TOGETHER,
    NoYaml,
    yaml_entries,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.text import lint_text
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.describe import without_secrets
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.decode import decode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import DecodeError

from . import certificates, credentials, problems, stored, waiting

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

# The rules of the linter that this result says in its own words, from what it knows better.
_SAID_HERE = ("K3R229", "K3R262", "K3R263")
# Reading YAML as K3s reads it takes some seconds for as much.
_LARGEST_FILE = 256 << 10


class Observation:
    """What a node has said, with its registries.yaml decoded."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.said = said
        self.text: str = said["registries"]["text"]
        self.error = str(said["registries"]["error"])
        if len(self.text) > _LARGEST_FILE and not self.error:
            self.error = "it is larger than %d KiB, and was not read" % (_LARGEST_FILE >> 10)
        self.config: Config | None = None
        if not self.error:
            try:
                self.config = decode(self.bytes)
            except DecodeError as error:
                self.error = problems.brief(error.message)

    @property
    def bytes(self) -> bytes:
        return self.text.encode("utf-8", "surrogateescape")

    def unseen(self) -> tuple[list[str], list[list[str]]]:
        """Certificate files and pairs that the decoded configuration names and the node has not looked at."""
        if self.config is None:
            return [], []
        named = certificates.named(self.config)
        pairs = {(item[0], item[1]) for item in self.said["pairs"]}
        return (
            [item.path for item in named if item.path not in self.said["certificates"]],
            [[item.path, item.key] for item in named if item.key and (item.path, item.key) not in pairs],
        )


def info(seen: Observation, now: datetime.datetime, groups: Sequence[str] = ("server", "agent")) -> dict[str, Any]:
    """The result, without secrets. See RETURN of the module.

    :param groups: the names of the cluster's groups of servers and of agents.
    """
    said = seen.said
    environment = [(str(source), variables) for source, variables in said["environment"]]
    settings, unreadable, too_large = _settings(said, environment)
    registries = {key: said["registries"][key] for key in ("path", "exists", "managed", "mode")}
    registries.update(config=without_secrets(seen.config) if seen.config is not None else None, error=seen.error)
    if not registries["exists"]:
        registries["config"] = None
    running = said["service_state"] in ("running", "starting")
    differences = _differences(seen, settings)
    templates, of_templates = problems.of_templates(said["templates"], seen.config)
    matches = {(cert, key): same for cert, key, same in said["pairs"]}
    facts = certificates.described(seen.config or normalise({}), said["certificates"], matches, now)
    written = float(said["registries"]["changed_at"]) if registries["exists"] else 0.0
    # Somebody else's file has other credentials than those whose ends were stated.
    stated = said["ours"]["expires"] if registries["managed"] else {}
    logins = credentials.described(seen.config or normalise({}), stated, now.timestamp(), written)
    proxies = _proxies(seen.config, environment)
    newer = _newer_than_start(said)
    waits = waiting.of_node(said, seen.config, _circumstances(said, settings))
    handed = stored.of_node(said, seen.config, _circumstances(said, settings))
    found = [
        *problems.of_identity(said["contradictions"], said.get("rancher") or {}, said["node_state"], groups),
        *problems.of_registries(registries, _has_secrets(seen.config)),
        *problems.of_service(said["unit"], said["service_state"]),
        *problems.of_loading(running and not seen.error, newer, differences, said["ours"]),
        *problems.of_waiting(waits),
        *problems.of_stored(handed),
        *problems.of_providers(running, said["providers"], said["started"]),
        *of_templates,
        *problems.of_settings(settings, unreadable, too_large),
        *problems.of_proxies(proxies),
        *problems.of_certificates(facts),
        *problems.of_credentials(logins),
        *_lint(seen, settings),
    ]
    result = {
        "distribution": said["distribution"],
        "release": said["release"],
        "role": said["role"],
        "data_dir": said["data_dir"],
        "unit": said["unit"],
        "unit_state": said["unit_state"],
        "started_at": _stamp(said["started"]),
        "registries": registries,
        "providers": {key: said["providers"][key] for key in ("path", "exists", "managed", "names")},
        "generation": str(said["ours"]["generation"] or ""),
        "state": _state(said, registries, found, running),
        "differences": differences,
        "waiting": {
            "since": _stamp(max(waits.since, handed.since)),
            "hosts": sorted({*waits.hosts, *handed.keys}),
        },
        "templates": templates,
        "settings": [dict(item._asdict(), value=_shown(item.value)) for item in settings.found],
        "proxies": proxies,
        "certificates": facts,
        "credentials": logins,
        "problems": found,
    }
    cleaned: dict[str, Any] = clean(result, known_secrets(seen.config))
    return cleaned


def _state(said: Mapping[str, Any], registries: Mapping[str, Any], found: list[dict[str, str]], running: bool) -> str:
    codes = {item["code"] for item in found}
    not_in_use = said["node_state"] if "contradiction" not in codes else ""
    if not_in_use == "not_installed":
        return "not_installed"
    if registries["error"]:
        return "unreadable"
    if not_in_use == "not_set_up":
        return "not_set_up"
    if registries["exists"] and not registries["managed"]:
        return "foreign"
    if not running:
        return "stopped"
    return next((code for code in ("drifted", "pending") if code in codes), "loaded")


def _release(text: str) -> Release | None:
    try:
        return parse_release(text) if text else None
    except ReleaseError:
        return None


def _differences(seen: Observation, settings: Settings) -> list[dict[str, str]]:
    said = seen.said
    if said["service_state"] not in ("running", "starting") or seen.config is None:
        return []
    generated = said["generated"]
    if not generated["complete"]:
        return [{"file": generated["config_toml"], "kind": "missing", "diff": ""}]
    wanted = predict(seen.config, _circumstances(said, settings))
    newer = said["registries"]["changed_at"] > said["started"] + 1 > 1
    changed = [{"file": said["registries"]["path"], "kind": "differs", "diff": ""}] if newer else []
    if not wanted.certain:
        # A release of early 2024 or before: what it generates cannot be told, so only times are left to go by.
        return changed
    found = stored.in_force(said, seen.config, wanted, _circumstances(said, settings)).found
    differences = explained.listed(compare(found, wanted), generated["certs_d"], generated["config_toml"])
    if found.auth is None and wanted.auth and not differences:
        # A template of the user's own writes the credentials: what containerd has of them cannot be told either.
        return changed
    return differences


def _settings(
    said: Mapping[str, Any], environment: list[tuple[str, Mapping[str, str]]]
) -> tuple[Settings, list[str], list[str]]:
    """K3s' settings, the configuration files that are no YAML, and those that were not read for their length."""
    entries: list[FileEntries] = []
    unreadable: list[str] = []
    too_large: list[str] = []
    left = LARGEST_TOGETHER
    for path, text, _changed_at in said["config_files"]:
        if len(text) > min(LARGEST, left):
            too_large.append(path)
            continue
        left -= len(text)
        try:
            entries.append((path, yaml_entries(text)))
        except NoYaml:
            unreadable.append(path)
    return Settings(said["distribution"], said["command"], environment, entries), unreadable, too_large


def _shown(value: Any) -> Any:
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    text = ", ".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)
    return visible(redact(without_credentials(text)))


def _newer_than_start(said: Mapping[str, Any]) -> list[str]:
    if not said["started"]:
        return []
    written = [(said["registries"]["path"], said["registries"]["changed_at"])]
    written += [(path, changed_at) for path, _text, changed_at in said["config_files"]]
    # The kernel counts a process' start in hundredths of a second, file systems round, too.
    newer = [path for path, changed_at in written if changed_at > said["started"] + 1]
    if not said["registries"]["exists"] and said["generated"]["hosts"]:
        newer.append("%s (removed)" % said["registries"]["path"])
    return newer


def _has_secrets(config: Config | None) -> bool:
    return any(entry["auth"] is not None for entry in (config["configs"] if config else {}).values())


def _proxies(config: Config | None, environment: list[tuple[str, Mapping[str, str]]]) -> list[dict[str, Any]]:
    """The proxy variables that mirrors are asked through, with those mirrors."""
    merged: dict[str, str] = {}
    for _source, variables in environment:
        merged.update(variables)
    proxied: dict[str, list[str]] = {}
    for mirror in (config["mirrors"] if config else {}).values():
        for text in mirror["endpoint"]:
            try:
                endpoint = normalise_endpoint(text)
            except EndpointError:
                continue
            if endpoint.host and proxy_of_containerd(merged, endpoint.scheme, endpoint.host):
                known = proxied.setdefault("%s_PROXY" % endpoint.scheme.upper(), [])
                if endpoint.host not in known:
                    known.append(endpoint.host)
    found = []
    for name, hosts in proxied.items():
        variable = next(key for key in ("CONTAINERD_" + name, name, name.lower()) if merged.get(key))
        source = next(source for source, variables in reversed(environment) if variables.get(variable))
        found.append({"source": source, "variable": variable, "registries": hosts})
    return found


def _lint(seen: Observation, settings: Settings) -> list[dict[str, str]]:
    """What the linter says about the file, an unreadable one's own sentence aside."""
    if not seen.text or seen.said["registries"]["error"] or len(seen.text) > _LARGEST_FILE:
        return []
    found = lint_text(
        seen.bytes,
        NodeFacts(
            k3s_version=seen.said["release"] if _release(seen.said["release"]) else "",
            default_endpoint=not settings.flag("disable-default-registry-endpoint"),
            embedded_mirror=_embedded_mirror(seen, settings),
        ),
    )
    return [
        problems.problem(
            item["code"],
            item["level"],
            ": ".join(part for part in (item["path"], item["message"]) if part),
            item["fix"],
        )
        for item in found
        if item["code"] not in _SAID_HERE
    ]


def _embedded_mirror(seen: Observation, settings: Settings) -> str:
    """Where the node has its embedded registry, "" if it is off: mirrors without endpoints depend on it."""
    return next((address for address in _circumstances(seen.said, settings).embedded if address), "")


def _circumstances(said: Mapping[str, Any], settings: Settings) -> Circumstances:
    hosts = said["generated"]["hosts"]
    return circumstances(settings, said["role"], said["distribution"], said["agent_dir"], said["release"], hosts)


def _stamp(epoch: float) -> str:
    if not epoch:
        return ""
    return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
