# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What K3s' decoder refuses or drops silently: unknown keys, wrong types, sections in the wrong place.

K3s reads registries.yaml with gopkg.in/yaml.v2, non-strict: an unknown key is dropped silently, a wrong type
rejects the whole file, and a K3s that rejects the file does not stop: it waits for it to become right.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Iterable, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.stated import KEY, WANTED, day_of

from . import placeholders, schema
from .catalogue import ERROR, WARNING, declare
from .naming import auth_key, listed, meant, path, quoted

_TYPES_GO = "rancher/wharfie pkg/registries/types.go"
_DECODER = "gopkg.in/yaml.v2 decode.go; k3s-io/k3s pkg/agent/config (the file is read in a retry loop)"

UNKNOWN_KEY = declare(
    "K3R101",
    ERROR,
    "Unknown key",
    "K3s drops a key that it does not know without a word, at every level: what stands under it has no effect.",
    _TYPES_GO,
    "Use a key that K3s knows, or remove it.",
)
WRONG_TYPE = declare(
    "K3R102",
    ERROR,
    "Wrong type",
    "One value of the wrong type makes K3s reject the whole file, and a running service then waits forever: the "
    "agent looks active without containerd or kubelet, the restart of a server never returns.",
    _DECODER,
    "Write it as the documentation shows.",
)
NOT_A_BOOLEAN = declare(
    "K3R103",
    ERROR,
    "insecure_skip_verify is no boolean",
    'Text ("true") and numbers (1) make K3s reject the whole file. Jinja expressions and -e name=value give text.',
    _DECODER,
    "Write true or false without quotes; in a template use `| bool`, on the command line -e '{\"name\": true}'.",
)
NOT_TEXT = declare(
    "K3R104",
    ERROR,
    "A number, date or boolean where text belongs",
    "Ansible has read the value as a number, and its spelling is lost: 0123 became 83, 1e3 became 1000.0, yes became "
    "true. For a password that is another password.",
    "YAML 1.1 types (yaml.org/type); " + _TYPES_GO,
    "Put it in quotes.",
)
MISPLACED_SECTION = declare(
    "K3R105",
    ERROR,
    "Section in the wrong place",
    "configs: indented under mirrors: is read as a mirror named configs: all credentials and TLS settings are lost, "
    "without a word.",
    "https://github.com/k3s-io/k3s/issues/10135",
    "Move it to the top level: mirrors: and configs: stand side by side.",
)
AUTH_TOKEN = declare(
    "K3R106",
    ERROR,
    "auth.token is not read by K3s",
    "K3s' documentation showed it for years, K3s never read it: the pull is anonymous.",
    "https://github.com/k3s-io/docs/pull/589; " + _TYPES_GO,
    "Use username and password (a personal access token is a password); auth is base64 of username:password; an "
    "OAuth2 refresh token goes to identity_token.",
)
AUTHS = declare(
    "K3R107",
    ERROR,
    "auths: has no effect",
    "The top-level section auths: is parsed and written nowhere.",
    _TYPES_GO + ", deprecated field Auths",
    'Write the credentials under configs."<endpoint host[:port]>".auth.',
)
INVISIBLE = declare(
    "K3R108",
    ERROR,
    "White space or invisible character in a name",
    "A no-break space used for indentation becomes part of the key, and K3s drops what stands under it; a space or "
    "line break in a host or path never matches anything.",
    "https://github.com/k3s-io/k3s/issues/2156",
    "Delete the character and type the name again.",
)
PLACEHOLDER = declare(
    "K3R109",
    ERROR,
    "Placeholder that was not filled in",
    "K3s takes the file as it is: nobody replaces <REGISTRY>, $TOKEN, ${VARIABLE}, {{ variable }}, %%NAME%%, CHANGEME "
    "or xxxxxx when it reads it.",
    "https://docs.k3s.io/installation/private-registry (its samples); "
    "https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_templating.html",
    "Write the value itself. A template has to be rendered first, and its variable has to be defined.",
)
SHIPPING_KEY = declare(
    "K3R110",
    ERROR,
    "Key of this collection in a registries.yaml",
    "ca_src, cert_content, expires and the like belong to the variable k3s_registries of this collection; K3s itself "
    "drops them without a word.",
    _TYPES_GO,
    "Use ca_file, cert_file and key_file with paths on the node, or give the configuration as k3s_registries.",
)
NO_DAY = declare(
    "K3R115",
    ERROR,
    "auth.expires is no day",
    "auth.expires is a key of this collection: the day on which credentials end, by which lint, verify and the report "
    "warn in time. They cannot do that by anything else.",
    "docs/credentials.md",
    "Write the day: expires: 2027-01-31.",
)

