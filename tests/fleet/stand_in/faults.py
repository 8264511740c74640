# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Misbehaviour that the fleet asks for. The file is read at every start."""

from __future__ import annotations

import json
import os

PATH = "/etc/k3s-stand-in/faults.json"


class Faults:
    """The faults of this start: ``has("ready-late")`` and ``argument("ready-late")``.

    An entry may carry ``while`` (only while registries.yaml contains that text) and ``once`` (gone after this start).
    """

    def __init__(self, registries_yaml: str) -> None:
        self.active: dict[str, str] = {}
        try:
            with open(PATH, encoding="utf-8") as handle:
                entries = json.load(handle)
        except FileNotFoundError:
            return
        kept = []
        for entry in entries:
            if entry.get("while") and not self._mentions(registries_yaml, entry["while"]):
                kept.append(entry)
                continue
            self.active[entry["fault"]] = entry.get("argument", "")
            if not entry.get("once"):
                kept.append(entry)
        if kept != entries:
            with open(PATH + ".new", "w", encoding="utf-8") as handle:
                json.dump(kept, handle)
            os.rename(PATH + ".new", PATH)

    @staticmethod
    def _mentions(path: str, text: str) -> bool:
        try:
            with open(path, "rb") as handle:
                return text.encode() in handle.read()
        except OSError:
            return False

    def has(self, fault: str) -> bool:
        return fault in self.active

    def argument(self, fault: str) -> str:
        return self.active[fault]
