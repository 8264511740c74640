# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults: how each is made, and the cause that probe and diagnosis both have to name.

Every case is a registry ``<case>.example.com`` whose only mirror is ``<case>.faults.test``, so that one configuration
on one node has them all.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.fleet.certificates import Issued, authority, issue

DOMAIN = "faults.test"
NODE_FOLDER = "/etc/faults"
"""Where the node keeps the certificates of the cases."""

APP = "team/app:1"

#: What listens: name to port. The upper ones are docker-registry's, in a container.
REGISTRIES = {
    "plain": 5001,
    "tls": 5002,
    "expired": 5003,
    "future": 5004,
    "other-name": 5005,
    "common-name": 5006,
    "mutual": 5007,
    "password": 5008,
    "token": 5009,
    "token-down": 5010,
    "disk-full": 5011,
}
FILTERED_PORT = 5098
CLOSED_PORT = 5099
#: Small servers of the test's own.
SERVERS = {
    "ssh": 5201,
    "silent": 5202,
    "reset": 5203,
    "page": 5204,
    "busy": 5205,
    "unavailable": 5206,
    "forbidding": 5207,
    "tokens": 5210,
}
TOKENS_DOWN_PORT = 5299

CA = {"ca_file": f"{NODE_FOLDER}/ca.crt"}
ROBOT = {"username": "robot", "password": "pw-right #%x"}


class Case(NamedTuple):
    """One fault.

    :ivar what: how it is made, for people.
    :ivar cause: what has to be named.
    :ivar port: of the mirror.
    :ivar scheme: of the mirror's endpoint.
    :ivar tls: settings of the mirror.
    :ivar auth: likewise.
    :ivar host: of the mirror, ``<name>.faults.test`` where empty.
    :ivar image: what is pulled, without its registry.
    :ivar blamed: whether the diagnosis can name the endpoint: not where a file of the node is the cause, nor in 1.6
        where an image's content is.
    """

    name: str
    what: str
    cause: str
    port: int
    scheme: str = "https"
    tls: dict[str, Any] = CA
    auth: dict[str, str] | None = None
    host: str = ""
    image: str = APP
    blamed: bool = True

    @property
    def registry(self) -> str:
        return f"{self.name}.example.com"

    @property
    def mirror_host(self) -> str:
        return f"{self.host or self.name + '.' + DOMAIN}:{self.port}"

    @property
    def full_image(self) -> str:
        return f"{self.registry}/{self.image}"


def _pair(certificate: str, key: str = "") -> dict[str, Any]:
    files = {"cert_file": f"{NODE_FOLDER}/{certificate}.crt", "key_file": f"{NODE_FOLDER}/{key or certificate}.key"}
    return {**CA, **files}


_R, _S = REGISTRIES, SERVERS

#: What works has to be called ``ok``, or the rest would prove little.
GOOD = (
    Case("good-http", "A registry over plain HTTP", "ok", _R["plain"], "http"),
    Case("good-tls", "A registry with a certificate of the configured CA", "ok", _R["tls"]),
    Case(
        "good-mutual",
        "A registry that wants a client certificate, and gets it",
        "ok",
        _R["mutual"],
        tls=_pair("client"),
    ),
    Case("good-password", "A registry with a password, and the right one", "ok", _R["password"], auth=ROBOT),
    Case("good-token", "A registry with a token server, and the right password", "ok", _R["token"], auth=ROBOT),
)

