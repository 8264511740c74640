# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each cause means in one sentence, and what to do about it in one more that names the configuration's path.

Placeholders: ``{host}`` the endpoint, ``{configs}`` the path of its entry in ``configs``, ``{endpoints}`` the path of
the list of endpoints that names it or should, ``{image}``, ``{repository}``, ``{file}`` the file on the node and
``{setting}`` the setting that names it.
"""

from __future__ import annotations

from typing import NamedTuple


class Advice(NamedTuple):
    """The two sentences for a cause."""

    message: str
    fix: str


def filled(template: str, values: dict[str, str]) -> str:
    """A sentence of these with its placeholders replaced."""
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template[:1].upper() + template[1:] if template.startswith("the ") else template


_PLAIN_HTTP = "Write {host} with http:// in {endpoints} if it is meant to serve plain HTTP, or give the registry TLS."

ADVICE: dict[str, Advice] = {
    "tls_unknown_authority": Advice(
        "This node does not trust the authority that signed {host}'s certificate.",
        "Set {configs}.tls.ca_file to the CA certificate that {host} is signed by, or let the registry send its whole"
        " chain.",
    ),
    "tls_expired": Advice(
        "{host}'s certificate has expired.",
        "Renew the certificate on {host} (and check this node's clock); {configs}.tls needs no change if the CA stays.",
    ),
    "tls_not_yet_valid": Advice(
        "{host}'s certificate is not valid yet by this node's clock.",
        "Correct this node's clock, or issue {host}'s certificate again with an earlier start; {configs}.tls needs no"
        " change.",
    ),
    "tls_name_mismatch": Advice(
        "{host}'s certificate is for other names.",
        "Name the registry in {endpoints} and in {configs} as its certificate does, or issue the certificate with this"
        " name among its subjectAltNames.",
    ),
    "tls_no_san": Advice(
        "{host}'s certificate has no subjectAltName for this name or address; the common name alone does not count.",
        "Issue {host}'s certificate with a subjectAltName for the name or address that {endpoints} uses.",
    ),
    "http_server_https_client": Advice("{host} answered an HTTPS request in plain HTTP.", _PLAIN_HTTP),
    "not_tls": Advice("{host} does not speak TLS on this port.", _PLAIN_HTTP),
    "client_cert_required": Advice(
        "{host} wants a client certificate, and the node showed none that it accepts.",
        "Set {configs}.tls.cert_file and {configs}.tls.key_file to a client certificate that {host} accepts.",
    ),
    "client_cert_rejected": Advice(
        "{host} refuses the node's client certificate.",
        "Replace the files of {configs}.tls.cert_file and key_file with a valid certificate of the CA that {host}"
        " trusts for clients.",
    ),
    "client_key_mismatch": Advice(
        "The client certificate and the key on this node do not belong together.",
        "Put the pair that belongs together into {configs}.tls.cert_file and {configs}.tls.key_file.",
    ),
    "client_cert_unreadable": Advice(
        "The client certificate or its key on this node cannot be read{file}.",
        "Put a readable PEM file where {setting} points to, and set cert_file and key_file both, as absolute paths.",
    ),
    "ca_unreadable": Advice(
        "The CA certificate on this node cannot be read{file}; every pull from the registry fails until it can.",
        "Put the CA certificate where {setting} points to, as an absolute path.",
    ),
    "ca_invalid": Advice(
        "The CA file on this node holds no certificate{file}; every pull from the registry fails until it does.",
        "Put a PEM certificate into the file that {setting} points to.",
    ),
    "connection_refused": Advice(
        "Nothing listens at {host}, or a firewall refuses.",
        "Start the registry at {host}, or correct the address and port in {endpoints}.",
    ),
    "connection_reset": Advice(
        "{host} closed the connection.",
        "Check that the scheme and port in {endpoints} fit what {host} serves there (http:// to a TLS port looks"
        " like this), then check the registry's log and the firewall.",
    ),
    "dns_failure": Advice(
        "The name of {host} cannot be resolved on this node.",
        "Correct the name in {endpoints}, or this node's resolver (/etc/resolv.conf, /etc/hosts).",
    ),
    "timeout": Advice(
        "{host} did not answer in time.",
        "Make sure that this node can reach {host} (firewall, routing, proxy and NO_PROXY of the K3s service), or"
        " correct {endpoints}.",
    ),
    "no_route": Advice(
        "This node has no route to {host}.",
        "Correct the address in {endpoints}, or this node's routing and firewall.",
    ),
    "unauthorized": Advice(
        "{host} wants credentials, and those sent, if any, are not valid.",
        "Set {configs}.auth to valid credentials and restart K3s; for a pod with an imagePullSecret, which replaces the"
        " node's credentials altogether, put them into the secret.",
    ),
    "forbidden": Advice(
        "{host} knows the caller but does not let it read {repository}.",
        "Give the account of {configs}.auth the right to pull {repository}.",
    ),
    "token_refused": Advice(
        "The token server of {host} refuses a token.",
        "Set {configs}.auth to credentials that the token server of {host} accepts for {repository}.",
    ),
    "token_server_unavailable": Advice(
        "The token server that {host} names does not work from this node.",
        "Make the token server of {host} reachable and working (its address is the realm that {host} sends);"
        " {configs}.auth is not the reason.",
    ),
    "not_found": Advice(
        "{host} does not have {image}.",
        "Push {image} to {host} (as {repository}, after any rewrite), or correct {endpoints} and its rewrite. If {host}"
        " is a cache, check that the registry behind it has the image and lets the cache read it.",
    ),
    "blob_missing": Advice(
        "The manifest of {image} names content that the registry does not have.",
        "Push {image} again to the registry that {endpoints} names, or repair its storage.",
    ),
    "platform_missing": Advice(
        "{image} has no manifest for this node's platform.",
        "Push {image} for this node's architecture to the registry that {endpoints} names.",
    ),
    "manifest_unsupported": Advice(
        "The manifest of {image} is of a type that this containerd does not support.",
        "Build or copy {image} again as an OCI or Docker schema 2 image to the registry that {endpoints} names.",
    ),
    "digest_mismatch": Advice(
        "What the registry sent for {image} does not match its digest.",
        "Repair or refill the registry (or the caching proxy in front of it) that {endpoints} names.",
    ),
    "not_a_registry": Advice(
        "What answered for {image} is not a registry: a web page, a portal or a wrong path.",
        "Correct the URL in {endpoints}: its path must be /v2, or for a project of a larger registry /v2/<project>.",
    ),
    "not_http": Advice(
        "{host} does not answer in HTTP.",
        "Correct the port or the scheme in {endpoints}: a TLS port asked with http:// looks like this.",
    ),
    "rate_limited": Advice(
        "{host} limits the number of requests.",
        "Set {configs}.auth to an account with a higher limit, or serve {image} from a mirror in {endpoints}.",
    ),
    "server_error": Advice(
        "{host} failed with an internal error.",
        "Check the log of the registry at {host} (disk full, storage, proxy in front of it). Until it works, you can"
        " name another mirror in {endpoints}.",
    ),
    "hosts_toml_invalid": Advice(
        "containerd dropped the hosts.toml for this registry, so no mirror was used.",
        "Correct {mirror} so that the hosts.toml K3s writes is valid (no backslash or quote in a rewrite: use [.]"
        " for \\.), or remove a hosts.toml that was edited by hand, and restart K3s.",
    ),
    "unknown": Advice(
        "The pull of {image} failed for a reason that is not known here.",
        "Read the evidence, then check {endpoints} and {configs}.",
    ),
}
