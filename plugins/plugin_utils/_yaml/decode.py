# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registries.yaml as K3s reads it: gopkg.in/yaml.v2 2.4.0 into the structures of rancher/wharfie.

Sources: wharfie ``pkg/registries/types.go`` for the structures and yaml.v2 ``decode.go`` for what it
does with a tree of nodes: keys are matched by exact spelling, unknown ones are dropped, a later key
wins, a map that is there already is added to, merge keys count where they stand, and one wrong type
refuses the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.naming import auth_key, redacted
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible

from . import scalars
from .errors import DecodeError
from .nodes import ALIAS, MAPPING, SCALAR, SEQUENCE, Node, compose
from .reader import read_characters

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


def decode(source: str | bytes, strict: bool = False) -> Config:
    """The configuration that K3s gets out of a registries.yaml.

    :param source: the text, or the file's bytes (UTF-8, or UTF-16 with a byte order mark).
    :param strict: also refuse what K3s drops in silence: unknown and duplicate keys.
    :returns: a configuration with every known key present.
    :raises DecodeError: where K3s refuses the file; the message is worded like K3s' own, without
        values.
    """
    return decode_tree(compose(read_characters(source)), strict)


def decode_tree(root: Node | None, strict: bool = False) -> Config:
    """The same out of the root of a document that is composed already; None is an empty document."""
    decoder = _Decoder(strict)
    registry = _REGISTRY.empty()
    if root is not None:
        try:
            registry = decoder.decode(root, _REGISTRY, registry, "").value
        except RecursionError:
            raise DecodeError("the document is nested too deeply") from None
    if decoder.problems:
        first = decoder.problems[0]
        listed = "; ".join(f"line {problem.line}: {problem.text}" for problem in decoder.problems[:_MOST_PROBLEMS])
        if len(decoder.problems) > _MOST_PROBLEMS:
            listed += "; and %d more" % (len(decoder.problems) - _MOST_PROBLEMS)
        raise DecodeError(f"unmarshal errors: {listed}", first.line, first.path, first.column)
    return {"mirrors": registry["mirrors"], "configs": registry["configs"]}


class _Problem(NamedTuple):
    line: int
    path: str
    text: str
    column: int


class _Result(NamedTuple):
    """A decoded value, and whether it was fit to be used."""

    good: bool
    value: Any


class _Text(NamedTuple):
    """A string."""

    name: str = "string"

    def zero(self) -> str:
        return ""


class _Flag(NamedTuple):
    """A bool."""

    name: str = "bool"

    def zero(self) -> bool:
        return False


class _List(NamedTuple):
    """A slice of strings."""

    name: str = "[]string"

    def zero(self) -> list[str]:
        return []


class _Map(NamedTuple):
    """A map of strings to one type."""

    name: str
    item: _Type

    def zero(self) -> dict[str, Any]:
        return {}


class _Struct(NamedTuple):
    """A structure. ``pointer``: null leaves it out altogether."""

    name: str
    fields: dict[str, _Type]
    pointer: bool = False

    def zero(self) -> dict[str, Any] | None:
        return None if self.pointer else self.empty()

    def empty(self) -> dict[str, Any]:
        return {key: field.zero() for key, field in self.fields.items()}


if TYPE_CHECKING:
    _Type = _Text | _Flag | _List | _Map | _Struct

# The first of many are as good as all of them: aliases can make hundreds of thousands out of a few lines.
_MOST_PROBLEMS = 20
_MOST_TEXT_IN_ALIASES = 8 << 20
_LONGEST_NAME = 120
_AUTH = "registries.AuthConfig"
_AUTH_FIELDS: dict[str, _Type] = {
    "username": _Text(),
    "password": _Text(),
    "auth": _Text(),
    "identity_token": _Text(),
}
_TLS_FIELDS: dict[str, _Type] = {
    "ca_file": _Text(),
    "cert_file": _Text(),
    "key_file": _Text(),
    "insecure_skip_verify": _Flag(),
}
_MIRROR = _Struct("registries.Mirror", {"endpoint": _List(), "rewrite": _Map("map[string]string", _Text())})
_HOST = _Struct(
    "registries.RegistryConfig",
    {
        "auth": _Struct(_AUTH, _AUTH_FIELDS, pointer=True),
        "tls": _Struct("registries.TLSConfig", _TLS_FIELDS, pointer=True),
    },
)
# ``auths`` is read, and so can refuse the file, but K3s writes it nowhere.
_REGISTRY = _Struct(
    "registries.Registry",
    {
        "mirrors": _Map("map[string]registries.Mirror", _MIRROR),
        "configs": _Map("map[string]registries.RegistryConfig", _HOST),
        "auths": _Map("map[string]registries.AuthConfig", _Struct(_AUTH, _AUTH_FIELDS)),
    },
)


