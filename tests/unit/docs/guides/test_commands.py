# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of mistake that a command in a guide can have is found, and what is right is let pass."""

from __future__ import annotations

import re

import pytest

from tests.docs.guides import commands
from tests.docs.guides.blocks import outside
from tests.docs.guides.pages import Guide

SITE = "ansible-playbook -i inventory.yml k3sfleet.registries.site "
PAGE = """```yaml
# mine.yml
k3s_registries_force: true
```

```yaml
# wrong.yml
k3s_registries_force: perhaps
```

```yaml
# play.yml
- hosts: all
```
"""


def found(command: str, page: str = PAGE) -> str:
    """What is said against a command."""
    return "\n".join(commands.command_mistakes(command, Guide("docs/a.md", page)))


@pytest.mark.parametrize(
    "command",
    [
        SITE + "--check --diff --limit 'agent:!agent-1'",
        SITE + "-e k3s_registries_agent_batch=25% -e k3s_registries_force=true",
        SITE + """-e '{"k3s_registries_agent_batch": [1, "10%"]}'""",
        SITE + "-e @mine.yml",
        "ansible-playbook play.yml -e mine=1 -e k3s_registries_force=true",
        "ansible-playbook playbooks/verify.yml -e k3s_registries_verify_file=verify.json",
        "ansible-playbook k3sfleet.registries.lint -e k3s_registries_lint_file=registries.yaml -e image=nginx",
        "ansible-playbook k3sfleet.registries.upgrade_check -e k3s_registries_data_dir=/data",
        "ANSIBLE_SHOW_CUSTOM_STATS=1 ansible-playbook play.yml",
        "ansible-galaxy collection install k3sfleet.registries && ansible-galaxy collection build registries",
        "ansible-galaxy collection install k3sfleet-registries-1.0.0.tar.gz -p collections",
        "ansible-doc -t role k3sfleet.registries.k3s_registries -e verify",
        "ansible-doc k3sfleet.registries.k3s_registries_info",
        "ansible-vault encrypt group_vars/all/vault.yml",
        "make lint unit WITHOUT_GO=1",
        "K3S_BINARY=/k3s make demo",
        "pip install 'PyYAML>=6' cryptography git+https://github.com/k3sfleet/registries",
        "pip download -r requirements/controller.txt",
        "registries-lint --fail-on warning --output json - | jq -r '.files[]' found.json",
        ".venv/bin/python -m tests.fleet up try --servers 3",
        "python3 -m tests.bench --only rules",
        "python3 -m json.tool a.json | grep -A3 b",
        "python3 -c 'print(1)'",
        ".venv/bin/pytest tests/unit/docs",
        "DRY_RUN=1 .ci/publish v1.2.3",
        "export CONTROLLER_HOST=https://awx.example.com",
        "kubectl get nodes",
    ],
)
def test_what_is_right(command: str) -> None:
    assert found(command) == ""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (SITE + "--chekc", "unrecognized arguments: --chekc"),
        ("ansible-playbook k3sfleet.registries.sites", "there is no playbook k3sfleet.registries.sites"),
        ("ansible-playbook sites.yml", "there is no playbook sites.yml"),
        (SITE + "-e k3s_registries_forse=true", "does not take the variable k3s_registries_forse"),
        (SITE + "-e k3s_registries_report_file=a.html", "site does not take the variable k3s_registries_report_file"),
        (SITE + "-e image=nginx", "site does not take the variable image"),
        ("ansible-playbook k3sfleet.registries.lint -e imgae=a", "lint does not take the variable imgae"),
        (SITE + "-e k3s_registries_force=perhaps", "k3s_registries_force: .*perhaps"),
        (SITE + "-e k3s_registries_apply=lives", "must be one of: restart, live, settle, stage, got: lives"),
        (SITE + "-e k3s_registries_batch_pause=2m", "k3s_registries_batch_pause: .*int"),
        (SITE + "-e k3s_registries_agent_batch=0%", "neither a positive number of agents nor a percentage"),
        (SITE + "-e k3s_registries_stop_after=25:00", "neither a number of seconds"),
        (SITE + """-e '{"k3s_registries_canary_images": {"a": 1}}'""", "k3s_registries_canary_images: .*list"),
        (SITE + """-e '{"k3s_registries": {"mirrors": {"docker.io": {"endpoints": []}}}}'""", "K3R101"),
        (SITE + """-e '{"k3s_registries_force": true'""", "is neither JSON nor YAML"),
        (SITE + "-e k3s_registries_force", "is not of the form name=value"),
        (SITE + "-e @wrong.yml", "k3s_registries_force: .*perhaps"),
        (SITE + "-e @missing.yml", "the guide does not show the file missing.yml"),
        ("ANSIBLE_SHOW_STATS=1 ansible-playbook play.yml", "nobody is known to read ANSIBLE_SHOW_STATS"),
        ("export CONTROLER_HOST=a", "nobody is known to read CONTROLER_HOST"),
        ("export CONTROLLER_HOST", "sets nothing"),
        ("ansible-galaxy collection instal k3sfleet.registries", "invalid choice: 'instal'"),
        ("ansible-galaxy collection install k3sfleet.registry", "k3sfleet.registry is not this collection"),
        ("ansible-galaxy collection install -r needs.yml", "there is no file needs.yml"),
        ("ansible-doc -t role k3sfleet.registries.k3s_registry", "there is no role"),
        ("ansible-doc -t role k3sfleet.registries.k3s_registries -e verfy", "has no entry point verfy"),
        ("ansible-doc k3sfleet.registries.k3s_info", "there is no module k3sfleet.registries.k3s_info"),
        ("ansible-vault encyrpt a.yml", "invalid choice: 'encyrpt'"),
        ("make tests", "there is no make target tests"),
        ("make test WITHOUT_GOO=1", "the Makefile has no variable WITHOUT_GOO"),
        ("pip install 'PyYAML>>6'", "PyYAML>>6 is no requirement"),
        ("pip install git+https://github.com/k3sfleet/registry", "is no requirement"),
        ("pip install -r needs.txt", "there is no file needs.txt"),
        ("pip download", "needs a requirement"),
        ("pip freeze", "pip freeze is not known here"),
        ("registries-lint --output yaml a", "invalid choice: 'yaml'"),
        ("registries-lint --fail-on warning", "arguments are required: FILE"),
        ("jq -r '.hosts[' a.json", "jq: "),
        ("jq -r .hosts", "jq needs a query and a file"),
        ("jq --jsno .hosts a.json", "jq's option --jsno is not known"),
        ("python -m tests.fleet ups try", "invalid choice: 'ups'"),
        ("python -m tests.bench --olny rules", "tests.bench has no option --olny"),
        ("python -m no_such_module", "there is no module to run"),
        ("python -c 'print(1'", "python -c: "),
        (".venv/bin/pytest tests/unit/dosc", "there is no tests/unit/dosc"),
        (".ci/publihs v1.2.3", "there is no script .ci/publihs"),
        ("helm install a", "helm is not known"),
        ("kubectl get nodes | helm", "helm is not known"),
        ("make 'lint", "No closing quotation"),
    ],
)
def test_what_is_wrong(command: str, said: str) -> None:
    assert re.search(said, found(command)), found(command)


