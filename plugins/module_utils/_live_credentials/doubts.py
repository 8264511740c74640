# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why new credentials are not brought into force without a restart: every reason has a name and a sentence."""

from __future__ import annotations

from typing import NamedTuple

NOT_LIVE = "not without a restart: "
"""Begins the reason in a plan; the sentences follow."""


class Doubt(NamedTuple):
    """One reason for a restart. ``name`` is one of those below, ``about`` the host or whatever else it is about."""

    name: str
    about: str = ""

    @property
    def sentence(self) -> str:
        """Without a full stop, for the plan's ``not without a restart: ...``."""
        # Imported here: whoever only knows the names does without.
        from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import redact, visible

        text = _SENTENCES[self.name]
        # A registry's name may be "admin:password@host".
        return visible(redact(text % self.about if "%s" in text else text))


TEMPLATE = "template"
REMOVED = "removed"
REFRESH_ONLY = "refresh_only"
UNUSABLE = "unusable"
CLEAR = "clear"
UNNAMED = "unnamed"
UNREADABLE = "unreadable"
NOT_LOADED = "not_loaded"
CERTIFICATES_CHANGE = "certificates_change"
BEARER = "bearer"
NO_QUESTION = "no_question"
NO_BASIC = "no_basic"
REFUSED = "refused"
FORBIDDEN = "forbidden"
REDIRECTS = "redirects"
NO_ANSWER = "no_answer"
POD = "pod"
SERVICE_ACCOUNT = "service_account"
PROVIDER = "provider"
PROVIDERS_UNKNOWN = "providers_unknown"
CLUSTER_UNKNOWN = "cluster_unknown"

_SENTENCES = {
    TEMPLATE: "a custom template writes containerd's credentials, so it is not known which of them containerd has",
    REMOVED: "the credentials for %s are removed, and containerd keeps those that it has until its next start",
    REFRESH_ONLY: "the credentials for %s are an identity token, which containerd uses for token servers only",
    UNUSABLE: "the credentials for %s are not a user name with a password",
    CLEAR: "%s is an http endpoint, which must not get a header with credentials",
    UNNAMED: "no hosts.toml names %s for its own images, so containerd would use the old credentials there",
    UNREADABLE: "containerd cannot read the hosts.toml of %s",
    NOT_LOADED: "K3s has not loaded the credentials before these",
    CERTIFICATES_CHANGE: "the certificates for %s change too, so it cannot be asked before",
    BEARER: "%s offers Bearer tokens, and containerd would ask the token server with the credentials that it has",
    NO_QUESTION: "%s does not ask for credentials, so it is not known which kind it takes",
    NO_BASIC: "%s does not ask for a user name and a password",
    REFUSED: "%s refuses the new credentials",
    FORBIDDEN: "%s does not let the new user read the canary image",
    REDIRECTS: "%s redirects to another port, scheme or subdomain of its host name, which would get the credentials",
    NO_ANSWER: "%s was asked with the new credentials and did not answer as a registry does",
    POD: "%s has an imagePullSecret for a registry whose credentials change; it would no longer be used",
    SERVICE_ACCOUNT: "%s has imagePullSecrets, and its pods may pull from a registry whose credentials change",
    PROVIDER: "the credential provider %s is for a registry whose credentials change; it would no longer be used",
    PROVIDERS_UNKNOWN: "the kubelet's credential providers cannot be told: %s",
    CLUSTER_UNKNOWN: "the cluster's pods could not be asked for imagePullSecrets: %s",
}
