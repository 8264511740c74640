# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of the clouds' registries: who answers, and the typical faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.recipes.products import Registry, error, filled, login_of
from tests.recipes.recipe import NGINX, Fault, Recipe

if TYPE_CHECKING:
    from tests.recipes.recipe import Apps
    from tests.recipes.stage import App

_ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
_ECR_IMAGE = f"{_ECR}/docker-hub/library/nginx:1.29"
_ECR_EXPIRED = error(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
_ECR_UNKNOWN = error(
    404,
    "NAME_UNKNOWN",
    "The repository with name 'docker-hub/library/nginx' does not exist in the registry with id '123456789012'",
)


def _ecr(asks: bool = False, **more: Any) -> Apps:
    """With a pod's credentials, which the kubelet has fetched, there is nothing to ask for here."""

    def apps(_config: dict[str, Any]) -> dict[str, App]:
        login = ("AWS", "of-the-kubelet") if asks else None
        store = filled("docker-hub/library/nginx:1.29")
        return {f"https://{_ECR}": Registry(store, login, service=f"https://{_ECR}/", **more)}

    return apps


ECR = Recipe(
    "ecr",
    (_ECR_IMAGE,),
    _ecr(),
    (
        Fault(
            "no-credentials",
            "The kubelet has handed over nothing: no provider, or the pull did not come from a pod",
            "401",
            "unauthorized",
            _ECR,
            _ecr(asks=True),
        ),
        Fault(
            "expired",
            "The password is older than 12 hours, or of another region or account",
            "403 `DENIED`",
            "forbidden",
            _ECR,
            _ecr(refused={"": _ECR_EXPIRED}),
        ),
        Fault(
            "no-rule",
            "There is no repository, and no pull-through cache rule that may create it",
            "404 `NAME_UNKNOWN`",
            "not_found",
            _ECR,
            _ecr(refused={"docker-hub/": _ECR_UNKNOWN}),
        ),
    ),
    not_on_fleet="the password comes from a program of AWS that the kubelet starts",
)

_GAR = "europe-docker.pkg.dev"
_GAR_DENIED = error(
    403,
    "DENIED",
    'Permission "artifactregistry.repositories.downloadArtifacts" denied on resource '
    '"projects/example-project/locations/europe/repositories/dockerhub" (or it may not exist)',
)


def _gar(known: bool = True, **more: Any) -> Apps:
    def apps(config: dict[str, Any]) -> dict[str, App]:
        login = login_of(config, _GAR) if known else ("somebody", "else")
        store = filled("example-project/dockerhub/library/nginx:1.29", "example-project/team/app:1.0")
        realm = f"https://{_GAR}/v2/token"
        registry = Registry(store, login, realm=realm, service=_GAR, **more)
        return {f"https://{_GAR}": registry}

    return apps


GAR = Recipe(
    "artifact-registry",
    (NGINX, f"{_GAR}/example-project/team/app:1.0"),
    _gar(),
    (
        Fault(
            "no-access",
            "The service account lacks Artifact Registry Reader, or there is no such repository",
            "403 `DENIED` by `/v2/token`",
            "token_refused",
            _GAR,
            _gar(known=False, bad_login=_GAR_DENIED),
        ),
        Fault(
            "key", "The key was deleted or has expired", "401 by `/v2/token`", "token_refused", _GAR, _gar(known=False)
        ),
    ),
    filled=True,
)

_ACR = "example.azurecr.io"


def _acr(known: bool = True, **more: Any) -> Apps:
    def apps(config: dict[str, Any]) -> dict[str, App]:
        login = login_of(config, _ACR) if known else ("somebody", "else")
        store = filled("dockerhub/library/nginx:1.29", "team/app:1.0")
        registry = Registry(store, login, realm=f"https://{_ACR}/oauth2/token", service=_ACR, **more)
        return {f"https://{_ACR}": registry}

    return apps


ACR = Recipe(
    "acr",
    (NGINX, f"{_ACR}/team/app:1.0"),
    _acr(),
    (
        Fault(
            "password",
            "The token's password has expired, or the token is disabled",
            "401 by `/oauth2/token`",
            "token_refused",
            _ACR,
            _acr(known=False),
        ),
        Fault(
            "no-rule",
            "No cache rule leads to the repository, or its credentials for the upstream are unhealthy",
            "404 `MANIFEST_UNKNOWN`",
            "not_found",
            _ACR,
            _acr(),
            "docker.io/library/missing:1",
        ),
    ),
    filled=True,
)
