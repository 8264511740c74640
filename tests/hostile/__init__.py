# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile servers on this machine, and a ledger of everything that they are told.

One fixture, ``hostile`` (a :class:`neighbourhood.Neighbourhood`), for everything that asks registries::

    from tests.hostile.fixture import hostile  # in a conftest.py; fixtures of other folders are not seen otherwise

    def test_a_mirror_is_not_told_the_password_of_another(hostile):
        password = hostile.secret("password")
        registry = hostile.server("registry.test", registries.basic("robot", password))
        mirror = hostile.server("mirror.test", registries.redirect(registry.url))
        ...ask mirror.url, or mirror.direct from another process, trusting the CA in hostile.ca...
        hostile.ledger.check(password=[registry])

* **Servers** are threads with an address of loopback each. An *app* gets a :class:`server.Request` and returns a
  ``Reply`` (of ``tests.registry_faults.servers``, whose ``Store`` of images is an app too), or an iterator of
  bytes that is sent as it is until the client has gone: endless and broken answers are generators. A server with TLS
  also takes plain HTTP on the same port, so that a downgrade finds somebody who listens.
* **Names** such as ``registry.test`` with any port (443 too) lead to them inside this process, where the fixture
  stands in for ``socket.getaddrinfo``; all other names are unknown, so no test leaves this machine. ``url`` is such a
  name; ``direct`` has the real address and port, for programs such as skopeo and for modules that run by themselves.
* **The ledger** has each byte that arrives at each (scheme, host, port), TLS taken off. ``secret(name)`` makes a
  canary; ``ledger.check(name=[server])`` fails where it arrived anywhere else, in clear, in a form, quoted or in
  base64. A client certificate that was shown counts as the secret "certificate". The plain side of a TLS server is
  another place: ``server.place("http")``.
* **Apps**: ``registries`` (Basic, Bearer, redirects, lies), ``token_servers``, ``proxies``, ``answers`` (endless,
  huge, broken, full of escapes). ``bounds.bounded(seconds, megabytes)`` fails where its block took more.
"""
