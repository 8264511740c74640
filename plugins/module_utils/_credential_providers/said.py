# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a provider says about its failure, fit to be shown: it may print the very token that it was to give."""

from __future__ import annotations

import re
from typing import Iterable

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import MASK, Redactor

from .provider import Provider

_LONGEST = 300
# Of a token nobody knows the form: whatever is long enough to be one is not shown.
_LONG_WORD = re.compile(r"[A-Za-z0-9+=_-]{32,}")


def shown(text: str, providers: Iterable[Provider] = ()) -> str:
    """A text without the variables of these providers, and without whatever may be a credential."""
    return _LONG_WORD.sub(MASK, _redactor(providers).text(text))


def last_line(errors: bytes, provider: Provider) -> str:
    """The last line that a provider has written, as :func:`shown`, cut to a length; "" if it has written none."""
    text = _redactor([provider]).lines(errors.decode("utf-8", "replace").splitlines())
    lines = [_LONG_WORD.sub(MASK, line.strip()) for line in text if line.strip()]
    return lines[-1][:_LONGEST] if lines else ""


def reason(text: str, providers: Iterable[Provider]) -> str:
    """A reason as :func:`shown`, cut to a length."""
    return shown(text, providers)[:_LONGEST]


def _redactor(providers: Iterable[Provider]) -> Redactor:
    return Redactor([value for provider in providers for _name, value in provider.env])
