# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's words: few, short, and the same everywhere.

Every colour of the page comes with one of them and with a different shape: colour alone never means anything.
"""

from __future__ import annotations

from typing import NamedTuple

# Importing the linter fills its catalogue, whose titles name the linter's findings here.
import ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import CATALOGUE

#: How a node stands, see ``_assess/nodes.py``, in a word or two.
CONDITIONS: dict[str, str] = {
    "unreachable": "unreachable",
    "failing": "cannot pull",
    "error": "broken",
    "drifted": "drifted",
    "pending": "restart pending",
    "foreign": "not ours",
    "warning": "warning",
    "idle": "not running",
    "unknown": "not examined",
    "ok": "ok",
}


class State(NamedTuple):
    """What a state of k3s_registries_info means, and what to do about it."""

    short: str
    title: str
    message: str
    fix: str


STATES: dict[str, State] = {
    "pending": State(
        "restart pending",
        "Restart pending",
        "registries.yaml has changed since K3s started, so K3s still runs the previous configuration.",
        "Run k3sfleet.registries.site, which restarts these nodes one by one, each once the last one is healthy.",
    ),
    "drifted": State(
        "drifted",
        "Drifted",
        "What K3s generated for containerd does not match its registries.yaml: someone has edited files by hand.",
        "Review the difference, copy what you want to keep into k3s_registries, and run k3sfleet.registries.site.",
    ),
    "foreign": State(
        "not ours",
        "registries.yaml is not ours",
        "The node has a registries.yaml that this collection did not write.",
        "Copy what you want to keep into k3s_registries and run k3sfleet.registries.site, which keeps the old file.",
    ),
    "unreadable": State(
        "registries.yaml unreadable",
        "registries.yaml cannot be read",
        "K3s cannot read the registries.yaml of these nodes: a server does not start with it, an agent runs no pods.",
        "Run k3sfleet.registries.lint on the file, or k3sfleet.registries.site to replace it.",
    ),
    "stopped": State(
        "stopped",
        "K3s is stopped",
        "K3s is installed but not running: the configuration takes effect when it next starts.",
        "Start K3s if it should be running.",
    ),
    "not_set_up": State(
        "not set up",
        "K3s is not set up",
        "These nodes have K3s, but no service that runs it was ever enabled or started.",
        "Set K3s up, or take the hosts out of the groups server and agent.",
    ),
    "not_installed": State(
        "not installed",
        "K3s is not installed",
        "These nodes do not have K3s: the configuration takes effect when it first starts.",
        "Install K3s, or take the hosts out of the groups server and agent.",
    ),
}

#: Causes in two or three words, which fit into a table's cell.
CAUSES: dict[str, str] = {
    "ok": "ok",
    "tls_unknown_authority": "unknown CA",
    "tls_expired": "certificate expired",
    "tls_not_yet_valid": "not yet valid",
    "tls_name_mismatch": "wrong name",
    "tls_no_san": "no SAN",
    "http_server_https_client": "plain HTTP",
    "not_tls": "no TLS",
    "client_cert_required": "client certificate missing",
    "client_cert_rejected": "client certificate refused",
    "client_key_mismatch": "key does not match",
    "client_cert_unreadable": "client certificate unreadable",
    "ca_unreadable": "CA file unreadable",
    "ca_invalid": "CA file invalid",
    "connection_refused": "refused",
    "connection_reset": "reset",
    "dns_failure": "name unknown",
    "timeout": "timeout",
    "unauthorized": "unauthorized",
    "forbidden": "forbidden",
    "token_refused": "token refused",
    "token_server_unavailable": "token server down",
    "not_found": "image missing",
    "blob_missing": "layer missing",
    "platform_missing": "platform missing",
    "manifest_unsupported": "manifest unsupported",
    "digest_mismatch": "digest mismatch",
    "not_a_registry": "not a registry",
    "not_http": "not HTTP",
    "no_route": "no route",
    "rate_limited": "rate limited",
    "server_error": "server error",
    "hosts_toml_invalid": "hosts.toml invalid",
    "not_asked": "provider not asked",
    "provider_unknown": "providers not checked",
    "provider_not_started": "provider does not start",
    "provider_timeout": "provider does not answer",
    "provider_failed": "provider fails",
    "provider_answer": "provider's answer is invalid",
    "provider_empty": "provider has no credentials",
    "provider_slow": "provider is slow",
    "provider_shared": "provider's credentials go to a mirror",
    "unknown": "unknown error",
}


#: Problems of k3s_registries_info that are no states, as headlines.
PROBLEMS: dict[str, str] = {
    "readable_by_others": "Credentials are readable by others",
    "template_overrides": "A template drops what K3s writes",
    "config_unreadable": "K3s' configuration cannot be read",
    "external_runtime": "Another container runtime",
    "proxy": "A proxy is in front of a mirror",
    "live_credentials": "Credentials are live and wait for K3s' next start",
    "stored_credentials": "The kubelet hands out credentials that wait for K3s' next start",
    "live_credentials_pods": "Pods with an imagePullSecret where credentials are live",
    "credential_expired": "Credentials have expired",
    "credential_expiring": "Credentials that expire soon",
    "credential_overdue": "Credentials past the day that auth.expires states",
}


def problem(code: str) -> str:
    """A problem's code as a headline: that of a state, of the linter's rule, or the code itself with spaces."""
    if code in STATES:
        return STATES[code].title
    if code in CATALOGUE:
        return CATALOGUE[code].title
    return PROBLEMS.get(code) or first_upper(code.replace("_", " ")) or "Problem"


def reason(code: str) -> str:
    """A problem's code as one of several reasons in a row."""
    if code in STATES:
        return STATES[code].short
    title = problem(code)
    # "A proxy" begins with a small letter there, "K3s" does not.
    return title[:1].lower() + title[1:] if title[1:2].islower() or title[1:2] == " " else title


def cause(word: str) -> str:
    """A cause in words; an unknown one as it is, with spaces."""
    return CAUSES.get(word) or word.replace("_", " ") or "unknown error"


def first_upper(text: str) -> str:
    """``text`` with its first letter in upper case, unless it begins with the name of a file."""
    return text if "." in text.partition(" ")[0] else text[:1].upper() + text[1:]


def address(endpoint: str) -> str:
    """An endpoint without what nearly all of them share: ``https://`` and ``/v2``, but with ``http://``."""
    shown = endpoint[len("https://") :] if endpoint.startswith("https://") else endpoint
    return shown[: -len("/v2")] if shown.endswith("/v2") else shown


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 node``, ``2 nodes``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}".replace(",", "\u202f")


def days(number: int) -> str:
    """Days left in words: ``today``, ``11 days``, ``expired 3 days ago``, ``4 years``."""
    if number < 0:
        return f"expired {count(-number, 'day')} ago"
    if number == 0:
        return "today"
    return count(number // 365, "year") if number >= 1095 else count(number, "day")


def days_left(number: int, things: int = 1) -> str:
    """The same as the end of a sentence about one or more `things`: ``expires today``, ``expire in 11 days``,
    ``expired 3 days ago``."""
    if number < 0:
        return days(number)
    verb = "expires" if things == 1 else "expire"
    return f"{verb} today" if number == 0 else f"{verb} in {days(number)}"


def milliseconds(value: float) -> str:
    """A duration in words: ``0.8 ms``, ``12 ms``, ``1.2 s``."""
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"
