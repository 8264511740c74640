# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is what ``resolve_image`` says what containerd does? ``python -m tests.conformance [--cases 120] [--containerd2]``.

For each generated configuration the hosts.toml files are written as ``hosts_toml`` predicts them, an image that no
registry has is pulled through containerd's CRI service, and the requests that came are compared with the attempts
that ``resolve_image`` lists, in order. The exit status is 1 where they differ; the seed shown makes the case again.
Beside that, whom it gives the credentials that come with a pull.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable
from tests.conformance import handed_over
from tests.conformance.cases import PRIVATE, PUBLIC, Case, Files, Ports, make_case
from tests.conformance.containerd import Containerd, ContainerdError, find
from tests.conformance.registries import LOOPBACK, Log, Registry, refused_line, request_line
from tests.fleet import certificates, containerd_source
from tests.fleet.process import FleetError

# isort: split
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "conformance"
_DOCKER_HUB = "registry-1.docker.io"
_LOCAL_NAMES = (LOOPBACK, "localhost")


def _name(host: str) -> str:
    return host.partition(":")[0]


class Authorities:
    """Certificates for all hosts: the public ones' are trusted as the system's are, the others' are not."""

    def __init__(self, folder: Path) -> None:
        public, private = certificates.authority("public CA"), certificates.authority("private CA")
        public.write(folder / "public")
        private.write(folder / "private")
        certificates.issue(private, "node", client=True).write(folder / "client")
        self.public_ca = folder / "public.crt"
        self.files = Files(folder / "private.crt", folder / "client.crt", folder / "client.key")
        public_names = (*(_name(host) for host in PUBLIC), _DOCKER_HUB)
        private_names = (*(_name(host) for host in PRIVATE), *_LOCAL_NAMES)
        certificates.issue(public, "public", public_names).write(folder / "public-server")
        certificates.issue(private, "private", private_names).write(folder / "private-server")
        self.public = self._context(folder / "public-server")
        self.private = self._context(folder / "private-server")

    def _context(self, stem: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{stem}.crt", f"{stem}.key")
        context.load_verify_locations(self.files.ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    @staticmethod
    def is_public(host: str) -> bool:
        return host == _DOCKER_HUB or host in PUBLIC

    def context_for(self, host: str) -> ssl.SSLContext:
        return self.public if self.is_public(host) else self.private


def expected(
    attempts: Sequence[Mapping[str, Any]], authorities: Authorities, https_ports: Sequence[int] = ()
) -> list[str]:
    """What the registries' log will say if containerd makes these attempts.

    https_ports: those of this machine's registries that speak https, where containerd tries that first.
    """
    lines = []
    for attempt in attempts:
        url, tls = attempt["url"], attempt["tls"]
        host = url.partition("://")[2].partition("/")[0]
        if attempt.get("https_first") and any(host.endswith(f":{port}") for port in https_ports):
            url = "https" + url[len("http") :]
        trusts = authorities.is_public(host) or tls.get("insecure_skip_verify") or tls.get("ca_file")
        if attempt.get("request_error"):
            continue
        if url.startswith("https://") and not trusts:
            lines.append(refused_line(host))
        else:
            lines.append(request_line(url, url.startswith("https://") and bool(tls.get("cert_file"))))
    return lines


def attempts_of(case: Case, is_fork: bool) -> Sequence[Mapping[str, Any]]:
    """What ``resolve_image`` says, and the one request by which upstream containerd differs from K3s' own:

    it asks the registry itself last, also where hosts.toml has no ``server`` line; K3s' fork does not.
    """
    attempts: list[Any] = list(resolve_image(case.image, normalise(case.config), case.default_endpoint))
    if not is_fork and not any(attempt["kind"] == "default" for attempt in attempts):
        attempts += resolve_image(case.image, normalise({}))
    return attempts


def check(
    case: Case, containerd: Containerd, log: Log, authorities: Authorities, ports: Ports
) -> tuple[list[str], list[str], str]:
    """Expected lines, lines seen, and containerd's error, of one case."""
    containerd.configure(hosts_toml(normalise(case.config), case.default_endpoint))
    log.take()
    error = containerd.pull(case.image)
    # By digest containerd asks all hosts for the manifest, and then all of them for a blob of that digest.
    seen = [line for line in log.take() if "/blobs/sha256:" not in line]
    https_ports = ports.https if containerd.tries_https_first else ()
    wanted = expected(attempts_of(case, containerd.is_fork), authorities, https_ports)
    if "@sha256:" in case.image:
        # The second round refuses certificates again.
        wanted += [line for line in wanted if line.endswith("(certificate refused)")]
    return wanted, seen, error


def report(case: Case, wanted: list[str], seen: list[str], error: str) -> None:
    print(f"DIFFERENT: seed {case.seed}, image {case.image}, default endpoint {case.default_endpoint}")
    print("  " + json.dumps(case.config, indent=2).replace("\n", "\n  "))
    for title, lines in (("resolve_image", wanted), ("containerd", seen)):
        print(f"  {title}:")
        print("\n".join(f"    {line}" for line in lines) or "    nothing")
    print(f"  error: {error}")


def run(cases: int, first_seed: int, program: Path) -> int:
    """Runs the cases with the containerd ``program``; returns the number of those that differ, and of what else is not
    as assumed."""
    started = time.monotonic()
    differing = requests = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conformance-")))
        authorities, log = Authorities(folder), Log()
        http = [stack.enter_context(Registry(log)) for _number in range(2)]
        https = [stack.enter_context(Registry(log, authorities.private)) for _number in range(2)]
        proxy = stack.enter_context(Registry(log, context_for=authorities.context_for))
        address = f"http://{LOOPBACK}:{proxy.port}"
        environment = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), address)
        environment.update(
            NO_PROXY="", no_proxy="", SSL_CERT_FILE=str(authorities.public_ca), SSL_CERT_DIR=str(folder / "none")
        )
        containerd = stack.enter_context(Containerd(program, folder, environment))
        print(f"{containerd.version}; seeds {first_seed} to {first_seed + cases - 1}")
        ports = Ports((http[0].port, http[1].port), (https[0].port, https[1].port))
        for seed in range(first_seed, first_seed + cases):
            case = make_case(seed, ports, authorities.files, containerd.is_fork)
            wanted, seen, error = check(case, containerd, log, authorities, ports)
            requests += len(seen)
            if wanted != seen:
                differing += 1
                report(case, wanted, seen, error)
        wrong = handed_over.check(containerd)
    print("\n".join(f"DIFFERENT: {sentence}" for sentence in wrong) or "credentials that come with a pull as assumed")
    seconds = time.monotonic() - started
    print(f"{cases - differing} of {cases} configurations as predicted, {requests} requests, {seconds:.1f} s")
    return differing + len(wrong)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=str(__doc__).splitlines()[0])
    parser.add_argument("--cases", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0, help="of the first case; the others follow it")
    parser.add_argument("--containerd2", action="store_true", help="a containerd 2, built for it, not Debian's")
    arguments = parser.parse_args()
    try:
        program = containerd_source.ensure(containerd_source.RECENT) if arguments.containerd2 else find(CACHE)
        return int(run(arguments.cases, arguments.seed, program) > 0)
    except (ContainerdError, FleetError) as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