class _Decoder:
    """One run over a tree. Wrong types are collected, as yaml.v2 does; everything else ends the run."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.problems: list[_Problem] = []
        self._decoded = 0
        self._decoded_in_aliases = 0
        self._text_in_aliases = 0
        self._open_aliases: list[Node] = []

    def decode(self, node: Node, wanted: _Type, current: Any, path: str) -> _Result:
        """Decodes ``node`` into ``current``, a value of type ``wanted`` that may be filled already."""
        self._count()
        if node.kind == ALIAS:
            return self._alias(node, wanted, current, path)
        if isinstance(wanted, _Struct) and wanted.pointer and current is None and not _is_null(node):
            current = wanted.empty()
        if node.kind == SCALAR:
            return self._scalar(node, wanted, path)
        if node.kind == MAPPING:
            if isinstance(wanted, _Struct):
                return self._struct(node, wanted, current, path)
            if isinstance(wanted, _Map):
                return self._map(node, wanted, current, path)
            return self._wrong_type(node, "!!map", wanted, path)
        if isinstance(wanted, _List):
            return self._list(node, path)
        return self._wrong_type(node, "!!seq", wanted, path)

    def _count(self) -> None:
        """yaml.v2's guard against aliases that blow a small document up."""
        self._decoded += 1
        if self._open_aliases:
            self._decoded_in_aliases += 1
        if self._decoded_in_aliases <= 100 or self._decoded <= 1000:
            return
        low, high = 400_000, 4_000_000
        share = min(max((self._decoded - low) / (high - low), 0.0), 1.0)
        if self._decoded_in_aliases / self._decoded > 0.99 - 0.89 * share:
            raise DecodeError("document contains excessive aliasing")

    def _alias(self, node: Node, wanted: _Type, current: Any, path: str) -> _Result:
        if any(node is open_alias for open_alias in self._open_aliases):
            raise DecodeError(f"line {node.line}: anchor value contains itself", node.line, path)
        if node.target is None:  # the composer gives every alias its target
            raise DecodeError(f"line {node.line}: unknown anchor", node.line, path)
        self._open_aliases.append(node)
        result = self.decode(node.target, wanted, current, path)
        self._open_aliases.pop()
        return result

    def _scalar(self, node: Node, wanted: _Type, path: str) -> _Result:
        if self._open_aliases:
            # Not K3s' guard: Go keeps one text for all its aliases, and writes it as often into hosts.toml.
            self._text_in_aliases += len(node.value)
            if self._text_in_aliases > _MOST_TEXT_IN_ALIASES:
                raise DecodeError("document contains excessive aliasing")
        try:
            found = scalars.type_of(node.tag, node.value, node.implicit)
            text = scalars.decode_binary(node.value) if found == scalars.BINARY else node.value
        except scalars.ScalarError as error:
            raise DecodeError(f"line {node.line}: {error}", node.line, path) from None
        if found == scalars.NULL:
            # "Null" and "NULL" are found too late to leave a structure out: it is there, and empty.
            late = isinstance(wanted, _Struct) and not _is_null(node)
            return _Result(True, wanted.empty() if isinstance(wanted, _Struct) and late else wanted.zero())
        if isinstance(wanted, _Text):
            return _Result(True, text)
        if isinstance(wanted, _Flag) and found == scalars.BOOL:
            return _Result(True, scalars.truth(node.value))
        return self._wrong_type(node, scalars.short(node.tag or found), wanted, path)

    def _list(self, node: Node, path: str) -> _Result:
        results = [self.decode(child, _Text(), "", f"{path}[{index}]") for index, child in enumerate(node.children)]
        return _Result(True, [result.value for result in results if result.good])

    def _entries(self, node: Node, wanted: _Type, current: Any, path: str) -> Iterator[tuple[Node, Node, str]]:
        """Keys that are text, with their nodes and values; what ``<<`` merges is added to ``current``."""
        for key_node, value_node in _pairs(node):
            if _is_merge(key_node):
                self._merge(value_node, wanted, current, path)
                continue
            key = self.decode(key_node, _Text(), "", path)
            if key.good:
                yield key_node, value_node, key.value

    def _map(self, node: Node, wanted: _Map, current: dict[str, Any], path: str) -> _Result:
        for _key_node, value_node, name in self._entries(node, wanted, current, path):
            place = f"{path}.{_shown(name)}"
            item = self.decode(value_node, wanted.item, wanted.item.zero(), place)
            if self.strict and name in current:
                self._problem(value_node, place, "key already set in map")
            elif item.good:
                current[name] = item.value
        return _Result(True, current)

    def _struct(self, node: Node, wanted: _Struct, current: dict[str, Any], path: str) -> _Result:
        seen = set()
        for key_node, value_node, name in self._entries(node, wanted, current, path):
            shown = _shown(name) if wanted.name != _AUTH else _shown_in_auth(name, value_node)
            place = f"{path}.{shown}" if path else shown
            if name not in wanted.fields:
                if self.strict:
                    self._problem(key_node, place, f"field {shown} not found in type {wanted.name}")
                continue
            if self.strict and name in seen:
                self._problem(key_node, place, f"field {name} already set in type {wanted.name}")
                continue
            seen.add(name)
            result = self.decode(value_node, wanted.fields[name], current[name], place)
            if result.good:
                current[name] = result.value
        return _Result(True, current)

    def _merge(self, node: Node, wanted: _Type, current: Any, path: str) -> None:
        """``<<``: adds what a mapping, or each of a list of mappings, holds, over what is there."""
        sources = reversed(node.children) if node.kind == SEQUENCE else [node]
        for source in sources:
            target = source.target if source.kind == ALIAS else source
            if target is None or target.kind != MAPPING:
                message = "map merge requires map or sequence of maps as the value"
                raise DecodeError(f"line {node.line}: {message}", node.line, path)
            self.decode(source, wanted, current, path)

    def _wrong_type(self, node: Node, found: str, wanted: _Type, path: str) -> _Result:
        self._problem(node, path, f"cannot unmarshal {found} into {wanted.name}")
        return _Result(False, wanted.zero())

    def _problem(self, node: Node, path: str, text: str) -> None:
        self.problems.append(_Problem(node.line, path, f"{path}: {text}" if path else text, node.column))


def _shown(name: str) -> str:
    """A key as messages show it: some are URLs, and some of those hold a password."""
    shown = redacted(name)
    return visible(shown if len(shown) <= _LONGEST_NAME else shown[:_LONGEST_NAME] + "...")


def _shown_in_auth(name: str, value: Node) -> str:
    """A key under ``auth``, which may be a secret whose own key or colon is missing."""
    return name if name in _AUTH_FIELDS else auth_key(name, list(_AUTH_FIELDS), with_value=not _is_null(value))


def _pairs(node: Node) -> Iterator[tuple[Node, Node]]:
    children = iter(node.children)
    return zip(children, children)


def _is_null(node: Node) -> bool:
    """Null early enough to leave a structure out; yaml.v2 asks before it knows the scalar's type."""
    if node.tag == scalars.NULL:
        return True
    return node.kind == SCALAR and not node.tag and (node.value in {"null", "~"} or (not node.value and node.implicit))


def _is_merge(node: Node) -> bool:
    return node.kind == SCALAR and node.value == "<<" and (node.implicit or node.tag == scalars.MERGE)
