# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filters share: arguments as plain, checked values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible.errors import AnsibleFilterError
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import ConfigError, normalise
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.decode import decode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import DecodeError

if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


def configuration(value: Any, name: str) -> Config:
    """A filter's argument, a mapping or the text of a registries.yaml, as a normalised configuration.

    :param name: the filter's, for the error.
    :raises AnsibleFilterError: if it is no configuration; the message names the path, never a value.
    """
    given = plain(value)
    if isinstance(given, (str, bytes)):
        return decoded(given, name)
    if given is not None and not isinstance(given, dict):
        raise AnsibleFilterError(
            f"{name}: the configuration must be a mapping with the keys mirrors and configs, or the text of a"
            f" registries.yaml, not {type(given).__name__}"
        )
    try:
        return normalise(given)
    except ConfigError as error:
        raise AnsibleFilterError(f"{name}: {error}") from None


def decoded(source: str | bytes, name: str, strict: bool = True) -> Config:
    """The text of a registries.yaml as a configuration.

    :raises AnsibleFilterError: if K3s refuses it or, when strict, ignores part of it; the message names the lines.
    """
    try:
        return decode(source, strict=strict)
    except DecodeError as error:
        if strict and _loses_nothing(source):
            return decode(source)
        verb = "refuses or partly ignores" if strict else "refuses"
        raise AnsibleFilterError(f"{name}: K3s {verb} this text: {error.message}") from None


def _loses_nothing(source: str | bytes) -> bool:
    """Whether lint calls none of the keys that K3s ignores an error, such as helpers of anchors, ``x-...``."""
    # Only a text that a strict reader refuses needs the rules.
    from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.document import Document
    from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.text import lint_document

    findings, config = lint_document(Document(source))
    of_the_shape = [finding for finding in findings if finding["code"].startswith("K3R1")]
    return config is not None and all(finding["level"] != "error" for finding in of_the_shape)


def text(value: Any, name: str, argument: str) -> str:
    """A filter's argument that must be text.

    :raises AnsibleFilterError: if it is anything else.
    """
    return str(_of_kind(str, "text", value, name, argument))


def flag(value: Any, name: str, argument: str) -> bool:
    """A filter's argument that must be true or false.

    :raises AnsibleFilterError: if it is anything else, such as the text ``"false"``.
    """
    return bool(_of_kind(bool, "true or false", value, name, argument))


def _of_kind(kind: type, wanted: str, value: Any, name: str, argument: str) -> Any:
    given = plain(value)
    if not isinstance(given, kind):
        raise AnsibleFilterError(f"{name}: {argument} must be {wanted}, not {type(given).__name__}")
    return given