def test_mistakes_in_blocks_have_their_lines() -> None:
    scripts = ("make lint \\\n  unit\nmake lnit", "make lint && && make unit", "make 'lint")
    page = "text\n\n" + "\n".join("```sh\n%s\n```\n" % script for script in scripts)
    first, second, third = commands.block_mistakes(Guide("docs/a.md", page))
    assert first == "docs/a.md:6: there is no make target lnit"
    assert second.startswith("docs/a.md:9: ")
    assert "syntax error" in second
    assert "line 14: the quote ' is not closed" in third


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("run `make lnit`", "there is no make target lnit"),
        ("run `K3S_BINARY=/k3s make lnit`", "there is no make target lnit"),
        ("with `-e k3s_registries_forse=true`", "does not take the variable k3s_registries_forse"),
        ("with `-e '{\"k3s_registries_force\": 7}'`", "k3s_registries_force: "),
        ("set `k3s_registries_apply: lives`", "got: lives"),
        ("run `ansible-doc -t role\nk3sfleet.registries.k3s_registry`", "there is no role"),
    ],
)
def test_mistakes_in_sentences(sentence: str, said: str) -> None:
    guide = Guide("docs/a.md", "one\n" + sentence)
    [mistake] = commands.sentence_mistakes(guide, outside(guide.text))
    assert mistake.startswith("docs/a.md:2: `")
    assert said in mistake


@pytest.mark.parametrize(
    "sentence",
    ["`make TARGET...`", "`.ci/publish TAG`", "`-e verify`", "`state: absent`", "`kubectl uncordon`", "`make lint`",
     "`ansible-doc -t role k3sfleet.registries.<role>`", "`k3s_registries_apply: live`", "`helm install`"],
)  # fmt: skip
def test_sentences_may_name_what_is_no_whole_command(sentence: str) -> None:
    assert commands.sentence_mistakes(Guide("docs/a.md", sentence), sentence) == []
