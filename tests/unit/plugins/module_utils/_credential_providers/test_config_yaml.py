# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's configuration of its providers, written and compared."""

from __future__ import annotations

import yaml
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.config_yaml import (
    document,
    equal_in_effect,
    text,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import Provider
from hypothesis import given
from hypothesis import strategies as st

SIMPLE = Provider("ecr", "0" * 64, ("*.dkr.ecr.*.amazonaws.com", "public.ecr.aws"), "12h", (), (("KEY", "canary-1"),))


def test_the_file() -> None:
    tokens = {
        "serviceAccountTokenAudience": "x",
        "requireServiceAccount": True,
        "optionalServiceAccountAnnotationKeys": [],
    }
    assert text([SIMPLE, Provider("b", "", ("b",), token_attributes=tokens)]) == (
        "# Managed by the Ansible collection k3sfleet.registries. Changes made here are overwritten.\n"
        'apiVersion: "kubelet.config.k8s.io/v1"\n'
        'kind: "CredentialProviderConfig"\n'
        "providers:\n"
        '  - name: "ecr"\n'
        '    apiVersion: "credentialprovider.kubelet.k8s.io/v1"\n'
        "    matchImages:\n"
        '      - "*.dkr.ecr.*.amazonaws.com"\n'
        '      - "public.ecr.aws"\n'
        '    defaultCacheDuration: "12h"\n'
        "    env:\n"
        '      - name: "KEY"\n'
        '        value: "canary-1"\n'
        '  - name: "b"\n'
        '    apiVersion: "credentialprovider.kubelet.k8s.io/v1"\n'
        "    matchImages:\n"
        '      - "b"\n'
        '    defaultCacheDuration: "0s"\n'
        "    tokenAttributes:\n"
        "      optionalServiceAccountAnnotationKeys: []\n"
        "      requireServiceAccount: true\n"
        '      serviceAccountTokenAudience: "x"\n'
    )


def test_secrets_can_be_hidden() -> None:
    shown = text([SIMPLE], hidden="***")
    assert "canary-1" not in shown
    assert 'value: "***"' in shown
    assert "canary-1" in text([SIMPLE])


TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12)
PROVIDERS = st.lists(
    st.builds(
        Provider,
        TEXT,
        st.just(""),
        st.lists(TEXT, max_size=3).map(tuple),
        st.sampled_from(["0s", "12h", "90m"]),
        st.lists(TEXT, max_size=3).map(tuple),
        st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
        st.none()
        | st.dictionaries(st.from_regex(r"[a-z]+Keys", fullmatch=True), TEXT | st.booleans() | st.lists(TEXT)),
    ),
    max_size=3,
)


@given(PROVIDERS)
def test_yaml_reads_back_what_was_written(providers: list[Provider]) -> None:
    assert yaml.safe_load(text(providers)) == document(providers)
    assert equal_in_effect(yaml.safe_load(text(providers)), providers)


def test_equal_in_effect() -> None:
    wanted = document([SIMPLE])
    same = document([SIMPLE])
    same["providers"][0].update(defaultCacheDuration="720m", args=[], tokenAttributes=None)
    assert equal_in_effect(dict(reversed(list(same.items()))), [SIMPLE])
    for change in ({"args": ["x"]}, {"defaultCacheDuration": "1h"}, {"matchImages": []}, {"unknown": 1}, {"env": []}):
        other = dict(wanted, providers=[dict(wanted["providers"][0], **change)])
        assert not equal_in_effect(other, [SIMPLE])
    for found in (None, [], "x", {}, dict(wanted, more=1), dict(wanted, providers=[1]), dict(wanted, providers=None)):
        assert not equal_in_effect(found, [SIMPLE])
