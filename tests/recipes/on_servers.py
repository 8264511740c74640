# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of registries that people run on servers, or rent: who answers, and the typical faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.recipes.products import PAGE, Harbor, Registry, WithoutScope, always, error, filled, login_of
from tests.recipes.recipe import GHCR, NGINX, Fault, Recipe
from tests.registry_faults.servers import Reply

if TYPE_CHECKING:
    from tests.recipes.recipe import Apps
    from tests.recipes.stage import App

#: What a token server answers that knows GET only; containerd then asks by GET.
_NO_POST = Reply(405)

_HARBOR = "harbor.example.com"


def _harbor(robot: bool = True, projects: tuple[str, ...] = ("dockerhub", "ghcr", "team"), **more: Any) -> Apps:
    def apps(config: dict[str, Any]) -> dict[str, App]:
        store = filled("dockerhub/library/nginx:1.29", "ghcr/example/app:1.0", "team/app:1.0")
        return {f"https://{_HARBOR}": Harbor(store, robot, projects, login=login_of(config, _HARBOR), **more)}

    return apps


_POLICY = error(
    412,
    "PROJECTPOLICYVIOLATION",
    "current image with 3 vulnerabilities cannot be pulled due to configured policy in "
    "'Prevent images with vulnerability severity of \"High\" or higher from running.'",
)
_UPSTREAM_LIMIT = error(429, "TOO_MANY_REQUEST", "too many requests to upstream registry")

HARBOR = Recipe(
    "harbor",
    (NGINX, GHCR, f"{_HARBOR}/team/app:1.0"),
    _harbor(),
    (
        Fault(
            "robot-expired",
            "The robot has expired, was disabled or deleted, or its secret was refreshed",
            "a token without any right, then 401 `UNAUTHORIZED`",
            "unauthorized",
            _HARBOR,
            _harbor(robot=False),
        ),
        Fault(
            "project-missing",
            "The project does not exist",
            "401 `project dockerhub not found`",
            "unauthorized",
            _HARBOR,
            _harbor(projects=("team",)),
        ),
        Fault(
            "policy",
            "The project does not let out images with vulnerabilities or without a signature",
            "412 `PROJECTPOLICYVIOLATION`",
            "forbidden",
            _HARBOR,
            _harbor(refused={"dockerhub/": _POLICY}),
        ),
        Fault(
            "upstream-limit",
            "The registry behind a proxy-cache project limits Harbor's pulls",
            "429 `TOO_MANY_REQUEST`",
            "rate_limited",
            _HARBOR,
            _harbor(refused={"dockerhub/": _UPSTREAM_LIMIT}),
        ),
        Fault(
            "missing",
            "Neither the cache nor the registry behind it has the image",
            "404 `NOT_FOUND`",
            "not_found",
            _HARBOR,
            _harbor(),
            "docker.io/library/missing:1",
        ),
    ),
    filled=True,
)

_HUB = "registry-1.docker.io"
_LIMIT = error(
    429,
    "TOOMANYREQUESTS",
    "You have reached your pull rate limit. You may increase the limit by authenticating and "
    "upgrading: https://www.docker.com/increase-rate-limits",
)


def _hub(kind: type[Registry] = Registry, known: bool = True, **more: Any) -> Apps:
    def apps(config: dict[str, Any]) -> dict[str, App]:
        login = login_of(config, _HUB) if known else ("somebody", "else")
        store = filled("library/nginx:1.29", "example/private:1.0")
        hub = kind(store, login, realm="https://auth.docker.io/token", service="registry.docker.io", **more)
        return {f"https://{_HUB}": hub, "https://auth.docker.io": hub}

    return apps


