# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that node_exporter's textfile collector reads, and the folder that it is in.

node_exporter reads every ``*.prom`` of its folder at each scrape. So the text is written under another name, which ends
differently, and renamed.

The folder is the administrator's: it is neither made nor changed. It has to be root's alone, while the folders above it
may belong to another user, as Debian's ``/var/lib/prometheus`` does: no link that such a user could turn is followed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files, folders

NAME = "k3s_registries.prom"
#: Everybody may read it: node_exporter runs as a user of its own.
MODE = 0o644
#: Seconds after which a temporary file is what a killed write has left, and not one that is being written.
_ABANDONED = 3600


class MetricsProblem(Exception):
    """The file could not be written or removed; the text says what, where, why, and what to do."""


def write(folder: str, text: str) -> str:
    """Put ``text`` into the folder's file in one step, and return the file's path.

    :raises MetricsProblem: if it cannot be written. What was there before is still there then.
    """
    path = os.path.join(folder, NAME)
    _check(folder)
    _remove_abandoned(folder)
    try:
        # Names that nobody can guess, so that two runs at once do not write the same temporary file.
        writes = files.Writes(shared=True)
        writes.add(path, text.encode("utf-8", "replace"), MODE, through_link=False)
        writes.finish()
    except files.FileProblem as problem:
        raise MetricsProblem(str(problem)) from problem
    return path


def remove(folder: str, check_mode: bool = False) -> bool:
    """Remove the folder's file; whether there was one.

    :param check_mode: only say whether there is one.
    :raises MetricsProblem: if it cannot be removed.
    """
    path = os.path.join(folder, NAME)
    try:
        if check_mode:
            return os.path.lexists(path)
        return files.remove(path, through_link=False)
    except files.FileProblem as problem:
        raise MetricsProblem(str(problem)) from problem


def _check(folder: str) -> None:
    """Refuse a folder that is not there, is none, or in which somebody else could put anything.

    :raises MetricsProblem: with what to do.
    """
    try:
        status = os.lstat(folder.rstrip(os.sep) or os.sep)
    except OSError as error:
        raise MetricsProblem(
            "the folder %s cannot be found (%s). Create it as root, with mode 0755, and start node_exporter with "
            "--collector.textfile.directory=%s; or name the folder that node_exporter reads in "
            "k3s_registries_metrics_dir" % (folder, error.strerror, folder)
        ) from error
    if stat.S_ISLNK(status.st_mode):
        raise MetricsProblem(
            "%s is a symbolic link. Name the folder that it leads to in k3s_registries_metrics_dir" % folder
        )
    if not stat.S_ISDIR(status.st_mode):
        raise MetricsProblem(
            "%s is not a folder. Name the folder that node_exporter reads in k3s_registries_metrics_dir" % folder
        )
    try:
        with folders.opened(folder, owned=False) as descriptor:
            trouble = _trouble_with(os.fstat(descriptor), folder)
    except (folders.Untrusted, OSError) as error:
        raise MetricsProblem("the folder %s cannot be used: %s" % (folder, error)) from error
    if trouble:
        raise MetricsProblem(trouble)


def _trouble_with(status: os.stat_result, folder: str) -> str:
    """Why somebody else could say what the node's metrics are, with what to do; "" if nobody could."""
    if not folders.is_mine(status):
        return (
            "%s belongs to user %d, who can put any metrics there. Give it to root: node_exporter only reads it "
            "(chown root:root %s)" % (folder, status.st_uid, folder)
        )
    if folders.others_may_write(status):
        return (
            "other users than its owner can write to %s (mode %04o), and put any metrics there. Remove that with "
            "chmod go-w %s: node_exporter only reads it" % (folder, stat.S_IMODE(status.st_mode), folder)
        )
    return ""


def _remove_abandoned(folder: str) -> None:
    """Remove what writes that were killed have left. What cannot be removed disturbs nobody: it is no ``*.prom``."""
    now = time.time()
    for name in files.names_in(folder):
        if name.startswith("." + NAME) and name.endswith(files.TEMPORARY_SUFFIX):
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError, files.FileProblem):
                if now - os.lstat(path).st_mtime > _ABANDONED:
                    files.remove(path, through_link=False)
