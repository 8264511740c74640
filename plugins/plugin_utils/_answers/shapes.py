# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of the modules' answers, as far as the controller uses them."""

from __future__ import annotations

from .conform import ANY, FLAG, NUMBER, TEXT

_PROBLEM = {"code": TEXT, "level": TEXT, "message": TEXT, "fix": TEXT}
_CERTIFICATE = {
    "registry": TEXT, "kind": TEXT, "path": TEXT, "subject": TEXT, "issuer": TEXT, "fingerprint_sha256": TEXT,
    "not_before": TEXT, "not_after": TEXT, "days_left": NUMBER, "key_matches": FLAG, "error": TEXT,
}  # fmt: skip
_CREDENTIAL = {
    "registry": TEXT, "ends": TEXT, "days_left": NUMBER, "stated": FLAG, "ended": FLAG, "level": TEXT, "message": TEXT,
    "fix": TEXT,
}  # fmt: skip

_CONTRADICTION = {"what": TEXT, "stated": TEXT, "found": TEXT, "place": TEXT}

#: ``info`` of k3s_registries_info.
INFO = {
    "distribution": TEXT, "release": TEXT, "role": TEXT, "data_dir": TEXT, "unit": TEXT, "unit_state": TEXT,
    "started_at": TEXT,
    "registries": {
        "path": TEXT, "exists": FLAG, "managed": FLAG, "mode": TEXT, "error": TEXT,
        "config": {
            "mirrors": {"*": {"endpoint": [TEXT], "rewrite": {"*": TEXT}}},
            "configs": {"*": {"auth": {"*": TEXT}, "tls": {"*": ANY}}},
        },
    },
    "providers": {"path": TEXT, "exists": FLAG, "managed": FLAG, "names": [TEXT]},
    "generation": TEXT, "state": TEXT, "differences": [{"file": TEXT, "kind": TEXT, "diff": TEXT}],
    "templates": [{"path": TEXT, "message": TEXT}], "settings": [{"source": TEXT, "key": TEXT, "value": ANY}],
    "proxies": [{"source": TEXT, "variable": TEXT, "registries": [TEXT]}], "certificates": [_CERTIFICATE],
    "credentials": [_CREDENTIAL], "problems": [_PROBLEM], "waiting": {"since": TEXT, "hosts": [TEXT]},
}  # fmt: skip

#: ``endpoints`` of k3s_registry_probe.
ENDPOINTS = [
    {
        "image": TEXT, "registry": TEXT, "kind": TEXT, "endpoint": TEXT, "url": TEXT, "cause": TEXT, "message": TEXT,
        "fix": TEXT, "findings": [TEXT], "status": NUMBER, "times": {"*": NUMBER}, "auth": TEXT,
        "certificate": {"subject": TEXT, "issuer": TEXT, "not_after": TEXT, "days_left": NUMBER, "protocol": TEXT},
    }
]  # fmt: skip

#: ``providers`` of k3s_registry_probe.
PROVIDERS = [
    {
        "name": TEXT, "image": TEXT, "cause": TEXT, "message": TEXT, "fix": TEXT, "seconds": NUMBER,
        "cached_for": NUMBER, "findings": [TEXT],
    }
]  # fmt: skip

_DIAGNOSIS = {"image": TEXT, "cause": TEXT, "endpoint": TEXT, "message": TEXT, "fix": TEXT, "evidence": [TEXT]}

#: ``pulls`` of k3s_pull_diagnosis.
DIAGNOSES = [_DIAGNOSIS]

#: ``pulls`` of k3s_canary_pull.
CANARIES = [dict(_DIAGNOSIS, ok=FLAG, new=FLAG, seconds=NUMBER)]

#: ``files`` of k3s_registries.
FILES = [{"path": TEXT, "action": TEXT}]

#: What k3s_registries answers when it has staged.
STAGED = {
    "restart": FLAG, "live": FLAG, "reasons": [TEXT], "files": FILES, "before": TEXT, "after": TEXT, "warnings": [TEXT],
    "health": {"healthy": FLAG, "sentence": TEXT, "explained": FLAG, "member": TEXT}, "node_role": TEXT,
    "node_state": TEXT, "service_state": TEXT, "embedded_mirror": TEXT, "left_alone": FLAG,
    "contradictions": [_CONTRADICTION], "node_name": TEXT, "architecture": TEXT,
    "reach": {"registries": [TEXT], "others": FLAG, "known": [TEXT]},
}  # fmt: skip

