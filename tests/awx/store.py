# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the stand-in for AWX' API, and the rules by which AWX accepts, shows and deletes them."""

from __future__ import annotations

import itertools
import re
import threading
from typing import Any

ENCRYPTED = "$encrypted$"
PLAYBOOKS = [
    "playbooks/%s.yml" % name
    for name in (
        "apply",
        "rehearse",
        "verify",
        "diagnose",
        "report",
        "lint",
        "rollback",
        "remove",
        "mirror_images",
        "upgrade_check",
    )
]

DEFAULTS: dict[str, dict[str, Any]] = {
    "organizations": {},
    "credential_types": {"kind": "cloud", "managed": False, "inputs": {}, "injectors": {}},
    "credentials": {"inputs": {}, "organization": None},
    "execution_environments": {"pull": "", "credential": None, "organization": None},
    "projects": {"scm_type": "", "scm_url": "", "scm_branch": "", "credential": None, "scm_revision": "0" * 40},
    "inventories": {"kind": "", "host_filter": None, "variables": ""},
    "inventory_sources": {"source": "", "source_path": "", "overwrite": False, "credential": None},
    "job_templates": {"job_type": "run", "limit": "", "execution_environment": None, "job_slice_count": 1,
                      "diff_mode": False, "survey_enabled": False, "ask_limit_on_launch": False, "forks": 0,
                      "extra_vars": ""},
    "notification_templates": {"notification_type": "", "notification_configuration": {}, "organization": None},
    "workflow_job_templates": {"survey_enabled": False, "ask_limit_on_launch": False, "limit": None},
    "workflow_job_template_nodes": {"unified_job_template": None, "extra_data": {}},
    "workflow_approval_templates": {"timeout": 0},
    "schedules": {"enabled": True},
    "project_updates": {"status": "successful"},
}  # fmt: skip
TYPES = {kind: kind[:-1] for kind in DEFAULTS} | {"inventories": "inventory"}
TEMPLATES = ("job_templates", "workflow_job_templates", "projects", "inventory_sources", "workflow_approval_templates")
# What goes when the object that a field names goes.
OWNERS = {
    ("inventory_sources", "inventory"), ("schedules", "unified_job_template"),
    ("workflow_job_template_nodes", "workflow_job_template"),
}  # fmt: skip


class Refused(Exception):
    """AWX' answer with status 400: field to list of sentences."""