DOCKER_HUB = Recipe(
    "docker-hub",
    (NGINX, "docker.io/example/private:1.0"),
    _hub(),
    (
        Fault(
            "token-revoked",
            "The access token was revoked or has expired, or the user's name is wrong",
            "401 by the token server auth.docker.io",
            "token_refused",
            _HUB,
            _hub(known=False),
        ),
        Fault(
            "no-access",
            "The account may not read the private repository, or there is none",
            "401 `insufficient_scope`",
            "forbidden",
            _HUB,
            _hub(WithoutScope),
            "docker.io/example/private:1.0",
        ),
        Fault(
            "limit",
            "The account, or the address if nobody has logged in, has reached its limit",
            "429 `TOOMANYREQUESTS`",
            "rate_limited",
            _HUB,
            _hub(refused={"library/": _LIMIT}),
        ),
    ),
)

_GITLAB, _GITLAB_REGISTRY = "gitlab.example.com", "registry.gitlab.example.com"
_PROXY = "platform/dependency_proxy/containers"
_ACCESS_DENIED = error(401, "UNAUTHORIZED", "HTTP Basic: Access denied.")
_GITLAB_NO_POST = Reply(404)


def _gitlab(kind: type[Registry] = Registry, known: bool = True, proxy: bool = True) -> Apps:
    def apps(config: dict[str, Any]) -> dict[str, App]:
        realm = f"https://{_GITLAB}/jwt/auth"
        more: dict[str, Any] = {"realm": realm, "bad_login": _ACCESS_DENIED, "post": _GITLAB_NO_POST}
        login = login_of(config, _GITLAB) if known else ("somebody", "else")
        refused = {} if proxy else {_PROXY: Reply(404)}
        hub = Registry(
            filled(f"{_PROXY}/library/nginx:1.29"), login, service="dependency_proxy", refused=refused, **more
        )
        login = login_of(config, _GITLAB_REGISTRY) if known else ("somebody", "else")
        own = kind(filled("platform/shop/app:1.0"), login, service="container_registry", **more)

        def gitlab(request: Any) -> Reply:
            is_own = request.query.get("service") == ["container_registry"]
            return own(request) if is_own else hub(request)

        return {f"https://{_GITLAB}": gitlab, f"https://{_GITLAB_REGISTRY}": own}

    return apps


GITLAB = Recipe(
    "gitlab",
    (f"{_GITLAB_REGISTRY}/platform/shop/app:1.0", NGINX),
    _gitlab(),
    (
        Fault(
            "token-revoked",
            "The deploy token has expired or was revoked",
            "401 by GitLab's `/jwt/auth`",
            "token_refused",
            _GITLAB_REGISTRY,
            _gitlab(known=False),
        ),
        Fault(
            "no-access",
            "The deploy token is of another project or lacks `read_registry`",
            "401 `insufficient_scope`",
            "forbidden",
            _GITLAB_REGISTRY,
            _gitlab(WithoutScope),
        ),
        Fault(
            "proxy-off",
            "The group's dependency proxy is off, or the group's path is wrong",
            "404",
            "not_found",
            _GITLAB,
            _gitlab(proxy=False),
            NGINX,
        ),
    ),
)

_QUAY = "quay.example.com"


def _quay(known: bool = True, **more: Any) -> Apps:
    def apps(config: dict[str, Any]) -> dict[str, App]:
        bad = error(401, "UNAUTHORIZED", "Could not find robot with username: platform+k3s and supplied password.")
        login = login_of(config, _QUAY) if known else ("somebody", "else")
        store = filled("dockerhub/library/nginx:1.29", "platform/app:1.0")
        realm = f"https://{_QUAY}/v2/auth"
        return {
            f"https://{_QUAY}": Registry(
                store, login, realm=realm, service=_QUAY, bad_login=bad, post=_NO_POST, **more
            )
        }  # fmt: skip

    return apps


_QUAY_DENIED = error(
    401,
    "UNAUTHORIZED",
    "access to the requested resource is not authorized",
    **{"WWW-Authenticate": f'Bearer realm="https://{_QUAY}/v2/auth",service="{_QUAY}"'},
)

