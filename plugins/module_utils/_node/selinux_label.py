# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SELinux label of a file that is replaced, which the new file keeps.

A rename brings the label that the temporary file was born with, which is that of its folder. Mostly that is the same
one; it is not where somebody has chosen one with ``semanage fcontext`` or ``chcon``. The kernel keeps the label as an
extended attribute, so neither the policy's tools nor their Python library are needed.
"""

from __future__ import annotations

import errno
import os

_ATTRIBUTE = "security.selinux"
_THERE_IS_NONE = (errno.ENODATA, errno.ENOTSUP, errno.EPERM, errno.EACCES)


def label_of(descriptor: int) -> bytes:
    """The label of an open file, b"" if it has none or the system knows of none."""
    if not hasattr(os, "getxattr"):
        # A controller without Linux.
        return b""
    try:
        return os.getxattr(descriptor, _ATTRIBUTE)
    except OSError as error:
        if error.errno in _THERE_IS_NONE:
            return b""
        raise


def keep(label: bytes, descriptor: int) -> None:
    """Give an open file this label, unless that is b"" or it has it.

    :raises OSError: if the system does not allow it: under the folder's label K3s may not be able to read the file.
    """
    if label and label_of(descriptor) != label:
        os.setxattr(descriptor, _ATTRIBUTE, label)