class Store:
    """All objects: kind to number to fields. Numbers are unique over all kinds, as those of AWX' templates are."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.objects: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in DEFAULTS}
        self.surveys: dict[int, dict[str, Any]] = {}
        self.links: dict[tuple[int, str], list[int]] = {}
        self._numbers = itertools.count(1)
        self.create("organizations", {"name": "Default"})

    def create(self, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        fields = {"description": "", **DEFAULTS[kind], **data}
        self._check(kind, fields, None)
        number = next(self._numbers)
        self.objects[kind][number] = fields
        return self.shown(kind, number)

    def change(self, kind: str, number: int, data: dict[str, Any]) -> dict[str, Any]:
        old = self.objects[kind][number]
        new = {**old, **data}
        if kind == "credentials":
            kept = {key: old["inputs"].get(key) for key, value in new["inputs"].items() if value == ENCRYPTED}
            new["inputs"] = {**new["inputs"], **kept}
        self._check(kind, new, number)
        self.objects[kind][number] = new
        return self.shown(kind, number)

    def shown(self, kind: str, number: int) -> dict[str, Any]:
        """The object as the API shows it."""
        fields = dict(self.objects[kind][number])
        url = "/api/v2/%s/%d/" % (kind, number)
        related = {}
        if kind in ("job_templates", "workflow_job_templates"):
            related["survey_spec"] = url + "survey_spec/"
        if kind == "credentials":
            secret = self._fields_of(fields["credential_type"], secret=True)
            fields["inputs"] = {k: ENCRYPTED if k in secret else v for k, v in fields["inputs"].items()}
        template = fields.get("unified_job_template")
        if template is not None:
            owner = next(k for k in TEMPLATES if template in self.objects[k])
            related["unified_job_template"] = "/api/v2/%s/%d/" % (owner, template)
        return {"id": number, "url": url, "type": TYPES[kind], "related": related, "summary_fields": {}, **fields}

    def find(self, kind: str, query: dict[str, str]) -> list[dict[str, Any]]:
        kinds = TEMPLATES if kind == "unified_job_templates" else (kind,)
        found = [self.shown(one, number) for one in kinds for number in self.objects[one]]
        for key, value in query.items():
            found = [item for item in found if str(item.get(key.rpartition("__")[2])) == value]
        return found

    def delete(self, kind: str, number: int) -> None:
        if kind == "credential_types" and any(
            item["credential_type"] == number for item in self.objects["credentials"].values()
        ):
            raise Refused({"detail": "Credential types that are in use cannot be deleted"})
        del self.objects[kind][number]
        self.surveys.pop(number, None)
        self.links = {k: [n for n in v if n != number] for k, v in self.links.items() if k[0] != number}
        for owned, field in OWNERS:
            for other in [n for n, item in self.objects[owned].items() if item.get(field) == number]:
                self.delete(owned, other)
        if kind == "workflow_job_template_nodes":
            return
        for item in self.objects["workflow_job_template_nodes"].values():
            if item["unified_job_template"] == number:
                item["unified_job_template"] = None

    def _must_exist(self, kind: str, number: int) -> None:
        """:raises KeyError: when it does not."""
        if number not in self.objects[kind]:
            raise KeyError(number)

    def survey(self, kind: str, number: int, method: str, data: dict[str, Any]) -> dict[str, Any]:
        self._must_exist(kind, number)
        if method == "POST":
            if not data.get("spec") or not {"name", "description"} <= set(data):
                raise Refused({"error": "'name', 'description' and 'spec' are missing from survey."})
            self.surveys[number] = data
        if method == "DELETE":
            self.surveys.pop(number, None)
        return self.surveys.get(number, {}) if method == "GET" else {}

    def create_approval(self, node: int, data: dict[str, Any]) -> dict[str, Any]:
        shown = self.create("workflow_approval_templates", data)
        self.objects["workflow_job_template_nodes"][node]["unified_job_template"] = shown["id"]
        return shown

    def associate(self, kind: str, number: int, what: str, data: dict[str, Any]) -> None:
        self._must_exist(kind, number)
        linked = self.links.setdefault((number, what), [])
        if data.get("disassociate"):
            linked.remove(data["id"])
            return
        if what == "credentials":
            types = [self.objects["credentials"][one]["credential_type"] for one in [*linked, data["id"]]]
            if len(types) != len(set(types)):
                raise Refused({"error": "Cannot assign multiple credentials of one type."})
        linked.append(data["id"])

    def associated(self, kind: str, number: int, what: str) -> list[dict[str, Any]]:
        self._must_exist(kind, number)
        target = "workflow_job_template_nodes" if what.endswith("_nodes") else what
        target = "notification_templates" if what.startswith("notification_templates_") else target
        return [self.shown(target, one) for one in self.links.get((number, what), [])]

    def _fields_of(self, credential_type: int, secret: bool = False) -> set[str]:
        fields = self.objects["credential_types"][credential_type]["inputs"].get("fields", [])
        return {field["id"] for field in fields if field.get("secret") or not secret}

    def _check(self, kind: str, fields: dict[str, Any], number: int | None) -> None:
        """:raises Refused: for what AWX refuses."""
        if kind not in ("workflow_job_template_nodes", "workflow_approval_templates", "project_updates"):
            if not fields.get("name"):
                raise Refused({"name": ["This field is required."]})
            scope = [fields.get(key) for key in ("name", "organization", "inventory", "credential_type")]
            for other, item in self.objects[kind].items():
                taken = [item.get(key) for key in ("name", "organization", "inventory", "credential_type")]
                if other != number and taken == scope:
                    raise Refused({"__all__": ["%s with this name already exists." % kind]})
        if kind == "credential_types":
            known = {field["id"] for field in fields["inputs"].get("fields", [])}
            files = {key.partition(".")[2] for key in fields["injectors"].get("file", {})}
            for part in fields["injectors"].values():
                for value in part.values():
                    named = re.findall(r"{{\s*([a-z_.]+)\s*}}", value)
                    if not named or not all(n in known or n.replace("tower.filename.", "") in files for n in named):
                        raise Refused({"injectors": ["%s is undefined" % value]})
        if kind == "credentials" and not set(fields["inputs"]) <= self._fields_of(fields["credential_type"]):
            raise Refused({"inputs": ["Additional properties are not allowed"]})
        if kind == "job_templates" and fields.get("playbook") not in PLAYBOOKS:
            raise Refused({"playbook": ["Playbook not found for project."]})
