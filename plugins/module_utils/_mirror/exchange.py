# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller and the machine that copies tell each other, and how it travels: one codec both ways."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, TypeVar

from .access import Access
from .failures import Trouble
from .places import Place

_Made = TypeVar("_Made")


@dataclass
class Source:
    """Where an image comes from.

    :ivar kind: ``registry`` (which has a ``place``), ``layout`` or ``archive`` (which have a ``path``).
    :ivar name: of the image in an archive; ``config`` is the digest of its configuration.
    :ivar digest: of the image in a layout, with its ``media_type``.
    """

    kind: str
    place: Place | None = None
    path: str = ""
    name: str = ""
    config: str = ""
    digest: str = ""
    media_type: str = ""

    @property
    def where(self) -> str:
        """Whose failures here are: the registry's host, or the path."""
        return self.place.host if self.place is not None else self.path

    @property
    def side(self) -> str:
        """The side of a failure: a file has none."""
        return "src" if self.kind == "registry" else ""

    @property
    def text(self) -> str:
        """In words."""
        return self.place.text if self.place is not None else self.path


@dataclass
class Target:
    """Where an image goes: a place in a registry, a layout's folder, or nowhere."""

    place: Place | None = None
    layout: str = ""

    @property
    def text(self) -> str:
        """In words, "" if it goes nowhere."""
        return self.place.text if self.place is not None else self.layout


@dataclass
class Item:
    """An image, what is to be done about it, and what became of it; the fields are those of the task's result.

    :ivar whole_digest: of the source's own index, if ``digest`` is that of a part of it.
    :ivar is_part: whether platforms were left out, which changes the digest.
    """

    image: str
    source: Source
    target: Target = field(default_factory=Target)
    state: str = ""
    action: str = ""
    digest: str = ""
    whole_digest: str = ""
    target_digest: str = ""
    bytes: int | None = None
    seconds: float | None = None
    cause: str = ""
    message: str = ""
    note: str = ""
    is_part: bool = False

    def fail(self, cause: str, message: str) -> None:
        """The plan cannot have this image."""
        self.state, self.cause, self.message = "failed", cause, message


@dataclass
class Request:
    """What is asked of the machine that copies: ``gather``, ``plan``, ``copy``, ``finish`` or ``clean``.

    :ivar access: by ``src:host`` and ``dest:host``, as is ``broken``: what has failed as a whole already.
    :ivar seconds: after which no copy is begun.
    """

    operation: str = ""
    token: str = ""
    items: list[Item] = field(default_factory=list)
    access: dict[str, Access] = field(default_factory=dict)
    broken: dict[str, Trouble] = field(default_factory=dict)
    platforms: list[str] = field(default_factory=list)
    parallel: int = 4
    lookups: int = 16
    retries: int = 3
    timeout: float = 30.0
    copy_timeout: float = 3600.0
    seconds: float = 10.0
    export: str = ""
    export_tar: str = ""
    pack: bool = False
    urls: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    layouts: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)


@dataclass
class Answer:
    """What comes back: ``texts`` and ``items`` of a gathering, ``items`` and ``broken`` of a plan or copies.

    :ivar skopeo: its release, "" if it is missing or not needed.
    :ivar unfinished: an earlier export of the same images was struck before its end.
    """

    items: list[Item] = field(default_factory=list)
    broken: dict[str, Trouble] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    skopeo: str = ""
    skopeo_needed: bool = False
    unfinished: bool = False


def encoded(value: Any) -> Any:
    """As JSON has it; fields that are as they are by default are left out."""
    if dataclasses.is_dataclass(value):
        given = ((item, getattr(value, item.name)) for item in dataclasses.fields(value))
        return {item.name: encoded(found) for item, found in given if found != item.default}
    if isinstance(value, dict):
        return {name: encoded(found) for name, found in value.items()}
    return [encoded(found) for found in value] if isinstance(value, (list, tuple)) else value


def decoded(kind: Callable[..., _Made], given: Mapping[str, Any]) -> _Made:
    """A request, an answer, or a part of one; what it has no field for is left out."""
    known = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(
        **{name: _PARTS.get(name, lambda value: value)(value) for name, value in given.items() if name in known}
    )


_PARTS: dict[str, Callable[[Any], Any]] = {
    "items": lambda given: [decoded(Item, item) for item in given],
    "source": lambda given: decoded(Source, given),
    "target": lambda given: decoded(Target, given),
    "place": lambda given: Place(*given) if given else None,
    "access": lambda given: {
        side: decoded(Access, {"host": side.partition(":")[2], **one}) for side, one in given.items()
    },
    "broken": lambda given: {side: Trouble(*fields) for side, fields in given.items()},
}
