# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings in a K3s configuration file that the node itself cannot read, by PyYAML.

A node is not trusted: its file may be made to keep the controller busy. So the text is composed, which takes time in
proportion to its length, and only plain values of the top level are looked at; no alias is ever expanded.
"""

from __future__ import annotations

from typing import Any

import yaml
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.settings import KEYS

LARGEST = 128 << 10
"""Characters of one file. What is longer is nobody's configuration of K3s, and takes minutes to be read."""
LARGEST_TOGETHER = 256 << 10
"""Characters of all files of a node."""

_MOST_ITEMS = 50


class NoYaml(ValueError):
    """K3s does not start with this file."""


def yaml_entries(text: str) -> list[tuple[str, Any]]:
    """Keys and values that count, in the order of the file.

    :raises NoYaml: when it is not YAML, or not a mapping. The message holds nothing of the text.
    """
    if len(text) > LARGEST:
        raise NoYaml("it is larger than %d KiB" % (LARGEST >> 10))
    root = None
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_node() if loader.check_node() else None
        found = []
        for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.value.rstrip("+").lstrip("-") in KEYS:
                found.append((key.value, _value(loader, value)))
    except (yaml.YAMLError, ValueError, RecursionError):
        # The parser's message quotes the line, which may hold the cluster's token.
        raise NoYaml("it is not valid YAML") from None
    finally:
        if loader is not None:
            loader.dispose()
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise NoYaml("it is not a mapping")
    return found


def _value(loader: Any, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_object(node)
        return value if isinstance(value, (bool, int, float, str)) or value is None else node.value
    if isinstance(node, yaml.SequenceNode):
        return [item.value for item in node.value[:_MOST_ITEMS] if isinstance(item, yaml.ScalarNode)]
    # Nothing that counts in K3s' settings is one.
    return "(a mapping)"
