# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of what K3s itself does, which are no part of the project.

A test marked ``@pytest.mark.vectors("host_configs.json")`` runs once for each case of that file in
the folder that the environment variable K3S_REGISTRY_VECTORS names, as its argument ``case``.
Without the variable it is skipped, saying so.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.conftest import examples

VARIABLE = "K3S_REGISTRY_VECTORS"

# Whether a property holds does not depend on how busy the machine is.
settings.register_profile("any machine", deadline=None, max_examples=examples(100))
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"vectors(file): runs once per case of a file below ${VARIABLE}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("vectors")
    if marker is None:
        return
    folder = os.environ.get(VARIABLE)
    if not folder:
        skip = pytest.mark.skip(reason=f"{VARIABLE} does not name the folder with K3s' own results")
        metafunc.parametrize("case", [pytest.param({}, marks=skip, id="none")])
        return
    cases = json.loads((Path(folder) / marker.args[0]).read_text(encoding="utf-8"))["cases"]
    metafunc.parametrize("case", cases, ids=[case["name"] for case in cases])
