# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credential providers as a kubelet runs them: one process for a pull, a request on its input, an answer on its output.

https://github.com/kubernetes/kubernetes/blob/master/pkg/credentialprovider/plugin/plugin.go
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from typing import Any, Callable, Mapping, NamedTuple

from stand_in import keyring, provider_config
from stand_in.keyring import Keyring, Login
from stand_in.provider_config import ConfigError, Provider

SECONDS = 60.0
"""How long a kubelet waits for one."""
_KINDS = ("Image", "Registry", "Global")


class ProviderError(Exception):
    """A provider gave nothing that could be used; the pull goes on without it."""


class _Said(ProviderError):
    """Something that a kubelet says in these words alone."""


class Account(NamedTuple):
    """A pod's service account, as far as providers are told of it."""

    namespace: str
    name: str
    uid: str
    annotations: Mapping[str, str]
    token: Callable[[str], str]
    """For an audience."""


def register(config: str, folder: str, release: str, say: Callable[[str], None]) -> Providers:
    """What a kubelet does with its two flags when it starts.

    :raises ConfigError: where it ends instead.
    """
    if not os.path.exists(folder):
        raise ConfigError("plugin binary directory %s did not exist" % folder)
    found = provider_config.load(config, release)
    for provider in found:
        path = os.path.join(folder, provider.name)
        # Go's exec.LookPath gives no path along with an error, so a kubelet does not say which one.
        try:
            mode = os.stat(path).st_mode
        except OSError:
            raise ConfigError("plugin binary executable  did not exist") from None
        if stat.S_ISDIR(mode):
            raise ConfigError('error inspecting binary executable : exec: "%s": is a directory' % path)
        if not mode & 0o111:
            raise ConfigError('error inspecting binary executable : exec: "%s": permission denied' % path)
    return Providers(found, folder, say)


class Providers:
    """Those of one kubelet, with what they have answered lately.

    :param say: takes what a kubelet logs where a provider gives nothing.
    """

    def __init__(self, providers: list[Provider], folder: str, say: Callable[[str], None]) -> None:
        self._providers = [_Started(provider, folder) for provider in providers]
        self._say = say

    def lookup(self, repository: str, account: Account | None = None) -> list[Login]:
        """The logins that all of them together have for an image."""
        found = Keyring()
        for provider in self._providers:
            try:
                found.add(provider.logins(repository, account))
            except _Said as said:
                self._say(str(said))
            except ProviderError as error:
                self._say("Failed getting credential from external registry credential provider: %s" % error)
        return found.lookup(repository)


