# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's kubelet must choose credentials, and refuse configurations, as a real one does."""

from __future__ import annotations

import base64
import json
import platform
from pathlib import Path
from typing import Any, Callable

import pytest
from stand_in import credential_provider, keyring, provider_config
from stand_in.credential_provider import Account
from stand_in.keyring import Keyring, Login

from tests.fleet.logins import providers

IMAGE = "r.test:5000/team/app"


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1", "docker.io/library/nginx"),
        ("team/app@sha256:00", "docker.io/team/app"),
        ("index.docker.io/team/app", "docker.io/team/app"),
        ("r.test:5000/app", "r.test:5000/app"),
        ("r.test:5000/a/b:1@sha256:00", "r.test:5000/a/b"),
        ("localhost/app:1", "localhost/app"),
    ],
)
def test_a_provider_is_asked_for_the_full_name_without_a_tag(image: str, repository: str) -> None:
    assert keyring.repository_of(image) == repository


@pytest.mark.parametrize(
    ("pattern", "image", "matched"),
    [
        ("r.test:5000", IMAGE, True),
        ("r.test", IMAGE, False),
        ("r.test:5000/team", IMAGE, True),
        ("r.test:5000/te", IMAGE, True),
        ("r.test:5000/other", IMAGE, False),
        ("*.test:5000", IMAGE, True),
        ("*.test", "a.b.test/app", False),
        ("*.*.test", "a.b.test/app", True),
        ("r*.test", "registry.test/app", True),
        ("*", "registry.test/app", False),
        ("*.dkr.ecr.*.amazonaws.com", "1.dkr.ecr.eu-west-1.amazonaws.com/app", True),
        ("*.dkr.ecr.*.amazonaws.com", "1.dkr.ecr.cn-north-1.amazonaws.com.cn/app", False),
        ("R.test", "r.test/app", False),
    ],
)
def test_a_star_stands_for_one_part_of_the_host_and_a_path_for_a_beginning(
    pattern: str, image: str, matched: bool
) -> None:
    assert keyring.matches(pattern, image) is matched


def test_the_longest_address_is_tried_first_and_docker_hub_has_a_name_of_its_own() -> None:
    found = Keyring()
    found.add({"r.test": Login("host", ""), "https://r.test/v2/team": Login("path", ""), "x.test": Login("x", "")})
    found.add({"https://index.docker.io/v1/": Login("hub", "")})
    assert [login.username for login in found.lookup("r.test/team/app")] == ["path", "host"]
    assert [login.username for login in found.lookup("docker.io/library/nginx")] == ["hub"]
    assert found.lookup("y.test/app") == []


def test_secrets_of_both_kinds_and_none_that_cannot_be_read() -> None:
    def secret(kind: str, key: str, content: Any) -> dict[str, Any]:
        data = base64.b64encode(json.dumps(content).encode()).decode()
        return {"type": "kubernetes.io/" + kind, "data": {key: data}}

    auth = base64.b64encode(b"one:p:w").decode()
    found = keyring.of_secrets([
        secret("dockerconfigjson", ".dockerconfigjson", {"auths": {"r.test": {"auth": auth}}}),
        secret("dockercfg", ".dockercfg", {"r.test": {"username": "two", "password": "x"}}),
        secret("dockerconfigjson", ".dockerconfigjson", []),
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "%"}},
        {"type": "Opaque"},
    ])  # fmt: skip
    assert found.lookup("r.test/app") == [Login("one", "p:w"), Login("two", "x")]


def _changed(**changes: Any) -> str:
    entry = {**providers.entry("p", ["r.test"]), **changes}
    return providers.config({key: value for key, value in entry.items() if value is not ...})


