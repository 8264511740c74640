# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is publicly known of hosts: registries, caches that take no login, web pages, networks of one's own."""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_ip import is_localhost

#: Registries that hold images of their own, by what their names end in. Names of one product share a value.
REGISTRIES = {
    "docker.io": "docker.io",
    "ghcr.io": "ghcr.io",
    "quay.io": "quay.io",
    "gcr.io": "gcr.io",
    "registry.k8s.io": "registry.k8s.io",
    "k8s.gcr.io": "registry.k8s.io",
    "mcr.microsoft.com": "mcr.microsoft.com",
    "registry.gitlab.com": "registry.gitlab.com",
    "public.ecr.aws": "public.ecr.aws",
    "nvcr.io": "nvcr.io",
    "icr.io": "icr.io",
    "lscr.io": "lscr.io",
    "cgr.dev": "cgr.dev",
    "docker.elastic.co": "docker.elastic.co",
    "registry.access.redhat.com": "registry.access.redhat.com",
    "registry.redhat.io": "registry.redhat.io",
    "registry.suse.com": "registry.suse.com",
    "registry.rancher.com": "registry.rancher.com",
}
#: Public caches of Docker Hub and others, which take no login. Their subdomains count too.
CACHES = (
    "mirror.gcr.io",
    "daocloud.io",
    "mirror.aliyuncs.com",
    "hub-mirror.c.163.com",
    "mirrors.ustc.edu.cn",
    "nju.edu.cn",
    "mirrors.sjtug.sjtu.edu.cn",
    "mirrors.tuna.tsinghua.edu.cn",
    "mirror.ccs.tencentyun.com",
    "mirror.baidubce.com",
    "mirror.azure.cn",
    "azk8s.cn",
    "registry.docker-cn.com",
    "dockerproxy.com",
    "dockerproxy.net",
    "dockerproxy.cn",
    "dockerpull.org",
    "dockerpull.com",
    "1ms.run",
    "1panel.live",
    "1panel.dev",
    "rat.dev",
    "xuanyuan.me",
    "huecker.io",
    "dockerhub.timeweb.cloud",
    "dockerhub1.beget.com",
    "mirror.yandex.ru",
    "docker.arvancloud.ir",
    "docker.iranserver.com",
)
#: Web sites that people take for registries, and the registries that they meant.
PAGES = {
    "hub.docker.com": "registry-1.docker.io",
    "www.docker.com": "registry-1.docker.io",
    "docker.com": "registry-1.docker.io",
    "github.com": "ghcr.io",
    "gitlab.com": "registry.gitlab.com",
    "gallery.ecr.aws": "public.ecr.aws",
    "catalog.redhat.com": "registry.access.redhat.com",
    "access.redhat.com": "registry.access.redhat.com",
    "artifacthub.io": "",
    "console.cloud.google.com": "",
    "portal.azure.com": "",
}
#: The beginnings of paths at which registries' web interfaces are.
_PAGE_PATH = re.compile(r"/(?:harbor/(?:projects|sign-in)|ui(?:/|\Z)|artifactory/webapp|webapp/|projects/\d+|explore/)")
#: Endings that no public name has, and those of networks of one's own.
_PRIVATE_ENDINGS = (
    "local",
    "localdomain",
    "localhost",
    "lan",
    "internal",
    "intranet",
    "intern",
    "corp",
    "home",
    "private",
    "svc",
    "test",
    "home.arpa",
)


def can_be_named(name: str) -> bool:
    """Whether the name of an image can begin with it as a registry."""
    return "." in name or ":" in name or is_localhost(name)


def public_registry(host: str) -> str:
    """The public registry that a host belongs to, "" if it is none: `us.gcr.io` belongs to gcr.io."""
    if host.startswith("registry-1."):
        host = host[len("registry-1.") :]
    if host in REGISTRIES:
        return REGISTRIES[host]
    return "gcr.io" if re.fullmatch(r"(?:us|eu|asia)\.gcr\.io", host) else ""


def is_public_cache(host: str) -> bool:
    """Whether it is a public cache that takes no login."""
    return any(host == cache or host.endswith(f".{cache}") for cache in CACHES)


def is_page(host: str, path: str) -> bool:
    """Whether a web site answers there, not a registry's API."""
    return host in PAGES or _PAGE_PATH.match(path) is not None


def is_on_own_network(host: str) -> bool:
    """Whether a host[:port] is this machine or belongs, by its name or address, to a network of one's own."""
    if is_localhost(host):
        return True
    name = re.sub(r":\d*\Z", "", host).strip("[]").partition("%")[0].rstrip(".").lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or any(name.endswith(f".{ending}") for ending in _PRIVATE_ENDINGS)
    return not address.is_global
