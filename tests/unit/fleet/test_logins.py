# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries whose passwords change, what their ledger says, and the cloud that hands passwords out."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import urlencode, urlsplit

import pytest

from tests.fleet import contents
from tests.fleet.certificates import Issued, authority
from tests.fleet.logins import providers
from tests.fleet.logins.cloud import USER, Cloud
from tests.fleet.logins.registry import BASIC, BEARER, LoginRegistry
from tests.fleet.logins.town import Town
from tests.fleet.logins.users import CURRENT, FORMER, IDENTITY, NOT_ASKED_FOR, UNKNOWN, Users
from tests.fleet.state import Fleet, Node
from tests.fleet.state import Registry as RegistryPlace

IMAGE = "team/app:1"
MANIFEST = "/v2/team/app/manifests/1"


@pytest.fixture(scope="module")
def ca() -> Issued:
    return authority("town")


@pytest.fixture
def town(ca: Issued, tmp_path: Path) -> Iterator[Town]:
    with Town(tmp_path, ca) as made:
        yield made


class Client:
    """Asks a town's servers, wherever their names would lead."""

    def __init__(self, ca: Issued) -> None:
        self._context = ssl.create_default_context(cadata=ca.pem.decode())

    def ask(
        self, url: str, authorization: str = "", method: str = "GET", body: bytes | None = None
    ) -> http.client.HTTPResponse:
        place = urlsplit(url)
        connection = http.client.HTTPSConnection(place.hostname or "", place.port, context=self._context, timeout=5)
        plain = socket.create_connection(("127.0.0.1", place.port or 0), timeout=5)
        connection.sock = self._context.wrap_socket(plain, server_hostname=place.hostname)
        headers = {"Authorization": authorization} if authorization else {}
        target = place.path + ("?" + place.query if place.query else "")
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        answer.content = answer.read()  # type: ignore[attr-defined]
        connection.close()
        return answer


@pytest.fixture
def client(ca: Issued) -> Client:
    return Client(ca)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


def test_a_password_is_current_until_it_changes_and_former_afterwards() -> None:
    users = Users(robot="one")
    assert users.judge("robot", "one") == CURRENT
    two = users.change_password("robot")
    assert [users.judge("robot", word) for word in ("one", two, "three")] == [FORMER, CURRENT, UNKNOWN]
    users.set_password("robot", "one")
    assert [users.judge("robot", word) for word in ("one", two)] == [CURRENT, FORMER]
    users.grant("robot", "extra", 60.0)
    users.grant("robot", "over", -1.0)
    assert [users.judge("robot", word) for word in ("one", "extra", "over")] == [CURRENT, CURRENT, FORMER]
    users.revoke("robot")
    assert {users.judge("robot", word) for word in ("one", "extra", "over")} == {FORMER}
    assert users.judge("nobody", "one") == UNKNOWN


def test_the_ledger_says_whose_login_came_and_whether_it_was_good(town: Town, client: Client) -> None:
    users = Users(robot="one")
    registry = town.registry("r.test", users)
    registry.add(IMAGE)
    assert client.ask(registry.url + MANIFEST).status == 401
    assert client.ask(registry.url + MANIFEST, basic("robot", "one")).status == 200
    new = users.change_password("robot")
    for word, status in (("one", 401), ("other", 401), (new, 200)):
        assert client.ask(registry.url + MANIFEST, basic("robot", word)).status == status
    found = [(entry.scheme, entry.user, entry.login, entry.status) for entry in town.ledger.entries(registry.url)]
    assert found == [
        ("", "", "", 401), ("Basic", "robot", CURRENT, 200), ("Basic", "robot", FORMER, 401),
        ("Basic", "robot", UNKNOWN, 401), ("Basic", "robot", CURRENT, 200),
    ]  # fmt: skip
    assert [entry.path for entry in town.ledger.tries_of_former()] == [MANIFEST]
    assert town.ledger.users(registry.url) == {"robot"}
    assert new not in repr(town.ledger.entries())
    assert "one" not in {value for entry in town.ledger.entries() for value in entry}