NOTHING_LOST = declare(
    "K3R120",
    WARNING,
    "Key that K3s drops, and that loses nothing",
    "K3s does not know it there. An empty section, a key that begins with x- and one whose content is used elsewhere "
    "by an anchor do no harm; a strict reader refuses them all the same.",
    _TYPES_GO,
    "Leave it, or write its content where it is used.",
)

# A registries.yaml is four levels deep.
_DEEPEST = 4
# Blank or without a shape of its own: spaces of all kinds, zero-width characters, byte order mark, controls.
_INVISIBLE = re.compile("[\\s\x00-\x1f\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202f\u2060\ufeff\ud800-\udfff]")


class Scalar(str):
    """A scalar of a YAML text, with its spelling and the kind K3s' decoder resolves it to (`bool`, `int`, `str` ...).

    In a text K3s takes the spelling of any scalar if text is wanted; in a value of Ansible it is lost.
    """

    kind = "str"
    boolean = False

    @classmethod
    def of(cls, text: str, kind: str, boolean: bool = False) -> Scalar:
        scalar = cls(text)
        scalar.kind = kind
        scalar.boolean = boolean
        return scalar


class _Content:
    """Everything that stands under the sections, to tell whether a helper key's content is used there.

    An anchor is gone once a text has been read: what it stood for is then there twice.
    """

    def __init__(self, sections: Iterable[Any]) -> None:
        self._mappings: list[Mapping[Any, Any]] = []
        self._lists: list[list[Any]] = []
        left = [(section, 0) for section in sections]
        while left:
            value, depth = left.pop()
            if isinstance(value, Mapping):
                self._mappings.append(value)
                left += [(item, depth + 1) for item in value.values() if depth < _DEEPEST]
            elif isinstance(value, (list, tuple)):
                self._lists.append(list(value))

    def holds(self, value: Any, depth: int = 0) -> bool:
        """Whether it is used: as it is, merged into a mapping, or in all its parts."""
        if isinstance(value, (list, tuple)):
            return bool(value) and list(value) in self._lists
        if not isinstance(value, Mapping) or not any(value.values()):
            return False
        if any(
            all(key in mapping and mapping[key] == item for key, item in value.items()) for mapping in self._mappings
        ):
            return True
        return depth < _DEEPEST and all(self.holds(item, depth + 1) for item in value.values())


