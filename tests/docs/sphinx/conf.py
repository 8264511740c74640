# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx' settings for the site that tests/docs/site.py builds, after those of ``antsibull-docs sphinx-init``."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

_ANSIBLE = "https://docs.ansible.com/ansible/latest/"
# What antsibull-docs' pages refer to in Ansible's own documentation. Sphinx would fetch that site's inventory to learn
# these addresses: here they stand, so that a build needs no network.
_LABELS = {
    "action_plugins": ("plugins/action.html#action-plugins", "Action plugins"),
    "ansible_configuration_settings": (
        "reference_appendices/config.html#ansible-configuration-settings",
        "Ansible Configuration Settings",
    ),
    "common_return_values": ("reference_appendices/common_return_values.html#common-return-values", "Return Values"),
}


def _inventory(path: Path) -> str:
    """Writes the labels in the form of Sphinx' objects.inv, version 2; returns the file's path."""
    lines = ["%s std:label -1 %s %s\n" % (label, address, title) for label, (address, title) in _LABELS.items()]
    head = "# Sphinx inventory version 2\n# Project: Ansible\n# Version: \n# The rest is compressed using zlib.\n"
    path.write_bytes(head.encode() + zlib.compress("".join(lines).encode()))
    return str(path)


project = "k3sfleet.registries"
project_copyright = "the k3sfleet.registries authors"
html_title = html_short_title = "k3sfleet.registries"
extensions = ["myst_parser", "sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
intersphinx_mapping = {"ansible": (_ANSIBLE, _inventory(Path(os.environ["DOCS_SITE"]) / "ansible.inv"))}
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_favicon = "static/favicon.svg"
# The colours of option tables: site.css takes them from the theme's, which its switch between light and dark changes.
antsibull_ext_color_scheme = "none"
html_use_index = False
html_use_modindex = False
html_copy_source = False
html_show_sphinx = False
highlight_language = "YAML+Jinja"
default_role = "any"
nitpicky = True
# Headings of guides are linked to as GitHub names them.
myst_heading_anchors = 5
