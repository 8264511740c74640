# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules about the text of a registries.yaml. The controller, which has a YAML parser, checks them."""

from __future__ import annotations

from .catalogue import ERROR, declare

_DECODER = "gopkg.in/yaml.v2; k3s-io/k3s pkg/agent/config (the file is read in a retry loop)"

UNREADABLE = declare(
    "K3R111",
    ERROR,
    "registries.yaml cannot be read",
    "K3s does not stop on such a file, it waits forever: the agent looks active without containerd or kubelet, the "
    "restart of a server never returns.",
    _DECODER,
    "Correct the line; text with special characters belongs in quotes.",
)
DUPLICATE_KEY = declare(
    "K3R112",
    ERROR,
    "Key given twice",
    "The later one wins, and what the earlier one says is dropped without a word.",
    "gopkg.in/yaml.v2 decode.go",
    "Merge the two.",
)
SECOND_DOCUMENT = declare(
    "K3R113",
    ERROR,
    "Second YAML document",
    "K3s reads only the first document of the file.",
    "gopkg.in/yaml.v2 Unmarshal",
    "Merge the documents, or remove the second one.",
)
STRICT = declare(
    "K3R114",
    ERROR,
    "Part of the file that K3s drops",
    "A strict decoder refuses it, K3s' own drops it without a word.",
    "gopkg.in/yaml.v2 UnmarshalStrict",
    "Remove it, or write it as the documentation shows.",
)
