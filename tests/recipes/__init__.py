# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of docs/registries, tried: their own YAML, against the real server or one that answers as documented.

- ``catalogue``: the recipes (``on_servers``, ``in_clouds``, ``on_nodes``), with the images that their pages speak of
  and the typical faults; ``playing`` makes cases of them.
- ``blocks``: the YAML, taken out of the pages.
- ``products``: small registries that challenge, hand out tokens and refuse as a product's documentation says;
  ``taking``: how they take uploads.
- ``stage``: a proxy that stands in for every host, so that the pages' names can be used as they are.
- ``probing``, ``pulling``: what the probe and a real containerd make of them.
- ``distribution``: CNCF distribution itself, Debian's 2.8 and version 3, as a pull-through cache.
- ``page``: the part of each page that is generated.

``python -m tests.recipes`` pulls every recipe's image and every fault with a real containerd. With ``--write``, it
keeps what containerd logged, for the pages and the unit tests. What a fleet makes of the pages is in
tests/integration/recipes.
"""
