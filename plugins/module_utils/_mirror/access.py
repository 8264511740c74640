# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the mirror reaches one registry."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.challenge import basic_header
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import Origin, bare_origin_of


@dataclass(frozen=True)
class Access:
    """How one registry is reached.

    :ivar host: ``host[:port]``.
    :ivar scheme: ``https`` or ``http``.
    :ivar ca: PEM text, ``cert`` and ``key`` as well; "" if the corresponding ``*_file`` or nothing applies.
    :ivar ca_file: a path on the machine that copies, ``cert_file`` and ``key_file`` as well.
    :ivar insecure: certificates are not checked; only if the configuration says so for this very host.
    """

    host: str
    scheme: str = "https"
    username: str = ""
    password: str = ""
    identity_token: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure: bool = False

    @property
    def origin(self) -> Origin:
        """What these credentials belong to.

        :raises AddressError: if the host is none.
        """
        return bare_origin_of("%s://%s" % (self.scheme, self.host))

    @property
    def has_credentials(self) -> bool:
        return bool(self.username or self.identity_token)

    @property
    def basic(self) -> str:
        """The value of ``Authorization`` for basic authentication."""
        return basic_header(self.username, self.password)
