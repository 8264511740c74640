# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of reading and writing registries.yaml."""

from __future__ import annotations


class DecodeError(ValueError):
    """K3s cannot use the text, or, when asked to be strict, would silently ignore part of it.

    The message is worded as K3s words it but never holds a value, which may be a password.

    :ivar message: all of it, such as ``line 3: cannot unmarshal !!str into bool``.
    :ivar line: the first line concerned, counted from 1; None where no line can be named.
    :ivar path: the first place concerned, such as ``configs.r.example.com.tls``; "" where there is none.
    :ivar column: where in that line, counted from 1; None where only the line is known.
    """

    def __init__(self, message: str, line: int | None = None, path: str = "", column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.path = path
        self.column = column


class EncodeError(ValueError):
    """The configuration holds text that no YAML can carry (lone surrogates); the message names the path."""
