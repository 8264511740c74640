# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long each known kind of credential lives, and which live on."""

from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.lifetime import DAY, HOUR, lifetime

NOW = 1_800_000_000.0


def jwt(**claims: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims)}.canary"


CANARY = "canary-of-the-test"


def login(user: str, password: str = CANARY) -> dict[str, str]:
    return {"username": user, "password": password}


@pytest.mark.parametrize(
    ("auth", "hours"),
    [
        (login("AWS"), 12),
        ({"auth": base64.b64encode(b"AWS:canary").decode()}, 12),
        (login("oauth2accesstoken"), 1),
        (login("someone", "ya29.canary"), 1),
        (login("00000000-0000-0000-0000-000000000000"), 3),
        (login("someone", "ghs_canary"), 1),
        (login("someone", "ghu_canary"), 8),
        (login("iambearer"), 1),
        (login("cr_temp_user"), 1),
        (login("tenancy/BEARER_TOKEN"), 1),
        (login("kubeadmin", "sha256~canary"), 24),
    ],
)
def test_what_lives_for_hours(auth: dict[str, str], hours: int) -> None:
    life = lifetime(auth)
    assert life is not None
    assert life.kind.seconds == hours * HOUR
    assert f"lives {hours} hour" in life.sentence(NOW)
    assert life.is_near(NOW)
    assert life.kind.instead
    assert "canary" not in life.sentence(NOW) + life.kind.instead


def test_a_job_s_token_ends_with_the_job() -> None:
    for auth in (login("gitlab-ci-token"), login("someone", "glcbt-canary")):
        life = lifetime(auth)
        assert life is not None
        assert "ends with the job" in life.sentence(NOW)
        assert life.deadline(NOW) == 0


@pytest.mark.parametrize("auth", [login("someone", jwt(exp=NOW + DAY)), {"identity_token": jwt(exp=NOW + DAY)}])
def test_a_jwt_says_itself_when_it_ends(auth: dict[str, str]) -> None:
    life = lifetime(auth)
    assert life is not None
    assert life.ends == NOW + DAY
    assert life.is_near(NOW)
    assert not life.is_near(NOW - 30 * DAY)
    assert life.deadline(NOW - 100 * DAY) == NOW + DAY
    assert "ends on 2027-01-16 08:00 UTC" in life.sentence(NOW)
    assert "ended on 2027-01-16 08:00 UTC" in life.sentence(NOW + DAY)


def test_the_end_of_a_password_is_counted_from_when_it_was_written_at_the_latest() -> None:
    life = lifetime(login("AWS"))
    assert life is not None
    assert life.deadline(NOW) == NOW + 12 * HOUR
    assert life.deadline(0) == 0


@pytest.mark.parametrize(
    "auth",
    [
        {},
        login("someone"),
        login("robot$k3s"),
        login("_json_key"),
        login("iamapikey"),
        login("AWS", ""),
        login("someone", "dckr_pat_canary"),
        login("someone", "ghp_canary"),
        login("someone", "glpat-canary"),
        login("someone", jwt(sub="k3s")),
        login("someone", jwt(exp="tomorrow")),
        login("someone", jwt(exp=True)),
        login("someone", jwt(exp=1e300)),
        login("someone", "eyJ.!.x"),
        login("someone", "eyJhbGciOiJub25lIn0.W10.x"),
        {"auth": "no base64"},
        {"auth": base64.b64encode(b"\xff:\xff").decode()},
        # username and password are in force, not the token beside them.
        {**login("someone"), "identity_token": jwt(exp=1)},
    ],
)
def test_what_lives_on_or_says_nothing(auth: dict[str, str]) -> None:
    assert lifetime(auth) is None