QUAY = Recipe(
    "quay",
    (NGINX, f"{_QUAY}/platform/app:1.0"),
    _quay(),
    (
        Fault(
            "robot-token",
            "The robot was deleted or its token was regenerated",
            "401 by `/v2/auth`, `Could not find robot`",
            "token_refused",
            _QUAY,
            _quay(known=False),
        ),
        Fault(
            "no-access",
            "The robot may not read the repository, or there is none",
            "401 `UNAUTHORIZED`",
            "unauthorized",
            _QUAY,
            _quay(refused={"dockerhub/": _QUAY_DENIED}),
        ),
    ),
    filled=True,
)

_ZOT = "zot.example.com:8080"


def _zot(known: bool = True) -> Apps:
    def apps(config: dict[str, Any]) -> dict[str, App]:
        login = login_of(config, _ZOT) if known else ("somebody", "else")
        store = filled("docker-images/library/nginx:1.29", "team/app:1.0")
        return {f"https://{_ZOT}": Registry(store, login, service="zot")}

    return apps


ZOT = Recipe(
    "zot",
    (NGINX, f"{_ZOT}/team/app:1.0"),
    _zot(),
    (
        Fault(
            "password",
            "The password is wrong, or the user was removed from htpasswd",
            "401 `UNAUTHORIZED`",
            "unauthorized",
            _ZOT,
            _zot(known=False),
        ),
        Fault(
            "missing",
            "Zot could not get the image on demand: `content` excludes it, or the upstream refuses",
            "404 `MANIFEST_UNKNOWN`",
            "not_found",
            _ZOT,
            _zot(),
            "docker.io/library/missing:1",
        ),
    ),
    filled=True,
)

_ARTIFACTORY = "artifactory.example.com"


def _artifactory(known: bool = True, page: bool = False, **more: Any) -> Apps:
    def apps(config: dict[str, Any]) -> dict[str, App]:
        login = login_of(config, _ARTIFACTORY) if known else ("somebody", "else")
        store = filled("docker-hub-remote/library/nginx:1.29", "docker-local/app:1.0")
        registry = Registry(store, login, service="Artifactory Realm", **more)
        return {f"https://{_ARTIFACTORY}": always(PAGE) if page else registry}

    return apps


ARTIFACTORY = Recipe(
    "artifactory",
    (NGINX, f"{_ARTIFACTORY}/docker-local/app:1.0"),
    _artifactory(),
    (
        Fault(
            "token",
            "The identity token was revoked or has expired",
            "401",
            "unauthorized",
            _ARTIFACTORY,
            _artifactory(known=False),
        ),
        Fault(
            "no-access",
            "The user has no Read permission on the repository",
            "403",
            "forbidden",
            _ARTIFACTORY,
            _artifactory(refused={"docker-hub-remote": error(403, "DENIED", "forbidden")}),
        ),
        Fault(
            "page",
            "The reverse proxy does not lead /v2 to Artifactory's Docker interface",
            "200 with a web page",
            "not_a_registry",
            _ARTIFACTORY,
            _artifactory(page=True),
        ),
    ),
    filled=True,
)

_NEXUS = "nexus.example.com"


def _nexus(known: bool = True, **more: Any) -> Apps:
    def apps(config: dict[str, Any]) -> dict[str, App]:
        login = login_of(config, _NEXUS) if known else ("somebody", "else")
        store = filled("docker-group/library/nginx:1.29")
        return {f"https://{_NEXUS}": Registry(store, login, service="Sonatype Nexus Repository Manager", **more)}

    return apps


NEXUS = Recipe(
    "nexus",
    (NGINX,),
    _nexus(),
    (
        Fault(
            "login",
            "The user is disabled, or anonymous access lacks the Docker Bearer Token Realm",
            "401",
            "unauthorized",
            _NEXUS,
            _nexus(known=False),
        ),
        Fault(
            "no-routing",
            "Path based routing is off for the repository, or its name is another one",
            "404",
            "not_found",
            _NEXUS,
            _nexus(refused={"docker-group": Reply(404)}),
        ),
    ),
)
