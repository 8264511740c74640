# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a commit has come: names for programs, and the words for people, which are made of them once, at the end."""

from __future__ import annotations

NOTHING_TO_DO = "nothing_to_do"
WOULD_RESTART = "would_restart"
MADE_WAY = "made_way"
NOT_STARTED = "not_started"
FILES_IN_PLACE = "files_in_place"
CHANGED_LIVE = "changed_live"
RESTARTED = "restarted"
RELOADED = "reloaded"
HEALTHY = "healthy"
LOADED = "loaded"
CANARY_PULLED = "canary_pulled"
DONE = "done"
WAITING_FOR_SERVERS = "waiting_for_servers"
NOT_RESTARTED = "not_restarted"
ROLLBACK_FAILED = "rollback_failed"
CONNECTION_LOST = "connection_lost"
UNKNOWN = "unknown"

WORDS = {
    NOTHING_TO_DO: "nothing to do",
    WOULD_RESTART: "would restart",
    MADE_WAY: "made way for another cluster",
    NOT_STARTED: "not started",
    FILES_IN_PLACE: "files in place, K3s is not running",
    CHANGED_LIVE: "changed without a restart",
    RESTARTED: "restarted",
    RELOADED: "files read again without a restart",
    HEALTHY: "healthy",
    LOADED: "loaded as predicted",
    CANARY_PULLED: "canary image pulled",
    DONE: "done",
    WAITING_FOR_SERVERS: "new files in use, waiting for other servers",
    NOT_RESTARTED: "old files back, not restarted",
    ROLLBACK_FAILED: "rollback failed",
    CONNECTION_LOST: "connection lost",
    UNKNOWN: "unknown",
}


def words(step: str) -> str:
    """The step for people. A node may say anything, so a name that is none of these is returned as it is."""
    return WORDS.get(step, step)