def _token(client: Client, registry: LoginRegistry, form: dict[str, str]) -> tuple[int, str]:
    challenge = client.ask(registry.url + MANIFEST).headers["WWW-Authenticate"]
    parts = dict(part.split("=", 1) for part in challenge.removeprefix("Bearer ").split(","))
    realm, scope = parts["realm"].strip('"'), parts["scope"].strip('"')
    answer = client.ask(realm, method="POST", body=urlencode({**form, "scope": scope}).encode())
    content: Any = json.loads(answer.content)  # type: ignore[attr-defined]
    return answer.status, content.get("token", "")


def test_a_bearer_registry_takes_tokens_for_what_they_are_for_and_no_password(town: Town, client: Client) -> None:
    users = Users(robot="one")
    users.set_password(IDENTITY, "identity")
    registry = town.registry("r.test", users, (BEARER,))
    registry.add(IMAGE)
    registry.add("other/app:1")
    assert client.ask(registry.url + MANIFEST, basic("robot", "one")).status == 401
    assert _token(client, registry, {"username": "robot", "password": "wrong"}) == (401, "")
    status, token = _token(client, registry, {"username": "robot", "password": "one"})
    assert status == 200
    assert client.ask(registry.url + MANIFEST, "Bearer " + token).status == 200
    assert client.ask(registry.url + "/v2/other/app/manifests/1", "Bearer " + token).status == 401
    assert client.ask(registry.url + MANIFEST, "Bearer made-up").status == 401
    asked = [(entry.scheme, entry.login) for entry in town.ledger.entries(path="/token")]
    assert asked == [("Basic", UNKNOWN), ("Basic", CURRENT)]
    assert _token(client, registry, {"grant_type": "refresh_token", "refresh_token": "identity"})[0] == 200
    assert _token(client, registry, {"grant_type": "refresh_token", "refresh_token": "other"})[0] == 401
    assert ("Basic", "robot", NOT_ASKED_FOR) in town.ledger.logins(registry.url)


def test_of_a_form_and_a_header_the_form_counts_and_both_are_in_the_ledger(town: Town, client: Client) -> None:
    users = Users(robot="one")
    new = users.change_password("robot")
    registry = town.registry("r.test", users, (BEARER,))
    realm = client.ask(registry.url + MANIFEST).headers["WWW-Authenticate"].partition('"')[2].partition('"')[0]
    for in_form, in_header, status in (("one", new, 401), (new, "one", 200)):
        form = urlencode({"username": "robot", "password": in_form, "grant_type": "password"}).encode()
        assert client.ask(realm, basic("robot", in_header), "POST", form).status == status
    found = [(entry.login, entry.status) for entry in town.ledger.entries(path="/token")]
    assert found == [(FORMER, 401), (CURRENT, 401), (CURRENT, 200), (FORMER, 200)]


def test_a_registry_may_offer_both_and_send_elsewhere(town: Town, client: Client) -> None:
    registry = town.registry("r.test", Users(robot="one"), (BASIC, BEARER))
    registry.add(IMAGE)
    challenges = client.ask(registry.url + "/v2/").headers.get_all("WWW-Authenticate") or []
    assert [challenge.partition(" ")[0] for challenge in challenges] == ["Basic", "Bearer"]
    registry.redirects["manifests"] = "https://elsewhere.test:1"
    moved = client.ask(registry.url + MANIFEST, basic("robot", "one"))
    assert (moved.status, moved.headers["Location"]) == (307, "https://elsewhere.test:1" + MANIFEST)
    assert client.ask(registry.url + "/v2/", basic("robot", "one")).status == 200
    with pytest.raises(ValueError, match="takes tokens"):
        LoginRegistry(town.server("x.test"), Users(), (BEARER,))


def test_its_images_are_whole(town: Town, client: Client) -> None:
    registry = town.registry("r.test", Users(), ())
    index = registry.add(IMAGE)
    answer = client.ask(registry.url + MANIFEST)
    assert answer.headers["Docker-Content-Digest"] == index
    for entry in json.loads(answer.content)["manifests"]:  # type: ignore[attr-defined]
        manifest = client.ask("%s/v2/team/app/manifests/%s" % (registry.url, entry["digest"]))
        content = json.loads(manifest.content)  # type: ignore[attr-defined]
        for part in (content["config"], *content["layers"]):
            blob = client.ask("%s/v2/team/app/blobs/%s" % (registry.url, part["digest"]))
            assert contents.digest(blob.content) == part["digest"]  # type: ignore[attr-defined]
    assert client.ask(registry.url + "/v2/team/app/manifests/2").status == 404
    assert town.names() == "127.0.0.1 r.test # town\n"


