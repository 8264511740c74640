# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one shell command that tells whether a node is still as it was when it had everything.

The node runs it to take a snapshot, and the controller to compare one, so both see the same things in the same words,
whichever tools the node has. It is a constant: it has no secret in it, and nothing of a configuration but the folder of
K3s' own.

A snapshot is one file, ``<state_dir>/snapshot``: its name, salt, digest and checksum; the result of staging as JSON;
then what counts, one list a line, with tabs between the paths (see :mod:`what_counts`). The checksum is over what the
command sees of it.
"""

from __future__ import annotations

import re
import shlex

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.units import PROPERTIES

FORMAT = "k3sfleet-snapshot-1"
"""Begins a snapshot. A change of what is below, or of :mod:`what_counts`, needs no new one: the digest covers the code
of the collection, so that a snapshot of another version is never believed."""

UNCHANGED = "k3sfleet-unchanged"
"""Begins the answer for a node that has not changed: salt, digest and result follow in the same line."""

TAKE = "take"

COMPLETE = "complete"
"""Ends what the command sees, if it could look at everything."""

# A node lacks `sha256sum` or `stat`, a path is gone, a process has ended: whatever fails, the text is not complete, and
# equals no snapshot. Inode and time of change are seen with each file: nobody can set these, not even to hide an edit.
_SCRIPT = r"""
LC_ALL=C PATH="$PATH:/usr/sbin:/usr/bin:/sbin:/bin"
export LC_ALL PATH
set -f
tab=$(printf "\t")
evidence() {
  for list in own units process entries contents folders listed absent; do
    IFS= read -r "$list" || return 1
  done
  IFS=$tab
  for path in $absent; do
    if [ -e "$path" ] || [ -L "$path" ]; then return 1; fi
  done
  read -r boot </proc/sys/kernel/random/boot_id && echo "$boot" || return 1
  grep "^btime " /proc/stat || return 1
  IFS= read -r status <"/proc/$process/stat" || return 1
  status=${status##*)}
  IFS=" "
  set -- $status
  echo "$process ${20}"
  IFS=$tab
  stat -c "%n %f %u %g %s %Y %Z %i" -- $entries || return 1
  stat -c "%n %f %u %g" -- $folders || return 1
  sha256sum -- $contents || return 1
  find $listed -mindepth 1 -maxdepth 1 ! -path "$own" | sort
  systemctl show "--property=@PROPERTIES@" -- $units || return 1
  echo @COMPLETE@
}
if [ "${2-}" = @TAKE@ ]; then evidence; exit; fi
[ -O "$1" ] && [ ! -L "$1" ] || exit 1
exec <"$1"
IFS=" " read -r format salt digest sum && IFS= read -r result && [ "$format" = @FORMAT@ ] || exit 1
found=$(evidence | sha256sum) && [ "${found%% *}" = "$sum" ] || exit 1
printf "%s\n" "@UNCHANGED@ $salt $digest $result"
"""
_CONSTANTS = {
    "@PROPERTIES@": PROPERTIES, "@COMPLETE@": COMPLETE, "@TAKE@": TAKE, "@FORMAT@": FORMAT, "@UNCHANGED@": UNCHANGED,
}  # fmt: skip

SCRIPT = re.sub("@[A-Z]+@", lambda name: _CONSTANTS[name.group()], _SCRIPT).strip("\n")
"""Its arguments: the snapshot's path, and :data:`TAKE` to see what counts instead of comparing, with the lists of
:class:`WhatCounts` on its standard input."""


def command(path: str) -> str:
    """The command line that compares the snapshot at ``path`` with the node: one line with :data:`UNCHANGED` if nothing
    has changed, nothing and an exit status of its own otherwise."""
    return "/bin/sh -c %s sh %s" % (shlex.quote(SCRIPT), shlex.quote(path))