class Reader:
    """Walks what the user wrote. `config` is what K3s keeps of it, `findings` what is wrong with its shape."""

    def __init__(self, shipping_keys: bool) -> None:
        self.findings: list[dict[str, str]] = []
        self.config: dict[str, Any] = {"mirrors": {}, "configs": {}}
        #: What stood under the collection's own keys, by host and key.
        self.shipped: dict[str, dict[str, str]] = {}
        self._shipping_keys = shipping_keys

    def read(self, raw: Any) -> None:
        top = self._mapping(raw, (), "the configuration", "Write mirrors: and configs: at the top level.")
        helpers = self._helpers(top)
        self._unknown({key: top[key] for key in top if key not in helpers}, (), schema.TOP, self._foreign_at_top)
        mirrors = self._mapping(
            top.get("mirrors"), ("mirrors",), "mirrors", "Write a mapping: registry: {endpoint: [...]}."
        )
        for name, value in self._entries(mirrors, "mirrors"):
            self.config["mirrors"][name] = self._mirror(value, name)
        configs = self._mapping(top.get("configs"), ("configs",), "configs", "Write a mapping: host: {auth: {...}}.")
        for name, value in self._entries(configs, "configs"):
            self.config["configs"][name] = self._host(value, name)

    def _entries(self, section: Mapping[Any, Any], name: str) -> Iterable[tuple[str, Any]]:
        for key, value in section.items():
            if not isinstance(key, str):
                self._not_text(key, (name, _spelled(key)), "The name of a registry")
                yield _spelled(key), value
            elif key in schema.TOP + ("auths",) and not value:
                self.findings.append(
                    NOTHING_LOST.finding(path(name, key), f"{key}: stands under {name}:, and is empty")
                )
            elif key in schema.TOP:
                self.findings.append(
                    MISPLACED_SECTION.finding(path(name, key), f"{key}: stands under {name}: and is read as a registry")
                )
            else:
                self._name((name, key), key)
                yield str(key), value

    def _helpers(self, top: Mapping[Any, Any]) -> set[str]:
        """The keys at the top that K3s drops without a loss, each with its finding."""
        unknown = [key for key in top if isinstance(key, str) and key not in schema.TOP]
        if not unknown:
            return set()
        used = _Content(top.get(section) for section in schema.TOP)
        helpers = set()
        for key in unknown:
            if key == "auths" and not top[key]:
                message = "auths: is empty and has no effect"
            elif key.startswith("x-") or used.holds(top[key]):
                message = f"K3s does not know {quoted(key)}; what stands there is used elsewhere or not meant for it"
            else:
                continue
            helpers.add(key)
            self.findings.append(NOTHING_LOST.finding(path(key), message))
        return helpers

    def _mirror(self, raw: Any, name: str) -> dict[str, Any]:
        where = ("mirrors", name)
        mirror = self._mapping(raw, where, "a mirror", f"Write a mapping: {quoted(name)}: {{endpoint: [https://...]}}.")
        self._unknown(mirror, where, schema.MIRROR, self._foreign_in_mirror)
        endpoints = mirror.get("endpoint")
        at = (*where, "endpoint")
        if endpoints is None:
            endpoints = []
        elif isinstance(endpoints, str):
            self._wrong(at, "text", "a list", "Write a list: endpoint: [https://...], also for a single one.")
            endpoints = [endpoints]
        elif not isinstance(endpoints, (list, tuple)):
            self._wrong(at, _kind(endpoints), "a list", "Write a list of URLs: endpoint: [https://...].")
            endpoints = []
        rewrites = self._mapping(
            mirror.get("rewrite"), (*where, "rewrite"), "rewrite", 'Write a mapping: rewrite: {"^old/(.*)": "new/$1"}.'
        )
        return {
            "endpoint": [self._named(item, (*at, index), "An endpoint") for index, item in enumerate(endpoints)],
            "rewrite": {
                self._key(pattern, (*where, "rewrite")): self._rewrite(value, (*where, "rewrite", _spelled(pattern)))
                for pattern, value in rewrites.items()
            },
        }

    def _host(self, raw: Any, name: str) -> dict[str, Any]:
        where = ("configs", name)
        host = self._mapping(raw, where, "an entry of configs", "Write a mapping with auth: and tls:.")
        self._unknown(host, where, schema.HOST, self._foreign_in_host)
        return {
            "auth": None if host.get("auth") is None else self._auth(host["auth"], (*where, "auth"), name),
            "tls": None if host.get("tls") is None else self._tls(host["tls"], (*where, "tls"), name),
        }

    def _auth(self, raw: Any, where: tuple[str, ...], host: str) -> dict[str, Any]:
        auth = self._mapping(raw, where, "auth", "Write a mapping: auth: {username: ..., password: ...}.")
        known = schema.AUTH + (schema.STATED if self._shipping_keys else ())
        self._unknown(auth, where, known, self._foreign_in_auth)
        values = {key: self._text(auth.get(key), (*where, key), f"auth.{key}") for key in schema.AUTH}
        for key, value in values.items():
            if placeholders.is_credential(value) or (key == "username" and "${" in value):
                self._placeholder((*where, key), f"auth.{key}")
        if self._shipping_keys and auth.get(KEY) is not None:
            try:
                self.shipped.setdefault(host, {})[KEY] = day_of(auth[KEY])
            except ValueError as problem:
                self.findings.append(NO_DAY.finding(path(*where, KEY), f"{problem}: {WANTED}"))
        return values

    def _tls(self, raw: Any, where: tuple[str, ...], host: str) -> dict[str, Any]:
        tls = self._mapping(raw, where, "tls", "Write a mapping: tls: {ca_file: /etc/...}.")
        known = schema.TLS + (schema.SHIPPING if self._shipping_keys else ())
        self._unknown(tls, where, known, self._foreign_in_tls)
        values: dict[str, Any] = {
            key: self._named(tls.get(key), (*where, key), f"tls.{key}") for key in schema.TLS_FILES
        }
        values[schema.INSECURE] = self._boolean(tls.get(schema.INSECURE), (*where, schema.INSECURE))
        if self._shipping_keys:
            shipped = {key: self._text(tls.get(key), (*where, key), f"tls.{key}") for key in schema.SHIPPING}
            self.shipped.setdefault(host, {}).update({key: value for key, value in shipped.items() if value})
        return values

    # What to say about a key that does not belong where it stands; "" leaves it to spelling.

    def _foreign_at_top(self, key: str) -> str:
        if key == "k3s_registries":
            return "Give what stands under k3s_registries:, without that line."
        if key in schema.MIRROR + schema.HOST or "." in key or ":" in key:
            return "Registries stand under mirrors:, their credentials and TLS settings under configs:."
        return ""

    def _foreign_in_mirror(self, key: str) -> str:
        if key in schema.HOST + schema.AUTH + schema.TLS + schema.SHIPPING:
            return f'{key} belongs to configs."<endpoint host[:port]>", not to a mirror.'
        return ""

    def _foreign_in_host(self, key: str) -> str:
        if key in schema.MIRROR:
            return f"{key} belongs to mirrors."
        for section, keys in (("auth", schema.AUTH + schema.STATED), ("tls", schema.TLS + schema.SHIPPING)):
            if key in keys:
                return f"Write it under {section}: (one level deeper)."
            better = schema.synonym(key)
            if better in keys:
                return f"Write it as {better} under {section}: (one level deeper)."
        return ""

    def _foreign_in_auth(self, key: str) -> str:
        return f"{key} belongs to tls." if key in schema.TLS + schema.SHIPPING else ""

    def _foreign_in_tls(self, key: str) -> str:
        return f"{key} belongs to auth." if key in schema.AUTH + schema.STATED else ""

    def _unknown(
        self,
        mapping: Mapping[Any, Any],
        where: tuple[str, ...],
        known: Sequence[str],
        foreign: Callable[[str], str],
    ) -> None:
        for key in mapping:
            if not isinstance(key, str):
                self._not_text(key, (*where, _spelled(key)), "A key")
            elif key not in known:
                self.findings.append(self._unknown_key(str(key), where, known, foreign, mapping[key] is not None))

    def _unknown_key(
        self, key: str, where: tuple[str, ...], known: Sequence[str], foreign: Callable[[str], str], with_value: bool
    ) -> dict[str, str]:
        within = where[-1] if len(where) == 3 else ""
        if within == "auth" and key == "token":
            return AUTH_TOKEN.finding(path(*where, key), "K3s does not read auth.token: the pulls are anonymous")
        if not where and key == "auths":
            return AUTHS.finding(path(key), "auths: is parsed and used nowhere")
        if key in {"auth": schema.STATED, "tls": schema.SHIPPING}.get(within, ()):
            fix = "Remove it, or give the configuration as k3s_registries." if within == "auth" else ""
            return SHIPPING_KEY.finding(path(*where, key), f"{key} is a key of this collection, not of K3s", fix)
        if key in schema.TOP:
            return MISPLACED_SECTION.finding(path(*where, key), f"{key}: stands in the wrong place")
        shown = auth_key(key, known, with_value) if within == "auth" else key
        if _INVISIBLE.search(key) and within != "auth":
            return INVISIBLE.finding(path(*where, shown), f"the key {quoted(shown)} holds {_invisible(key)}")
        better = schema.synonym(key)
        if better not in known:
            better = meant(key, known) or ""
        fix = foreign(key)
        if not fix and better:
            fix = f"Did you mean {better}?"
        if not fix:
            fix = f"K3s knows {listed(list(known), 'and')} here."
        return UNKNOWN_KEY.finding(path(*where, shown), f"K3s does not know {quoted(shown)} and drops it", fix)

    def _mapping(self, value: Any, where: tuple[Any, ...], what: str, fix: str) -> Mapping[Any, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self._wrong(where, _kind(value), "a mapping", fix)
            return {}
        return value

    def _named(self, value: Any, where: tuple[Any, ...], what: str) -> str:
        """A host, URL or path: text without blanks."""
        text = self._text(value, where, what)
        self._name(where, text)
        return text

    def _name(self, where: tuple[Any, ...], text: str) -> None:
        if placeholders.in_name(text):
            self._placeholder(where, quoted(text))
        elif "-----BEGIN" in text:
            return  # PEM text where a path belongs: a rule of its own
        elif _INVISIBLE.search(text):
            self.findings.append(INVISIBLE.finding(path(*where), f"{quoted(text)} holds {_invisible(text)}"))

    def _rewrite(self, value: Any, where: tuple[Any, ...]) -> str:
        text = self._text(value, where, "A replacement")
        if placeholders.in_rewrite(str(where[-1]), text):
            self._placeholder(where, f"the rewrite to {quoted(text)}")
        return text

    def _placeholder(self, where: tuple[Any, ...], what: str) -> None:
        self.findings.append(PLACEHOLDER.finding(path(*where), f"{what} is still a placeholder"))

    def _key(self, value: Any, where: tuple[Any, ...]) -> str:
        if not isinstance(value, str):
            self._not_text(value, (*where, _spelled(value)), "A pattern")
        return _spelled(value)

    def _text(self, value: Any, where: tuple[Any, ...], what: str) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            return str(value)
        if isinstance(value, (Mapping, list, tuple, set, frozenset)):
            fix = "Write a single text."
            if where[-1] == "auth":
                fix = "Write base64 of username:password here, or username and password beside it."
            self._wrong(where, _kind(value), "text", fix)
            return ""
        self._not_text(value, where, what)
        return ""

    def _boolean(self, value: Any, where: tuple[Any, ...]) -> bool:
        if value is None:
            return False
        if isinstance(value, bool):
            return value
        if isinstance(value, Scalar) and value.kind == "bool":
            return value.boolean
        if isinstance(value, Scalar) and value.kind == "null":
            return False
        if isinstance(value, str) and placeholders.in_name(value):
            self._placeholder(where, schema.INSECURE)
            return False
        self.findings.append(
            NOT_A_BOOLEAN.finding(path(*where), f"{schema.INSECURE} is {_kind(value)}, K3s takes only true or false")
        )
        return False

    def _not_text(self, value: Any, where: tuple[Any, ...], what: str) -> None:
        self.findings.append(NOT_TEXT.finding(path(*where), f"{what} must be text and is {_kind(value)}"))

    def _wrong(self, where: tuple[Any, ...], kind: str, wanted: str, fix: str) -> None:
        self.findings.append(WRONG_TYPE.finding(path(*where), f"is {kind}, K3s wants {wanted}", fix))


def _spelled(value: object) -> str:
    """A key as text: keys that are no text have lost their spelling, and None is a key of its own."""
    if isinstance(value, str):
        return str(value)
    try:
        return repr(value)[:60]
    except ValueError:  # an integer of thousands of digits
        return type(value).__name__


def _invisible(text: str) -> str:
    found = _INVISIBLE.search(text)
    return f"the character U+{ord(found.group()):04X}" if found and found.group() != " " else "a space"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, Scalar) and value.kind != "str":
        return f"of the kind {value.kind}"
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple, set, frozenset)):
        return "a list"
    return f"of the type {type(value).__name__}"
