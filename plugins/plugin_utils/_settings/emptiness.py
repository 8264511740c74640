# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a configuration says anything at all: one that does not would empty the registries.yaml of a whole fleet."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.given import Given

_PARTS = ("mirrors", "configs")


def problem(given: Given, settings: Mapping[str, Any]) -> str:
    """What is wrong with a configuration to put in place; "" if it says something.

    :param given: the user's ``k3s_registries``. If left out or ``{}``, only the settings are managed.
    :param settings: ``disable_default_endpoint``, ``embedded_registry`` and ``system_default_registry``; None: not set.
    """
    config = given.config
    if given.errors:
        # A mistyped key or a wrong type is why nothing is left; that has words of its own.
        return ""
    if not config:
        if any(value is not None for value in settings.values()):
            return ""
        return (
            "k3s_registries is empty, and so are the settings that go with it: give it the content of registries.yaml, "
            "or remove the registries with state: absent (k3sfleet.registries.remove)"
        )
    if _says_something(config, settings.get("embedded_registry") is not False):
        return ""
    return (
        "k3s_registries has nothing in it that K3s would use (%s), and would replace the registries.yaml of every node "
        "with an empty one. Maybe another role sets a variable of this name. Give it the content of registries.yaml "
        "when you run this collection; leave it out (or {}) to manage only the settings; or remove the registries with "
        "state: absent (k3sfleet.registries.remove)" % "; ".join(_empty_parts(config))
    )


def _says_something(config: Mapping[str, Any], embedded: bool) -> bool:
    mirrors, configs = (config.get(part) for part in _PARTS)
    if isinstance(mirrors, Mapping):
        # A mirror without endpoints is one of the embedded registry, unless that is off.
        if any(embedded or _has_endpoint(mirror) for mirror in mirrors.values()):
            return True
    elif mirrors:
        return True
    return _has_value(configs)


def _has_endpoint(mirror: Any) -> bool:
    return _has_value(mirror.get("endpoint") if isinstance(mirror, Mapping) else mirror)


def _has_value(value: Any) -> bool:
    """Whether there is anything but nulls and empty things, at any depth."""
    if isinstance(value, Mapping):
        return any(_has_value(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_value(item) for item in value)
    return value is not None and value != ""


def _empty_parts(config: Mapping[str, Any]) -> list[str]:
    said = []
    for part in _PARTS:
        value = config.get(part)
        if part not in config:
            said.append("no %s" % part)
        elif value:
            said.append("%s: nothing but empty entries (%s)" % (part, ", ".join(sorted(map(str, value)))))
        else:
            said.append("%s: %s" % (part, "null" if value is None else "empty"))
    return said