TOKENS = {"serviceAccountTokenAudience": "r", "requireServiceAccount": True, "cacheType": "Token"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("providers: []\n", "Object 'Kind' is missing"),
        (_changed().replace("kubelet.config.k8s.io/v1", "kubelet.config.k8s.io/v2"), "no kind .* is registered"),
        (_changed().replace("CredentialProviderConfig", "KubeletConfiguration"), "no kind .* is registered"),
        (_changed().replace('"kind"', '"kind": "x", "kind"', 1), 'key "kind" already set in map'),
        ("a: b: c\n", "yaml: mapping values are not allowed"),
        (_changed(matchImage=["x"]), r'strict decoding error: unknown field "providers\[0\].matchImage"'),
        (_changed(env=[{"name": "A", "valueFrom": "x"}]), "unknown field .*env\\[0\\].valueFrom"),
        (
            _changed(env=[{"name": "A", "value": 1}]),
            "cannot unmarshal number into Go struct field .*value of type string",
        ),
        (_changed(args="-v"), "cannot unmarshal string into Go struct field .*args"),
        (_changed(defaultCacheDuration=12), "cannot unmarshal number .*defaultCacheDuration"),
        (_changed(defaultCacheDuration="12"), 'time: missing unit in duration "12"'),
        (_changed(defaultCacheDuration="soon"), 'time: invalid duration "soon"'),
        (_changed(defaultCacheDuration="-1s"), "must be greater than or equal to 0"),
        (_changed(defaultCacheDuration=...), "defaultCacheDuration: Required value"),
        (_changed(apiVersion=...), "apiVersion: Required value"),
        (_changed(apiVersion="v1"), 'apiVersion: Unsupported value: "v1"'),
        (_changed(matchImages=[]), "at least 1 item in matchImages"),
        (_changed(matchImages=["r.test:x"]), "match image is invalid: parse"),
        (_changed(name="a/b"), "provider name cannot contain '/'"),
        (_changed(name="a b"), "provider name cannot contain spaces"),
        (_changed(name=".."), "provider name cannot be '..'"),
        (providers.config(), "at least 1 item in plugins is required"),
        (providers.config(*[providers.entry("p", ["r.test"])] * 2), 'duplicate provider name "p"'),
        (_changed(tokenAttributes={}), "serviceAccountTokenAudience: Required value"),
        (_changed(tokenAttributes={**TOKENS, "cacheType": "Pod"}), 'cacheType: Unsupported value: "Pod"'),
        (_changed(tokenAttributes=TOKENS, apiVersion=providers.API_VERSION + "beta1"), "only supported for"),
    ],
)
def test_a_kubelet_does_not_start_with_it(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(provider_config.ConfigError, match=said):
        provider_config.load(str(tmp_path / "config.yaml"), "v1.34.3+k3s1")


_SEEN = "error decoding config "
_VALUE = "json: cannot unmarshal %s into Go struct field %s of type %s"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([{"matchImage": ["x"]}], _SEEN + 'strict decoding error: unknown field "providers[0].matchImage"'),
        ([{"defaultCacheDuration": "12"}], _SEEN + 'time: missing unit in duration "12"'),
        ([{"defaultCacheDuration": "soon"}], _SEEN + 'time: invalid duration "soon"'),
        (
            [{"defaultCacheDuration": 12}],
            _SEEN + _VALUE % ("number", "CredentialProvider.providers.defaultCacheDuration", "string"),
        ),
        ([{"args": "-v"}], _SEEN + _VALUE % ("string", "CredentialProvider.providers.args", "[]string")),
        (
            [{"env": [{"name": "A", "value": 1}]}],
            _SEEN + _VALUE % ("number", "ExecEnvVar.providers.env.value", "string"),
        ),
        (
            [],
            "failed to validate credential provider config: providers: Required value: at least 1 item in plugins is"
            " required",
        ),
        (
            [{"tokenAttributes": {"serviceAccountTokenAudience": "r", "requireServiceAccount": True}}],
            "failed to validate credential provider config: providers.tokenAttributes.cacheType: Required value:"
            " cacheType is required to be set when tokenAttributes is specified. Supported values are: ServiceAccount,"
            " Token",
        ),
        (
            [{"matchImages": ["r.test:x", "[a"]}],
            'failed to validate credential provider config: [providers.matchImages: Invalid value: "r.test:x": match'
            ' image is invalid: parse "https://r.test:x": invalid port ":x" after host, providers.matchImages: Invalid'
            ' value: "[a": match image is invalid: parse "https://[a": missing \']\' in host]',
        ),
        (
            [{"name": "a b"}, {"name": "a b", "apiVersion": "v1", "matchImages": []}],
            'duplicate provider name "a b" found in configuration file(s)',
        ),
    ],
)
def test_it_says_what_a_real_k3s_has_said(tmp_path: Path, entries: list[dict[str, Any]], said: str) -> None:
    """Seen on v1.34.3+k3s1, whose process ended with exit status 1 on each of them."""
    path = tmp_path / "config.yaml"
    path.write_text(providers.config(*[{**providers.entry("p", ["r.test:5000"]), **entry} for entry in entries]))
    with pytest.raises(provider_config.ConfigError) as caught:
        provider_config.load(str(path), "v1.34.3+k3s1")
    assert str(caught.value).replace('"%s": ' % path, "") == said


