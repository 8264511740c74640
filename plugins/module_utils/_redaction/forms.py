# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms by which a credential is recognised anywhere in a text: issuers add a prefix for exactly this purpose.

Each expression begins with fixed characters and ends in one greedy run, so a text is gone through once.
"""

from __future__ import annotations

import re

#: No line is looked at beyond this many characters, so no run can be longer.
LONGEST = 16384

# "\n" and the like within a quoted text end a word as a blank does.
_BEGINS = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
_RUN = "{%d," + str(LONGEST) + "}"

_FORMS = (
    # The base64 of '{"': JSON Web Tokens with their parts, pull secrets (.dockerconfigjson).
    r"eyJ[A-Za-z0-9_+/=-]" + _RUN % 8 + r"(?:\.[A-Za-z0-9_=-]" + _RUN % 0 + r"){0,4}",
    # GitHub, GitLab, Docker Hub.
    r"gh[pousr]_[A-Za-z0-9]" + _RUN % 8,
    r"github_pat_[A-Za-z0-9_]" + _RUN % 8,
    r"gl(?:pat|dt|cbt|rt|ft|soat|oas|agent|ptt|imt|ffct)-[A-Za-z0-9_.-]" + _RUN % 8,
    r"dckr_[op]at_[A-Za-z0-9_-]" + _RUN % 8,
    # Amazon, Google, Azure (application secrets, keys of its container registries).
    r"A(?:KIA|SIA|BIA|CCA)[0-9A-Z]" + _RUN % 12,
    r"ya29\.[A-Za-z0-9_.-]" + _RUN % 8,
    r"AIza[A-Za-z0-9_-]" + _RUN % 30,
    r"GOCSPX-[A-Za-z0-9_-]" + _RUN % 8,
    r"1//0[A-Za-z0-9_-]" + _RUN % 20,
    r"[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]" + _RUN % 20,
    r"[A-Za-z0-9+/]{42}\+ACR[A-Za-z0-9]{6}",
    # Vault, JFrog, npm, PyPI, Slack, DigitalOcean, age.
    r"hv[sbr]\.[A-Za-z0-9_.-]" + _RUN % 8,
    r"AKCp[A-Za-z0-9]" + _RUN % 10,
    r"cmVmdGtu[A-Za-z0-9+/=]" + _RUN % 10,
    r"npm_[A-Za-z0-9]" + _RUN % 20,
    r"pypi-AgE[A-Za-z0-9_-]" + _RUN % 20,
    r"xox[abeprs]-[A-Za-z0-9-]" + _RUN % 8,
    r"do[opr]_v1_[a-f0-9]" + _RUN % 16,
    r"AGE-SECRET-KEY-1[A-Z0-9]" + _RUN % 16,
    # A cluster's own token: K10, the hash of its CA, user and password.
    r"K10[0-9a-f]{64}::[A-Za-z0-9_.:-]" + _RUN % 1,
)
KNOWN_FORMS = re.compile(_BEGINS + "(?:" + "|".join(_FORMS) + ")")

PRIVATE_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
PRIVATE_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
