# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change of the configuration means for pulls, from two configurations and a list of images. Pure: nobody is
asked, so it says where images are asked for, not whether they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterable, NamedTuple, Sequence
from urllib.parse import urlsplit

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import redact, visible
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import WILDCARD_DIRECTORY
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import auth_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import (
    Host,
    HostsFileError,
    directory_for,
    hosts_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.host_configs import merge
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import Image, ImageError, parse_image
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import credential_keys, resolve_image

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import Attempt

_MOST_MOVES = 5
_UNDER_OTHER_NAMES = " under other names"
NOTHING_CHANGES = "nothing changes for pulls"


class Situation(NamedTuple):
    """A normalised configuration, and what else a node's requests depend on: see :func:`resolve_image`."""

    config: Config
    default_endpoint: bool = True
    embedded_mirror: str = ""


class Move(NamedTuple):
    """Images that are asked for at another place first. Places are texts for people."""

    before: str
    after: str
    images: tuple[str, ...]


class Effect(NamedTuple):
    """Images are full names, endpoints are ``scheme://host[:port]``.

    :ivar as_before: images for which exactly the same requests are made.
    :ivar moves: most images first.
    :ivar fallback_lost: images that were asked for at further places if the first does not have them, and no longer
        are; ``fallback_gained`` the other way round, ``fallback_changed`` if the further places are others.
    :ivar embedded_on: images for which the embedded registry is asked first from now on; ``embedded_off`` no longer.
    :ivar renamed: images whose first place stays, under another name or path there.
    :ivar unsure: images that K3s may ask for under one of several names, and did not before.
    :ivar unreadable: images whose mirror is ignored, since containerd cannot read the hosts.toml that K3s will write.
    :ivar credentials: endpoints, asked before and after, that get other credentials, get some or get none any more.
    :ivar tls: the same for their TLS settings.
    :ivar unverified: endpoints whose certificate is no longer verified.
    :ivar refused: names that are no images.
    """

    as_before: tuple[str, ...] = ()
    moves: tuple[Move, ...] = ()
    renamed: tuple[str, ...] = ()
    fallback_lost: tuple[str, ...] = ()
    fallback_gained: tuple[str, ...] = ()
    fallback_changed: tuple[str, ...] = ()
    embedded_on: tuple[str, ...] = ()
    embedded_off: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    tls: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether any pull is made in another way."""
        return any(self._replace(as_before=(), refused=()))

    @property
    def sentences(self) -> list[str]:
        """What changes, for people: clauses without a full stop, the most important ones first."""
        found = [_moved(move) for move in self.moves[:_MOST_MOVES]]
        rest = sum(len(move.images) for move in self.moves[_MOST_MOVES:])
        if rest:
            found.append(_many(rest, "more image moves", "more images move") + " to other places")
        for images, one, several in (
            (self.renamed, "image is asked for under another name", "images are asked for under other names"),
            (self.fallback_lost, "image loses its fallback", "images lose their fallback"),
            (self.fallback_gained, "image gains a fallback", "images gain a fallback"),
            (self.fallback_changed, "image gets other fallbacks", "images get other fallbacks"),
            (self.embedded_on, *_is("first asked of the embedded registry")),
            (self.embedded_off, *_is("no longer asked of the embedded registry")),
            (self.unsure, *_is("asked for under one of several names, whichever K3s takes first")),
            (self.unreadable, *_is("no longer asked of a mirror, because containerd cannot read its hosts.toml")),
        ):
            if images:
                found.append(_many(len(images), one, several))
        if self.credentials:
            found.append("the credentials of %s change" % _many(len(self.credentials), "endpoint", "endpoints"))
        if self.tls:
            found.append("the TLS settings of %s change" % _many(len(self.tls), "endpoint", "endpoints"))
        if self.unverified:
            found.append("the certificate of %s is no longer verified" % ", ".join(self.unverified))
        if not found:
            return [NOTHING_CHANGES]
        if self.as_before:
            found.append(_many(len(self.as_before), "image is as before", "images are as before"))
        return found

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = {name: list(value) for name, value in self._asdict().items()}
        found["moves"] = [dict(move._asdict(), images=list(move.images)) for move in self.moves]
        return {"changes": self.changes, "sentences": self.sentences, **found}


def effect(images: Iterable[str], before: Situation, after: Situation, engine: Any = None) -> Effect:
    """What changes for pulls of these images.

    :param engine: the module ``re2`` of google-re2; see :mod:`rewrite`.
    """
    known, refused = _parsed(images)
    routes = [(image, _Route.of(image, before, engine), _Route.of(image, after, engine)) for image in known]
    moves: dict[tuple[str, str], list[str]] = {}
    renamed = []
    for image, old, new in routes:
        if old.urls[:1] != new.urls[:1]:
            places = (old.place(image), new.place(image))
            if places[0] == places[1]:
                renamed.append(image.text)
            else:
                moves.setdefault(places, []).append(image.text)

    def those(condition: Callable[[_Route, _Route], bool]) -> tuple[str, ...]:
        return tuple(image.text for image, old, new in routes if condition(old, new))

    registries = [image.registry for image in known]
    old_ends, new_ends = _endpoints(before, registries), _endpoints(after, registries)
    both = [name for name in sorted(old_ends) if name in new_ends]
    return Effect(
        as_before=those(lambda old, new: new.is_as(old)),
        moves=tuple(
            Move(*places, tuple(names)) for places, names in sorted(moves.items(), key=lambda item: -len(item[1]))
        ),
        renamed=tuple(renamed),
        fallback_lost=those(lambda old, new: bool(old.urls[1:] and not new.urls[1:])),
        fallback_gained=those(lambda old, new: bool(new.urls[1:] and not old.urls[1:])),
        fallback_changed=those(lambda old, new: bool(old.urls[1:] and new.urls[1:]) and old.urls[1:] != new.urls[1:]),
        embedded_on=those(lambda old, new: new.embedded and not old.embedded),
        embedded_off=those(lambda old, new: old.embedded and not new.embedded),
        unsure=those(lambda old, new: new.unsure and not old.unsure),
        unreadable=those(lambda old, new: new.unreadable and not old.unreadable),
        credentials=tuple(
            name
            for name in both
            if _credentials(before.config, old_ends[name]) != _credentials(after.config, new_ends[name])
        ),
        tls=tuple(name for name in both if dict(old_ends[name].tls) != dict(new_ends[name].tls)),
        unverified=tuple(
            name
            for name, host in sorted(new_ends.items())
            if _is_unverified(host) and not (name in old_ends and _is_unverified(old_ends[name]))
        ),
        refused=tuple(refused),
    )


class _Route(NamedTuple):
    """The requests for one image. ``urls`` leave out the embedded registry and what cannot be asked."""

    urls: tuple[str, ...]
    attempts: tuple[Attempt, ...]
    embedded: bool
    unsure: bool
    unreadable: bool

    @classmethod
    def of(cls, image: Image, situation: Situation, engine: Any) -> _Route:
        found = resolve_image(image.text, *situation, engine)
        asked = tuple(item for item in found if item["kind"] != "embedded" and not item.get("request_error"))
        return cls(
            tuple(item["url"] for item in asked),
            asked,
            any(item["kind"] == "embedded" for item in found),
            any(item.get("rewrite_ambiguous", False) for item in found),
            any("hosts_toml_error" in item for item in found),
        )

    def is_as(self, other: _Route) -> bool:
        """Whether the same requests are made. TLS settings and credentials are counted by endpoint."""
        return self._replace(attempts=()) == other._replace(attempts=())

    def place(self, image: Image) -> str:
        return _place(self.attempts[0], image) if self.attempts else "nowhere"


def _place(attempt: Attempt, image: Image) -> str:
    """Where an image is asked for: a registry by its host, a mirror by its URL, with what rewrites put before names."""
    if attempt["kind"] == "default":
        return visible(redact(urlsplit(attempt["endpoint"]).netloc))
    base, repository = attempt["endpoint"].rstrip("/"), attempt["repository"]
    if repository.endswith("/" + image.repository):
        base += "/" + repository[: -len(image.repository) - 1]
    elif repository != image.repository:
        base += _UNDER_OTHER_NAMES
    return visible(redact(base))


def _endpoints(situation: Situation, registries: Sequence[str]) -> dict[str, Host]:
    """The hosts that are asked for images of these registries, and for those of any that is configured."""
    merged, _problems = merge(*situation)
    names = [name for name in merged if name != WILDCARD_DIRECTORY]
    found: dict[str, Host] = {}
    for registry in [*names, *registries]:
        directory = directory_for(registry, merged)
        try:
            hosts = hosts_of(registry, merged[directory] if directory is not None else None)
        except HostsFileError:
            continue
        for host in hosts:
            if host.host != situation.embedded_mirror:
                found.setdefault(visible(redact("%s://%s" % (host.scheme, host.host))), host)
    return found


def _credentials(config: Config, host: Host) -> Any:
    tables = auth_tables(config)
    table = next((tables[key] for key in credential_keys(host.host) if key in tables), None)
    return table if table is not None and any(table.values()) else None


def _is_unverified(host: Host) -> bool:
    return bool(host.tls.get("insecure_skip_verify"))


def _parsed(names: Iterable[str]) -> tuple[list[Image], list[str]]:
    """Each once, in order."""
    found: dict[Image, None] = {}
    refused: dict[str, None] = {}
    for name in names:
        try:
            found[parse_image(name)] = None
        except ImageError:
            refused[visible(name)] = None
    return list(found), list(refused)


def _moved(move: Move) -> str:
    text = _many(len(move.images), "image moves", "images move")
    return "%s from %s to %s" % (text, move.before, move.after)


def _is(what: str) -> tuple[str, str]:
    return "image is " + what, "images are " + what


def _many(number: int, one: str, several: str) -> str:
    return "1 " + one if number == 1 else "%d %s" % (number, several)