#: What k3s_rollout answers.
ROLLED = {
    "changed": FLAG, "step": TEXT, "seconds": NUMBER, "restarted": FLAG, "live": FLAG, "rolled_back": FLAG,
    "cordoned": FLAG, "uncordoned": FLAG, "canaries": [{"image": TEXT}], "log": [TEXT], "waiting_for": [TEXT],
    "waited_for": [TEXT], "warnings": [TEXT], "diagnosis": {"*": ANY}, "differences": [TEXT],
}  # fmt: skip

#: What k3s_rollout answers if it only asks.
ASKED = {"doubts": [TEXT]}

#: What k3s_rollout answers if it rehearses.
REHEARSED = {
    "rehearsal": {
        "problem": TEXT, "refusal": TEXT, "headline": TEXT, "asked": NUMBER, "stops": FLAG, "unreadable": [TEXT],
        "effect": [TEXT], "counts": {"*": NUMBER},
        "images": [
            {
                "image": TEXT, "users": [TEXT], "verdict": TEXT, "allowed": FLAG, "before": TEXT, "after": TEXT,
                "endpoint": TEXT, "cause": TEXT, "message": TEXT, "fix": TEXT, "digest": TEXT, "running": [TEXT],
            }
        ],
    }
}  # fmt: skip

#: ``upgrade`` of k3s_upgrade_check.
UPGRADE = {
    "problem": TEXT, "target": TEXT, "installed": TEXT, "known_up_to": TEXT, "not_known": TEXT,
    "default_registry": TEXT, "upgrade_image": TEXT, "sees_controller": FLAG, "unreadable": [TEXT], "asked": NUMBER,
    "findings": [{"code": TEXT, "level": TEXT, "path": TEXT, "message": TEXT, "fix": TEXT}],
    "hosts": [{"file": TEXT, "kind": TEXT, "diff": TEXT}],
    "images": [
        {
            "image": TEXT, "users": [TEXT], "state": TEXT, "of_the_release": FLAG, "allowed": FLAG, "before": TEXT,
            "after": TEXT, "endpoint": TEXT, "cause": TEXT, "message": TEXT, "fix": TEXT,
        }
    ],
}  # fmt: skip

#: What k3s_rollout_lease answers.
LEASED = {
    "lease": TEXT, "previous": TEXT, "renewed": TEXT, "expires_in": NUMBER,
    "pull_secrets": {"error": TEXT, "found": [{"who": TEXT, "node": TEXT, "registries": [TEXT]}]},
}  # fmt: skip

#: What a node seals for k3s_registries_info, see ``module_utils/_observation/observe.py``.
SAID = {
    "distribution": TEXT, "role": TEXT, "release": TEXT, "node_state": TEXT, "unit": TEXT, "unit_state": TEXT,
    "contradictions": [_CONTRADICTION], "rancher": _CONTRADICTION,
    "service_state": TEXT, "started": NUMBER, "command": [TEXT], "agent_dir": TEXT, "data_dir": TEXT,
    "registries": {
        "path": TEXT, "exists": FLAG, "managed": FLAG, "mode": TEXT, "changed_at": NUMBER, "sha256": TEXT, "text": TEXT,
        "error": TEXT,
    },
    "ours": {
        "registries_sha256": TEXT, "expires": {"*": TEXT}, "candidate": FLAG, "interrupted": TEXT, "drop_in": TEXT,
        "edited": [{"file": TEXT, "kind": TEXT}],
    },
    "providers": {"path": TEXT, "exists": FLAG, "managed": FLAG, "changed_at": NUMBER, "names": [TEXT]},
    "generated": {
        "certs_d": TEXT, "config_toml": TEXT, "hosts": {"*": TEXT}, "auth": {"*": {"*": TEXT}}, "complete": FLAG,
        "headers": {"*": {"*": TEXT}},
    },
    "stored": {"since": NUMBER, "registries": [TEXT], "pause_images": [TEXT]},
    "waiting": {"since": NUMBER, "unknown": TEXT, "pods": [{"who": TEXT, "registries": [TEXT]}]},
    "templates": [{"path": TEXT, "writes_auth": FLAG, "writes_config_path": FLAG}],
    "certificates": {"*": {"pem": TEXT, "error": TEXT}},
}  # fmt: skip