def test_what_is_known_depends_on_the_release(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(_changed(tokenAttributes=TOKENS))
    assert provider_config.load(str(path), "v1.34.3+k3s1")[0].tokens is not None
    with pytest.raises(provider_config.ConfigError, match="unknown field .*cacheType"):
        provider_config.load(str(path), "v1.33.5+k3s1")
    path.write_text(_changed(tokenAttributes={key: value for key, value in TOKENS.items() if key != "cacheType"}))
    with pytest.raises(provider_config.ConfigError, match="tokenAttributes: Forbidden"):
        provider_config.load(str(path), "v1.33.5+k3s1")
    with pytest.raises(provider_config.ConfigError, match="unknown field"):
        provider_config.load(str(path), "v1.32.5+k3s1")


@pytest.fixture
def started(tmp_path: Path) -> Callable[..., tuple[credential_provider.Providers, list[str]]]:
    """Providers of a program, and what the kubelet says about them."""

    def start(program: str | bytes, mode: int = 0o755, **changes: Any) -> tuple[Any, list[str]]:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "p").write_bytes(program.encode() if isinstance(program, str) else program)
        (folder / "p").chmod(mode)
        entry = {**providers.entry("p", ["r.test:5000"]), **changes}
        (tmp_path / "config.yaml").write_text(providers.config(entry))
        said: list[str] = []
        config = str(tmp_path / "config.yaml")
        return credential_provider.register(config, str(folder), "v1.34.3+k3s1", said.append), said

    return start


def test_programs_must_be_there_and_executable(tmp_path: Path, started: Any) -> None:
    with pytest.raises(provider_config.ConfigError, match=r"error inspecting .*/p\": permission denied"):
        started("", mode=0o644)
    (tmp_path / "bin" / "p").unlink()
    with pytest.raises(provider_config.ConfigError, match="plugin binary executable  did not exist"):
        credential_provider.register(str(tmp_path / "config.yaml"), str(tmp_path / "bin"), "v1.34.3", print)
    with pytest.raises(provider_config.ConfigError, match="plugin binary directory .* did not exist"):
        credential_provider.register(str(tmp_path / "config.yaml"), str(tmp_path / "nowhere"), "v1.34.3", print)


def _answering(folder: Path, **answer: Any) -> str:
    """Counts its calls, keeps what it was asked, and says what it is told to."""
    full = {
        "kind": "CredentialProviderResponse", "apiVersion": providers.API_VERSION, "cacheKeyType": "Registry",
        "auth": {"r.test:5000": {"username": "robot", "password": "pw"}}, **answer,
    }  # fmt: skip
    (folder / "answer").write_text(json.dumps({key: value for key, value in full.items() if value is not ...}))
    return "#!/bin/sh\ncat >> %s/asked; echo $X $1 >> %s/calls; cat %s/answer\n" % (folder, folder, folder)


def _calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []


def test_a_provider_is_asked_as_a_kubelet_asks(tmp_path: Path, started: Any) -> None:
    found, said = started(_answering(tmp_path), args=["-a"], env=[{"name": "X", "value": "y"}])
    assert found.lookup(IMAGE) == [Login("robot", "pw")]
    assert json.loads((tmp_path / "asked").read_text()) == {
        "kind": "CredentialProviderRequest", "apiVersion": providers.API_VERSION, "image": IMAGE,
    }  # fmt: skip
    assert _calls(tmp_path) == ["y -a"]
    assert found.lookup("other.test/app") == []
    assert (len(_calls(tmp_path)), said) == (1, [])


@pytest.mark.parametrize(
    ("answer", "default", "calls"),
    [
        ({"cacheKeyType": "Image", "cacheDuration": "1h"}, "0s", 2),
        ({"cacheKeyType": "Registry", "cacheDuration": "1h"}, "0s", 1),
        ({"cacheKeyType": "Global", "cacheDuration": "1h"}, "0s", 1),
        ({"cacheKeyType": "Registry", "cacheDuration": "0s"}, "1h", 3),
        ({"cacheKeyType": "Registry"}, "1h", 1),
        ({"cacheKeyType": "Registry"}, "0s", 3),
    ],
)
def test_how_long_and_for_what_an_answer_is_kept(
    tmp_path: Path, started: Any, answer: dict[str, str], default: str, calls: int
) -> None:
    found, _said = started(_answering(tmp_path, **answer), defaultCacheDuration=default)
    for name in ("app", "app", "other"):
        assert found.lookup("r.test:5000/team/" + name) == [Login("robot", "pw")]
    assert len(_calls(tmp_path)) == calls


