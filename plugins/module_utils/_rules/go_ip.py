# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and ``host:port`` as Go's ``net`` and ``net/netip`` see them."""

from __future__ import annotations

import re
from typing import NamedTuple

_IPV4 = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})\Z")
_GROUP = re.compile(r"[0-9A-Fa-f]{1,4}\Z")


class Address(NamedTuple):
    """A parsed IP address: ``version`` 4 or 6, ``value`` as a number, ``zone`` (IPv6 only)."""

    version: int
    value: int
    zone: str = ""

    @property
    def is_loopback(self) -> bool:
        """127.0.0.0/8 (also written as an IPv4-mapped IPv6 address) or ::1."""
        if self.version == 4:
            return self.value >> 24 == 127
        if self.value >> 32 == 0xFFFF:
            return (self.value & 0xFFFFFFFF) >> 24 == 127
        return self.value == 1


def parse_ip(text: str) -> Address | str:
    """Go's ``netip.ParseAddr``: the address, or the reason (a short text) why it is none."""
    for char in text:
        if char == ".":
            value = _ipv4(text)
            return Address(4, value) if value is not None else f'ParseAddr("{text}"): not an IPv4 address'
        if char == ":":
            return _ipv6(text)
        if char == "%":
            return f'ParseAddr("{text}"): missing IPv6 address'
    return f'ParseAddr("{text}"): unable to parse IP'


def _ipv4(text: str) -> int | None:
    if not _IPV4.match(text):
        return None
    value = 0
    for part in text.split("."):
        number = int(part)
        if number > 255:
            return None
        value = value << 8 | number
    return value


def _ipv6(text: str) -> Address | str:
    refused = f'ParseAddr("{text}"): not an IPv6 address'
    address, percent, zone = text.partition("%")
    if percent and not zone:
        return f'ParseAddr("{text}"): zone must be a non-empty string'
    head, ellipsis, tail = address.partition("::")
    left = _groups(head, may_end_in_ipv4=not ellipsis)
    right = _groups(tail, may_end_in_ipv4=True)
    if left is None or right is None:
        return refused
    missing = 8 - len(left) - len(right)
    if (ellipsis and missing < 1) or (not ellipsis and missing != 0):
        return refused
    value = 0
    for group in left + [0] * missing + right:
        value = value << 16 | group
    return Address(6, value, zone)


def _groups(text: str, may_end_in_ipv4: bool) -> list[int] | None:
    if not text:
        return []
    parts = text.split(":")
    numbers: list[int] = []
    for index, part in enumerate(parts):
        if may_end_in_ipv4 and index == len(parts) - 1 and "." in part:
            value = _ipv4(part)
            if value is None:
                return None
            numbers += [value >> 16, value & 0xFFFF]
        elif _GROUP.match(part):
            numbers.append(int(part, 16))
        else:
            return None
    return numbers


def split_host_port(text: str) -> tuple[str, str] | None:
    """Go's ``net.SplitHostPort``: (host without brackets, port), or None if Go returns an error."""
    colon = text.rfind(":")
    if colon < 0:
        return None
    after_opening = after_closing = 0
    if text[0] == "[":
        end = text.find("]")
        if end < 0 or end + 1 != colon:
            return None
        host = text[1:end]
        after_opening, after_closing = 1, end + 1
    else:
        host = text[:colon]
        if ":" in host:
            return None
    if "[" in text[after_opening:] or "]" in text[after_closing:]:
        return None
    return host, text[colon + 1 :]


def is_localhost(host: str) -> bool:
    """containerd's ``docker.IsLocalhost``: whether ``host`` or ``host:port`` is this machine.

    Only the name ``localhost`` and loopback addresses count; an IPv6 address in brackets without a
    port does not, because Go then fails to split it. Source: containerd
    ``core/remotes/docker/resolver.go``.
    """
    split = split_host_port(host)
    name = split[0] if split is not None else host
    if name == "localhost":
        return True
    address = parse_ip(name)
    return isinstance(address, Address) and not address.zone and address.is_loopback