FAULTS = (
    Case("down", "The registry is down", "connection_refused", CLOSED_PORT),
    Case("no-name", "The endpoint's name is unknown", "dns_failure", 5000, host="no-such-registry.invalid"),
    Case("filtered", "A firewall drops what goes to the port", "timeout", FILTERED_PORT),
    Case("no-route", "Nothing has the endpoint's address", "no_route", 5000, host="{unused}"),
    Case("wrong-ca", "The configured CA is another one", "tls_unknown_authority", _R["tls"],
         tls={"ca_file": f"{NODE_FOLDER}/other-ca.crt"}),
    Case("no-ca", "No CA is configured for a private registry", "tls_unknown_authority", _R["tls"], tls={}),
    Case("expired", "The registry's certificate has expired", "tls_expired", _R["expired"]),
    Case("not-yet-valid", "The registry's certificate is not valid yet", "tls_not_yet_valid", _R["future"]),
    Case("wrong-name", "The registry's certificate is for another name", "tls_name_mismatch", _R["other-name"]),
    Case("common-name", "The registry's certificate has its name as common name only", "tls_no_san", _R["common-name"]),
    Case("http-on-https", "The endpoint is https://, the registry serves plain HTTP", "http_server_https_client",
         _R["plain"]),
    Case("https-on-http", "The endpoint is http://, the registry serves TLS", "not_http", _R["tls"], "http", tls={}),
    Case("not-tls", "The endpoint is https://, and something other than a web server listens", "not_tls", _S["ssh"]),
    Case("not-http", "The endpoint is http://, and something other than a web server listens", "not_http", _S["ssh"],
         "http", tls={}),
    Case("reset", "The connection is broken off", "connection_reset", _S["reset"]),
    Case("no-client", "The registry wants a client certificate, none is configured", "client_cert_required",
         _R["mutual"]),
    Case("wrong-client", "The client certificate is of a CA that the registry does not know", "client_cert_rejected",
         _R["mutual"], tls=_pair("stranger")),
    Case("wrong-key", "The client's key does not belong to its certificate", "client_key_mismatch", _R["mutual"],
         tls=_pair("client", "stranger"), blamed=False),
    Case("no-key", "The client's key is not there", "client_cert_unreadable", _R["mutual"],
         tls=_pair("client", "missing"), blamed=False),
    Case("ca-removed", "The CA's file was removed", "ca_unreadable", _R["tls"],
         tls={"ca_file": f"{NODE_FOLDER}/removed.crt"}, blamed=False),
    Case("ca-garbage", "The CA's file holds no certificate", "ca_invalid", _R["tls"],
         tls={"ca_file": f"{NODE_FOLDER}/garbage.crt"}, blamed=False),
    Case("no-password", "The registry wants a password, none is configured", "unauthorized", _R["password"]),
    Case("wrong-password", "The password is wrong", "unauthorized", _R["password"],
         auth={**ROBOT, "password": "pw-wrong #%x"}),
    Case("no-rights", "The password is right, but its user may not pull this", "forbidden", _R["token"],
         auth={**ROBOT, "username": "reader"}),
    Case("forbidden", "The registry answers 403", "forbidden", _S["forbidding"], "http", tls={}),
    Case("token-refused", "The token server does not take the password", "token_refused", _R["token"],
         auth={**ROBOT, "password": "pw-wrong #%x"}),
    Case("token-down", "The token server is down", "token_server_unavailable", _R["token-down"], auth=ROBOT),
    Case("missing", "The mirror lacks the image, and the internet cannot be reached", "not_found", _R["tls"],
         image="team/missing:1"),
    Case("page", "A web page answers instead of a registry", "not_a_registry", _S["page"], "http", tls={},
         blamed=False),
    Case("platform", "The image is there, but not for the node's platform", "platform_missing", _R["tls"],
         image="team/foreign:1", blamed=False),
    Case("digest", "The registry's storage is damaged: other content than its digest says", "digest_mismatch",
         _R["tls"], image="team/damaged:1", blamed=False),
    Case("blob", "The registry's storage lacks a blob that the manifest names", "blob_missing", _R["tls"],
         image="team/incomplete:1", blamed=False),
    Case("silent", "The registry takes the connection and says nothing", "timeout", _S["silent"], "http", tls={}),
    Case("busy", "The registry answers 429", "rate_limited", _S["busy"], "http", tls={}),
    Case("unavailable", "The registry answers 503", "server_error", _S["unavailable"], "http", tls={}),
    Case("disk-full", "A caching registry whose disk is full", "server_error", _R["disk-full"], "http", tls={}),
    Case("hosts-toml", "hosts.toml was edited by hand, and is no TOML any more", "hosts_toml_invalid", _R["tls"],
         blamed=False),
)  # fmt: skip

CASES = (*FAULTS, *GOOD)


def registries(unused_address: str) -> dict[str, Any]:
    """The configuration that has every case."""
    mirrors, configs = {}, {}
    for case in CASES:
        host = case.mirror_host.replace("{unused}", unused_address)
        mirrors[case.registry] = {"endpoint": [f"{case.scheme}://{host}"]}
        settings = {name: value for name, value in (("tls", case.tls), ("auth", case.auth)) if value}
        if settings:
            configs[host] = settings
    return {"mirrors": mirrors, "configs": configs}


def certificates(gateway: str) -> dict[str, Issued]:
    """Everything that the registries and the node need, by file name.

    :param gateway: the address of the token server.
    """
    ca, other = authority("faults CA"), authority("another CA")
    names = (f"*.{DOMAIN}",)
    return {
        "ca": ca,
        "other-ca": other,
        "tls": issue(ca, "registry", names),
        "expired": issue(ca, "registry", names, days=-1, starts=-30),
        "future": issue(ca, "registry", names, days=30, starts=2),
        "other-name": issue(ca, "registry", ("registry.elsewhere.test",)),
        "common-name": issue(ca, f"common-name.{DOMAIN}"),
        "client": issue(ca, "node", client=True),
        "stranger": issue(other, "stranger", client=True),
        "tokens": issue(ca, "token signer"),
        "token-server": issue(ca, "token server", (gateway,)),
    }