def test_an_answer_is_kept_no_longer_than_it_says(
    tmp_path: Path, started: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(credential_provider.time, "monotonic", lambda: clock[0])
    found, _said = started(_answering(tmp_path, cacheDuration="90s"))
    for passed, calls in ((0, 1), (89, 1), (2, 2)):
        clock[0] += passed
        found.lookup(IMAGE)
        assert len(_calls(tmp_path)) == calls


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (providers.RUBBISH, "json parse error: invalid character '<' looking for beginning of value"),
        (providers.SILENT, "json parse error: unexpected end of JSON input"),
        (providers.FAILING, "exit status 1: no credentials found for this instance"),
        (providers.OTHER_VERSION, "expected apiVersion:%s, actual" % providers.API_VERSION),
        (providers.WITHOUT_CACHE_KEY, 'did not return a valid cacheKeyType: ""'),
        (providers.of_another_machine("arm64" if platform.machine() == "aarch64" else "amd64"), "exec format error"),
    ],
)
def test_a_provider_that_gives_nothing_is_named_and_no_more(started: Any, program: str | bytes, said: str) -> None:
    found, lines = started(program)
    assert found.lookup(IMAGE) == []
    assert len(lines) == 1
    assert said in lines[0]


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "Other"}, {"extra": 1}, {"auth": []}, {"auth": {"r.test:5000": {"username": "u", "token": "t"}}},
        {"auth": {"r.test:5000": {"username": 1}}}, {"cacheDuration": 5}, {"cacheDuration": "5"},
    ],
)  # fmt: skip
def test_an_answer_is_read_strictly_and_not_repeated(tmp_path: Path, started: Any, answer: dict[str, Any]) -> None:
    found, lines = started(_answering(tmp_path, **answer))
    assert found.lookup(IMAGE) == []
    assert lines[0].endswith("error decoding credential provider plugin response from stdout")


def test_a_provider_that_hangs_is_given_up(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential_provider, "SECONDS", 0.2)
    found, lines = started(providers.HANGING)
    assert found.lookup(IMAGE) == []
    assert "context deadline exceeded" in lines[0]


def test_what_a_provider_is_told_of_the_service_account(tmp_path: Path, started: Any) -> None:
    tokens = {**TOKENS, "requiredServiceAccountAnnotationKeys": ["a/x"]}
    found, _said = started(_answering(tmp_path), tokenAttributes=tokens)
    assert found.lookup(IMAGE, None) == []
    assert found.lookup(IMAGE, Account("ns", "sa", "1", {}, str)) == []
    assert not _calls(tmp_path)
    account = Account("ns", "sa", "1", {"a/x": "1", "a/y": "2"}, lambda audience: "token for " + audience)
    assert found.lookup(IMAGE, account) == [Login("robot", "pw")]
    asked = json.loads((tmp_path / "asked").read_text())
    assert (asked["serviceAccountToken"], asked["serviceAccountAnnotations"]) == ("token for r", {"a/x": "1"})


@pytest.mark.parametrize(("cache_type", "calls"), [("Token", 2), ("ServiceAccount", 1)])
def test_an_answer_is_kept_for_a_token_or_for_a_service_account(
    tmp_path: Path, started: Any, cache_type: str, calls: int
) -> None:
    found, _said = started(
        _answering(tmp_path, cacheDuration="1h"), tokenAttributes={**TOKENS, "cacheType": cache_type}
    )
    for pod in ("one", "two"):
        account = Account("ns", "sa", "1", {}, lambda audience, pod=pod: audience + pod)  # type: ignore[misc]
        assert found.lookup(IMAGE, account) == [Login("robot", "pw")]
    assert len(_calls(tmp_path)) == calls
    assert found.lookup(IMAGE, Account("ns", "other", "2", {}, str)) == [Login("robot", "pw")]
    assert len(_calls(tmp_path)) == calls + 1


@pytest.mark.parametrize(("cache_type", "logins"), [("Token", 1), ("ServiceAccount", 0)])
def test_a_token_is_a_password_only_where_answers_are_kept_for_it(
    tmp_path: Path, started: Any, cache_type: str, logins: int
) -> None:
    auth = {"r.test:5000": {"username": "robot", "password": "the token"}}
    program = _answering(tmp_path, auth=auth)
    found, lines = started(program, tokenAttributes={**TOKENS, "cacheType": cache_type})
    account = Account("ns", "sa", "1", {}, lambda _audience: "the token")
    assert len(found.lookup(IMAGE, account)) == logins
    assert bool(lines) != bool(logins)
    assert not any("the token" in line for line in lines)