def test_nodes_know_the_town_that_there_is_and_none_before(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.0.1 gone.test # town\n")

    def execute(_fleet: Fleet, _node: str, command: list[str], stdin: bytes) -> None:
        script = command[2].replace("/etc/hosts", str(hosts)).replace("/run/hosts", str(tmp_path / "new"))
        subprocess.run([*command[:2], script], input=stdin, check=True)

    monkeypatch.setattr("tests.fleet.logins.town.nodes.execute", execute)
    place = RegistryPlace("r.test", 5000, "10.0.0.2", "robot", "secret")
    fleet = Fleet("f", "k3s", "stand-in", "v1", "10.0.0.0/24", "t", 40, place, [Node("a", "agent", "10.0.0.3")])
    town.server("one.test", tls=False)
    town.introduce(fleet)
    town.server("two.test", tls=False)
    town.introduce(fleet)
    assert hosts.read_text().splitlines() == [
        "127.0.0.1 localhost", "127.0.0.1 one.test # town", "127.0.0.1 two.test # town",
    ]  # fmt: skip


def _provided(program: str, environment: dict[str, str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "provider"
    path.write_text(program)
    path.chmod(0o755)
    asked = {"kind": "CredentialProviderRequest", "apiVersion": providers.API_VERSION, "image": "r.test:5000/team/app"}
    return subprocess.run(
        [str(path)], input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=30,
        env={"PATH": os.environ["PATH"], **environment},
    )  # fmt: skip


def test_the_cloud_s_provider_gets_a_password_that_lives_as_long_as_it_says(town: Town, tmp_path: Path) -> None:
    users = Users()
    metadata, tokens = town.server("metadata.test", tls=False), town.server("passwords.test", tls=False)
    cloud = Cloud(metadata, tokens, users, seconds=3600.0)
    settings = {
        "CLOUD_METADATA": "http://127.0.0.1:%d" % metadata.port,
        "CLOUD_TOKENS": "http://127.0.0.1:%d" % tokens.port,
    }
    done = _provided(providers.OF_THE_CLOUD, settings, tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    login = answer["auth"]["r.test:5000"]
    assert login["username"] == USER
    assert users.judge(USER, login["password"]) == CURRENT
    assert 1790 <= int(answer["cacheDuration"].rstrip("s")) <= 1800
    assert cloud.handed_out == 1
    cloud.down = True
    assert _provided(providers.OF_THE_CLOUD, settings, tmp_path).returncode != 0
    cloud.down, cloud.seconds = False, -1.0
    late = json.loads(_provided(providers.OF_THE_CLOUD, settings, tmp_path).stdout)
    assert users.judge(USER, late["auth"]["r.test:5000"]["password"]) == FORMER


def test_nobody_gets_a_password_of_the_cloud_without_its_keys(town: Town) -> None:
    metadata, tokens = town.server("metadata.test", tls=False), town.server("passwords.test", tls=False)
    Cloud(metadata, tokens, Users())
    for port, path, status in (
        (metadata.port, "/latest/meta-data/iam/security-credentials/node", 401), (tokens.port, "/", 400),
    ):  # fmt: skip
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("POST" if path == "/" else "GET", path)
        assert connection.getresponse().status == status
        connection.close()


def test_the_provider_of_a_file_says_what_is_in_it(tmp_path: Path) -> None:
    logins = {"r.test:5000": {"username": "robot", "password": "pw"}}
    (tmp_path / "logins.json").write_text(json.dumps(logins))
    done = _provided(providers.OF_A_FILE, {"LOGINS": str(tmp_path / "logins.json")}, tmp_path)
    assert json.loads(done.stdout) == {
        "kind": "CredentialProviderResponse", "apiVersion": providers.API_VERSION, "cacheKeyType": "Registry",
        "cacheDuration": "0s", "auth": logins,
    }  # fmt: skip