class _Started:
    def __init__(self, provider: Provider, folder: str) -> None:
        self._provider = provider
        self._path = os.path.join(folder, provider.name)
        self._cache: dict[tuple[str, str], tuple[float, dict[str, Login]]] = {}

    def logins(self, repository: str, account: Account | None) -> dict[str, Login]:
        """By address; from an earlier answer while that lasts.

        :raises ProviderError: where it gives none.
        """
        if not any(keyring.matches(pattern, repository) for pattern in self._provider.match_images):
            return {}
        told = self._about(account)
        if told is None:
            return {}
        owner = json.dumps([told.get("owner", ""), told.get("annotations", {})])
        for key in (repository, repository.partition("/")[0], "global"):
            until, logins = self._cache.get((key, owner), (0.0, {}))
            if time.monotonic() < until:
                return logins
        answer = self._ask(repository, told)
        self._must_not_echo(answer, told, repository)
        kind = answer.get("cacheKeyType")
        if kind not in _KINDS:
            raise _Said('credential provider plugin did not return a valid cacheKeyType: "%s"' % (kind or ""))
        logins = {
            address: Login((entry or {}).get("username", ""), (entry or {}).get("password", ""))
            for address, entry in (answer.get("auth") or {}).items()
        }
        lives = answer.get("cacheDuration")
        seconds = self._provider.cache_seconds if lives is None else provider_config.seconds(lives)
        if seconds > 0:
            key = {"Image": repository, "Registry": repository.partition("/")[0]}.get(kind, "global")
            self._cache[key, owner] = (time.monotonic() + seconds, logins)
        return logins

    def _about(self, account: Account | None) -> dict[str, Any] | None:
        """What the request says of the pod's service account; None where it is not to be made at all."""
        tokens = self._provider.tokens
        if tokens is None:
            return {}
        if account is None:
            return None if tokens.require else {}
        if any(key not in account.annotations for key in tokens.required_annotations):
            return None
        wanted = [*tokens.required_annotations, *tokens.optional_annotations]
        annotations = {key: account.annotations[key] for key in wanted if key in account.annotations}
        token = account.token(tokens.audience)
        owner = [account.namespace, account.name, account.uid, token if tokens.cache_type == "Token" else ""]
        return {"owner": owner, "annotations": annotations, "token": token}

    def _must_not_echo(self, answer: dict[str, Any], told: dict[str, Any], repository: str) -> None:
        tokens, token = self._provider.tokens, told.get("token")
        if tokens is None or not token or tokens.cache_type == "Token":
            return
        if any((entry or {}).get("password") == token for entry in (answer.get("auth") or {}).values()):
            raise _Said(
                'Credential provider plugin returned the service account token as the password for image "%s", which is'
                " not allowed when service account cache type is not set to 'Token'" % repository
            )

    def _ask(self, repository: str, told: dict[str, Any]) -> dict[str, Any]:
        provider = self._provider
        request = {"kind": "CredentialProviderRequest", "apiVersion": provider.api_version, "image": repository}
        if told.get("token"):
            request["serviceAccountToken"] = told["token"]
        if told.get("annotations"):
            request["serviceAccountAnnotations"] = told["annotations"]
        said = self._run(json.dumps(request).encode() + b"\n", repository)
        try:
            answer = json.loads(said)
            version = str(answer.get("apiVersion", ""))
        except (ValueError, AttributeError):
            why = "error reading GVK from response: couldn't get version/kind; json parse error: "
            raise ProviderError(why + _parse_error(said)) from None
        if version != provider.api_version:
            raise ProviderError(
                "apiVersion from credential plugin response did not match expected apiVersion:%s, actual apiVersion:%s"
                % (provider.api_version, version)
            )
        if not _is_answer(answer):
            # A kubelet does not say why: what it was given may hold a secret.
            raise ProviderError("error decoding credential provider plugin response from stdout")
        return dict(answer)

    def _run(self, request: bytes, repository: str) -> bytes:
        """In the kubelet's own environment, which is K3s', with what the configuration adds."""
        provider = self._provider
        about = "error execing credential provider plugin %s for image %s: " % (provider.name, repository)
        environment = {**os.environ, **dict(provider.env)}
        environment.pop("NOTIFY_SOCKET", None)
        try:
            done = subprocess.run(
                [self._path, *provider.args], input=request, capture_output=True, check=False, timeout=SECONDS,
                env=environment,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            said = (error.stderr or b"").decode("utf-8", "replace")
            raise ProviderError("%scontext deadline exceeded: %s" % (about, said)) from None
        except OSError as error:
            why = "fork/exec %s: %s" % (self._path, (error.strerror or "").lower())
            raise ProviderError("%s%s: " % (about, why)) from None
        if done.returncode:
            code = done.returncode
            why = "exit status %d" % code if code > 0 else "signal: %d" % -code
            raise ProviderError("%s%s: %s" % (about, why, done.stderr.decode("utf-8", "replace")))
        return done.stdout


def _parse_error(said: bytes) -> str:
    """As Go words it, for what does not begin like JSON."""
    text = said.decode("utf-8", "replace").lstrip()
    return "invalid character '%s' looking for beginning of value" % text[0] if text else "unexpected end of JSON input"


def _is_answer(answer: dict[str, Any]) -> bool:
    """Strictly, as a kubelet decodes it."""
    if answer.get("kind") != "CredentialProviderResponse":
        return False
    if set(answer) - {"kind", "apiVersion", "cacheKeyType", "cacheDuration", "auth"}:
        return False
    lives, auth = answer.get("cacheDuration"), answer.get("auth")
    if lives is not None and not (isinstance(lives, str) and provider_config.is_duration(lives)):
        return False
    if auth is None:
        return True
    return isinstance(auth, dict) and all(
        isinstance(entry, dict)
        and not set(entry) - {"username", "password"}
        and all(isinstance(value, str) for value in entry.values())
        for entry in auth.values()
    )
