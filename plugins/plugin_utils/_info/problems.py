# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody has to do something about on a node: ``{code, level, message, fix}`` each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.lifetime import stamp
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.contradictions import (
    RANCHER_WARNED,
    rancher,
    sentence,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import expiry
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._config_yaml.yaml_entries import LARGEST

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.settings import Settings
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

    from .stored import Stored
    from .waiting import Waiting

_LONGEST = 2000
_SITE = "run k3sfleet.registries.site"


def problem(code: str, level: str, message: str, fix: str) -> dict[str, str]:
    """One problem. ``level`` is ``error``, ``warning`` or ``info``."""
    return {"code": code, "level": level, "message": brief(message), "fix": brief(fix)}


def brief(text: str) -> str:
    """A sentence that quotes a node's file, which may have a name of 200 KB in it, at a length that somebody reads."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."


def of_registries(registries: Mapping[str, Any], has_secrets: bool) -> Iterator[dict[str, str]]:
    """Those of registries.yaml as a file."""
    path = registries["path"]
    if registries["error"]:
        yield problem(
            "unreadable",
            "error",
            "K3s cannot use %s: %s" % (path, registries["error"]),
            "Correct the file (k3sfleet.registries.lint says more), or put k3s_registries in its place: %s." % _SITE,
        )
    elif registries["exists"] and not registries["managed"]:
        yield problem(
            "foreign",
            "warning",
            "%s was not written by this collection." % path,
            "Take what is wanted from it into k3s_registries and %s, which keeps the file." % _SITE,
        )
    if has_secrets and registries["mode"] and int(registries["mode"], 8) & 0o077:
        yield problem(
            "readable_by_others",
            "warning",
            "%s holds credentials and has mode %s: others on the node can read them." % (path, registries["mode"]),
            "Set its mode to 0600.",
        )


def of_service(unit: str, service_state: str) -> Iterator[dict[str, str]]:
    """Those of the service itself. That it runs proves nothing; that it has been given up on says enough."""
    if service_state == "failed":
        yield problem(
            "service_failed",
            "error",
            "%s has failed: no K3s runs here." % unit,
            "See `journalctl -u %s` for why, and start it again." % unit,
        )


def of_loading(
    running: bool, newer: Sequence[str], differences: Sequence[Mapping[str, str]], ours: Mapping[str, Any]
) -> Iterator[dict[str, str]]:
    """Drift and pending restarts.

    :param newer: files that were written after K3s has started.
    """
    if ours["edited"]:
        yield problem(
            "drifted",
            "warning",
            "Changed by hand since the collection wrote it: %s."
            % ", ".join("%s (%s)" % (item["file"], _KINDS[item["kind"]]) for item in ours["edited"]),
            "Take what is wanted from it into k3s_registries and %s, which puts back what is wanted." % _SITE,
        )
    if ours["interrupted"]:
        yield problem(
            "pending",
            "warning",
            "An earlier run ended in the middle (%s)." % ours["interrupted"],
            "Repair the node: %s." % _SITE,
        )
    elif ours["candidate"]:
        yield problem(
            "pending",
            "warning",
            "A new configuration is laid out on this node and waits for its rollout.",
            "Bring it into force: %s." % _SITE,
        )
    if not running:
        return
    if differences and not newer and not ours["interrupted"]:
        yield problem(
            "drifted",
            "warning",
            "What K3s generated at its start is not what its registries.yaml leads to (%s), and nothing is newer than "
            "that start: someone has edited the generated files." % _files(differences),
            "K3s writes them anew when it starts: %s." % _SITE,
        )
    elif differences:
        yield problem(
            "pending",
            "warning",
            "The running K3s has not loaded what is in place (%s)%s."
            % (_files(differences), "; newer than its start: " + ", ".join(newer) if newer else ""),
            "K3s reads it at its start: %s." % _SITE,
        )


def of_stored(handed: Stored) -> Iterator[dict[str, str]]:
    """Credentials that are in force by the credential store, without a restart."""
    if handed.keys:
        yield problem(
            "stored_credentials",
            "info",
            "The credentials for %s are live since %s, settled at the next start: the kubelet hands them out at each "
            "pull of a pod. Until then, crictl and what K3s pulls by itself use the old ones in config.toml."
            % (", ".join(handed.keys), stamp(handed.since)),
            "Nothing, or %s with k3s_registries_apply: settle, which restarts these nodes one by one." % _SITE,
        )


def of_waiting(waits: Waiting) -> Iterator[dict[str, str]]:
    """Credentials that are in force without a restart, and what has come since that they do not suit."""
    if not waits.hosts:
        return
    hosts = ", ".join(waits.hosts)
    yield problem(
        "live_credentials",
        "info",
        "The credentials for %s are live since %s, settled at the next start: until then hosts.toml sends them in a "
        "header, and config.toml has the old ones." % (hosts, stamp(waits.since)),
        "Nothing, or %s with k3s_registries_apply: settle, which restarts these nodes one by one." % _SITE,
    )
    if waits.pods:
        yield problem(
            "live_credentials_pods",
            "warning",
            "Pods with an imagePullSecret have come to this node (%s) since the credentials for %s are live: their "
            "secret is not used as long as the registry takes the header." % (_some(waits.pods), hosts),
            "Have these nodes restart: %s with k3s_registries_apply: settle." % _SITE,
        )
    elif waits.unknown:
        yield problem(
            "live_credentials_pods",
            "warning",
            "Whether pods with an imagePullSecret have come to this node since the credentials for %s are live is not "
            "known: %s." % (hosts, waits.unknown),
            "See that the node reaches the API, or %s with k3s_registries_apply: settle." % _SITE,
        )


def _some(names: Sequence[str]) -> str:
    more = " and %d more" % (len(names) - 3) if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def of_providers(running: bool, providers: Mapping[str, Any], started: float) -> Iterator[dict[str, str]]:
    """Whether the kubelet has read its configuration of credential providers."""
    if running and providers["managed"] and started and providers["changed_at"] > started + 1:
        yield problem(
            "pending",
            "warning",
            "%s is newer than the start of K3s, and the kubelet has not read it." % providers["path"],
            "It does so at the start of K3s: %s." % _SITE,
        )


_KINDS = {"missing": "removed", "unexpected": "added", "differs": "edited"}


def _files(differences: Sequence[Mapping[str, str]]) -> str:
    return _some(list(dict.fromkeys(item["file"] for item in differences)))


def of_templates(
    templates: Sequence[Mapping[str, Any]], config: Config | None
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """The templates that drop something, for the result, and the problems that they are."""
    listed, problems = [], []
    with_auth = [name for name, entry in (config["configs"] if config else {}).items() if entry["auth"] is not None]
    for template in templates:
        dropped = []
        if not template["writes_auth"]:
            dropped.append("no registry credentials")
        if not template["writes_config_path"]:
            dropped.append("no config_path, so that no mirror and no TLS setting is used")
        if not dropped:
            continue
        message = "%s replaces K3s' containerd configuration and writes %s" % (
            template["path"], " and ".join(dropped)
        )  # fmt: skip
        listed.append({"path": template["path"], "message": message})
        hurts = bool(with_auth) or not template["writes_config_path"]
        if with_auth and not template["writes_auth"]:
            message += ": containerd does not get those for %s" % ", ".join(sorted(with_auth))
        problems.append(
            problem(
                "template_overrides",
                "error" if hurts else "warning",
                message + ".",
                'Begin the template with {{ template "base" . }}, or remove it, and restart K3s.',
            )
        )
    return listed, problems


def of_identity(
    contradictions: Sequence[Mapping[str, Any]], managed_by: Mapping[str, Any], node_state: str, groups: Sequence[str]
) -> Iterator[dict[str, str]]:
    """Where the node is not what the inventory says.

    :param managed_by: by what it is seen that Rancher provisions the node, empty if it does not.
    :param groups: the names of the cluster's groups of servers and of agents.
    """
    for item in contradictions:
        said, _dot, fix = sentence(item, *groups).partition(". ")
        yield problem("contradiction", "error", said[:1].upper() + said[1:] + ".", fix + ".")
    if managed_by:
        yield problem("rancher_managed", "warning", rancher(managed_by) + ".", RANCHER_WARNED + ".")
    if node_state == "not_set_up":
        yield problem(
            "not_set_up",
            "warning",
            "K3s is not set up here: no service that runs it was ever enabled or started.",
            "Set it up, or take the host out of the inventory's groups.",
        )


def of_settings(settings: Settings, unreadable: Sequence[str], too_large: Sequence[str]) -> Iterator[dict[str, str]]:
    """Those of K3s' own configuration.

    :param unreadable: configuration files that are no YAML.
    :param too_large: those that were not read for their length.
    """
    for path in unreadable:
        yield problem(
            "config_unreadable",
            "error",
            "%s is no YAML: K3s does not start with it." % path,
            "Correct the file; `k3s server` or `k3s agent` says the line.",
        )
    for path in too_large:
        yield problem(
            "config_unreadable",
            "warning",
            "%s was not read: it, or all such files together, are larger than anybody's (%d KiB)."
            % (path, LARGEST >> 10),
            "See what it is; K3s' own configuration has some lines.",
        )
    for key in ("container-runtime-endpoint", "docker"):
        if settings.flag(key) if key == "docker" else settings.value(key):
            yield problem(
                "external_runtime",
                "error",
                "%s is set (%s): K3s uses a container runtime that does not read what it makes of registries.yaml."
                % (key, settings.source(key)),
                "Configure the registries of that runtime, or take %s away and restart K3s." % key,
            )


def of_proxies(proxies: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Those of the service's environment."""
    for entry in proxies:
        yield problem(
            "proxy",
            "warning",
            "%s (%s) sends requests to %s through a proxy: NO_PROXY does not name them."
            % (entry["variable"], entry["source"], ", ".join(entry["registries"])),
            "Add them to NO_PROXY in the service's environment file and restart K3s, unless the proxy is meant.",
        )


def of_credentials(credentials: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Those of the credentials that the configuration has: which have ended, and which will."""
    for entry in credentials:
        if entry["level"] != "ok":
            past = "credential_overdue" if entry["stated"] else "credential_expired"
            code = past if entry["ended"] else "credential_expiring"
            place = 'configs."%s".auth' % entry["registry"]
            yield problem(code, entry["level"], "%s: %s." % (place, entry["message"]), entry["fix"])


def of_certificates(certificates: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Those of the certificates that the configuration names."""
    for entry in certificates:
        setting = 'configs."%s".tls.%s' % (entry["registry"], "ca_file" if entry["kind"] == "ca" else "cert_file")
        place = "%s (%s)" % (setting, entry["path"])
        left = entry["days_left"]
        if entry["error"] and not entry["subject"]:
            yield problem(
                "certificate_unreadable",
                "error",
                "%s: %s." % (place, entry["error"]),
                "Put a readable PEM certificate there.",
            )
        elif entry["error"]:
            yield problem(
                "certificate_not_yet_valid",
                "error",
                "%s: %s is %s." % (place, entry["subject"], entry["error"]),
                "Set the clocks right, or issue it anew.",
            )
        elif expiry.level(left) != "ok":
            level = expiry.level(left)
            code, ends = "certificate_expiring", "ends in %d days, on" % left
            if level == "error":
                code, ends = "certificate_expired", "ended on"
            message = "%s: %s %s %s." % (place, entry["subject"], ends, entry["not_after"])
            yield problem(code, level, message, "Renew it; no restart is needed, containerd reads it at every pull.")
        if entry["key_matches"] is False:
            yield problem(
                "key_mismatch",
                "error",
                "%s: the key beside it belongs to another certificate." % place,
                "Put the pair that belongs together into cert_file and key_file.",
            )
