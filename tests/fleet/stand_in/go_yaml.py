# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decodes a registries.yaml as K3s does: `gopkg.in/yaml.v2` (non-strict) into the structs of rancher/wharfie.

libyaml, which PyYAML's C loader wraps, is what yaml.v2 was ported from: scanner and parser errors are the same.
The rules of the decoder (what a scalar may become, which errors are collected) are repeated here.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import yaml

NULLS = ("", "~", "null", "Null", "NULL")
BOOLS = {
    word: value
    for value, words in (
        (True, "y Y yes Yes YES true True TRUE on On ON"),
        (False, "n N no No NO false False FALSE off Off OFF"),
    )
    for word in words.split()
}
INTEGER = re.compile(r"^[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")
FLOAT = re.compile(r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")
TIMESTAMP = re.compile(r"^\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?$")
CORE = "tag:yaml.org,2002:"


class YAMLError(Exception):
    """Worded as yaml.v2 words it, `yaml: ` included."""


class String:
    name = "string"
    kind = "scalar"

    @staticmethod
    def zero() -> str:
        return ""


class Bool:
    name = "bool"
    kind = "scalar"

    @staticmethod
    def zero() -> bool:
        return False


class List:
    kind = "sequence"

    def __init__(self, item: Any) -> None:
        self.item = item
        self.name = "[]" + item.name

    @staticmethod
    def zero() -> list[Any]:
        return []


class Map:
    kind = "mapping"

    def __init__(self, value: Any) -> None:
        self.value = value
        self.name = "map[string]" + value.name

    @staticmethod
    def zero() -> dict[str, Any]:
        return {}


class Struct:
    kind = "mapping"

    def __init__(self, name: str, pointer: bool = False, **fields: Any) -> None:
        self.name = name
        self.pointer = pointer
        self.fields = fields

    def zero(self) -> dict[str, Any] | None:
        return None if self.pointer else self.empty()

    def empty(self) -> dict[str, Any]:
        return {name: field.zero() for name, field in self.fields.items()}


# https://github.com/rancher/wharfie/blob/master/pkg/registries/types.go
AUTH = Struct("registries.AuthConfig", True, username=String, password=String, auth=String, identity_token=String)
TLS = Struct("registries.TLSConfig", True, ca_file=String, cert_file=String, key_file=String, insecure_skip_verify=Bool)
MIRROR = Struct("registries.Mirror", endpoint=List(String), rewrite=Map(String))
CONFIG = Struct("registries.RegistryConfig", auth=AUTH, tls=TLS)
REGISTRY = Struct("registries.Registry", mirrors=Map(MIRROR), configs=Map(CONFIG), auths=Map(AUTH))


class PlainLoader(yaml.CLoader):
    """Keeps every scalar's text: what it means depends on the field it goes to."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012


def compose(text: bytes) -> Any:
    """The node tree of the first document, or None for an empty one; a second document is never looked at."""
    try:
        loader = PlainLoader(text)
        try:
            return loader.get_node() if loader.check_node() else None
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        raise YAMLError("yaml: %s" % error.reason) from error
    except yaml.MarkedYAMLError as error:
        raise YAMLError(
            "yaml: %s%s" % (_where(error), error.problem or "unknown problem parsing YAML content")
        ) from error


def _where(error: yaml.MarkedYAMLError) -> str:
    """yaml.v2 counts the scanner's lines from one and the parser's from zero, and never names line 0."""
    if isinstance(error, yaml.composer.ComposerError):
        return ""
    line = 0
    if error.problem_mark is not None and error.problem_mark.line:
        line = error.problem_mark.line + (1 if isinstance(error, yaml.scanner.ScannerError) else 0)
    elif error.context_mark is not None:
        line = error.context_mark.line
    return "line %d: " % line if line else ""


def decode(text: bytes, schema: Any = REGISTRY) -> Any:
    """What yaml.v2's Unmarshal leaves in a value of `schema`.

    :raises YAMLError: where Unmarshal returns an error.
    """
    node = compose(text)
    if node is None:
        return schema.empty()
    decoder = _Decoder()
    value = decoder.value(node, schema, schema.empty())
    if decoder.errors:
        raise YAMLError("yaml: unmarshal errors:\n" + "\n".join("  " + error for error in decoder.errors))
    return value


def plain(text: bytes) -> Any:
    """A text as ordinary values, for K3s' own config.yaml and manifests.

    :raises YAMLError: for what is not YAML.
    """
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.reader.ReaderError as error:
        raise YAMLError("yaml: %s" % error.reason) from error
    except yaml.MarkedYAMLError as error:
        raise YAMLError("yaml: %s%s" % (_where(error), error.problem)) from error


def _resolve(node: Any) -> tuple[str, Any]:
    """The short tag and the value of a scalar."""
    if node.tag not in (CORE + "str", "!"):
        if node.tag == CORE + "binary":
            return "!!binary", base64.b64decode(node.value).decode("utf-8", "replace")
        return node.tag.replace(CORE, "!!"), None if node.tag == CORE + "null" else node.value
    text = node.value
    if node.style not in (None, ""):
        return "!!str", text
    if text in NULLS:
        return "!!null", None
    if text in BOOLS:
        return "!!bool", BOOLS[text]
    for tag, pattern in (("!!int", INTEGER), ("!!float", FLOAT), ("!!timestamp", TIMESTAMP)):
        if pattern.match(text):
            return tag, text
    return "!!str", text


class _Decoder:
    def __init__(self) -> None:
        self.errors: list[str] = []

    def _refuse(self, node: Any, schema: Any) -> None:
        tag, shown = {"SequenceNode": ("!!seq", ""), "MappingNode": ("!!map", "")}.get(type(node).__name__, ("", ""))
        if not tag:
            tag = _resolve(node)[0]
            text = node.value
            shown = " `%s`" % (text if len(text) <= 10 else text[:7] + "...")
        self.errors.append(
            "line %d: cannot unmarshal %s%s into %s" % (node.start_mark.line + 1, tag, shown, schema.name)
        )

    def value(self, node: Any, schema: Any, old: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, schema, old)
        if isinstance(node, yaml.SequenceNode):
            if schema.kind != "sequence":
                self._refuse(node, schema)
                return old
            return [self.value(item, schema.item, schema.item.zero()) for item in node.value]
        if schema.kind != "mapping":
            self._refuse(node, schema)
            return old
        return self._mapping(node, schema, old)

    def _scalar(self, node: Any, schema: Any, old: Any) -> Any:
        tag, value = _resolve(node)
        if tag == "!!null":
            # A null empties pointers, maps and lists, and leaves anything else as it was.
            return (
                old
                if schema in (String, Bool) or (isinstance(schema, Struct) and not schema.pointer)
                else schema.zero()
            )
        if schema is String:
            return value if tag == "!!binary" else node.value
        if schema is Bool and tag == "!!bool":
            return value if isinstance(value, bool) else BOOLS.get(value, False)
        self._refuse(node, schema)
        return old

    def _mapping(self, node: Any, schema: Any, old: Any) -> Any:
        result = dict(old) if old is not None else schema.empty() if isinstance(schema, Struct) else {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == "<<" and key.style in (None, ""):
                result = self._merge(value, schema, result)
                continue
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, String)
                continue
            name = key.value if _resolve(key)[0] != "!!null" else ""
            if isinstance(schema, Map):
                result[name] = self.value(value, schema.value, schema.value.zero())
            elif name in schema.fields:
                result[name] = self.value(value, schema.fields[name], result[name])
        return result

    def _merge(self, node: Any, schema: Any, result: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, schema, result)
        if isinstance(node, yaml.SequenceNode):
            for item in reversed(node.value):
                result = self._mapping(item, schema, result)
            return result
        raise YAMLError("yaml: map merge requires map or sequence of maps as the value")
