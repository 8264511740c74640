# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of certificate files on the node, and what is not."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.certificate_files import (
    key_matches,
    named_files,
    read_certificates,
)
from cryptography.hazmat.primitives.serialization import PrivateFormat

from tests.unit.plugins.plugin_utils._certificates.authority import issue


def test_files_are_found_in_block_and_flow_style_and_in_what_k3s_generated() -> None:
    text = """
configs:
  a:
    tls:
      ca_file: /etc/a/ca.crt
      cert_file: "/etc/a/client.crt"   # comment
      key_file: '/etc/a/client.key'
  b: {tls: {ca_file: /etc/b/ca.crt, insecure_skip_verify: true}}
"""
    toml = 'server = "https://r"\nca = ["/etc/c/ca.crt"]\nclient = [["/etc/c/client.crt", "/etc/c/client.key"]]\n'
    files, pairs = named_files(text, [toml])
    assert set(files) == {
        "/etc/a/ca.crt", "/etc/a/client.crt", "/etc/b/ca.crt", "/etc/c/ca.crt", "/etc/c/client.crt",
    }  # fmt: skip
    assert ("/etc/a/client.crt", "/etc/a/client.key") in pairs
    assert ("/etc/c/client.crt", "/etc/c/client.key") in pairs


def test_only_certificates_leave_the_node(tmp_path: Path) -> None:
    issued = issue("node")
    path = tmp_path / "both.pem"
    path.write_text(issued.key + issued.pem + "a note with hunter2\n")
    found = read_certificates(str(path))
    assert found == {"pem": issued.pem.strip(), "error": ""}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "there is no such file"),
        (b" \n", "the file is empty"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "the file holds no PEM certificate"),
    ],
)
def test_a_file_without_a_certificate_says_why(tmp_path: Path, content: bytes | None, error: str) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    assert read_certificates(str(path)) == {"pem": "", "error": error}


def test_a_folder_and_a_relative_path_say_why(tmp_path: Path) -> None:
    assert "it is a directory" in read_certificates(str(tmp_path))["error"]
    assert read_certificates("ca.crt")["error"] == "the path is not absolute"


def test_keys_that_fit_and_keys_that_do_not(tmp_path: Path) -> None:
    mine, other = issue("node"), issue("other")
    cert, key, wrong, locked, none = (tmp_path / name for name in ("c", "k", "w", "l", "n"))
    cert.write_text(mine.pem)
    key.write_text(mine.key)
    wrong.write_text(other.key)
    locked.write_text(mine.key_as(PrivateFormat.PKCS8, b"passphrase"))
    assert key_matches(str(cert), str(key)) is True
    assert key_matches(str(cert), str(wrong)) is False
    assert key_matches(str(cert), str(locked)) is None
    assert key_matches(str(cert), str(none)) is None
    assert key_matches("c", str(key)) is None


def in_time(function: Any, *arguments: Any) -> Any:
    """What ``function`` returns, or a failure where it hangs."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(function(*arguments)), daemon=True)
    thread.start()
    thread.join(10)
    assert answers, "it hangs"
    return answers[0]


@pytest.mark.parametrize("odd", ["certificate", "key"])
@pytest.mark.parametrize("kind", ["fifo", "folder", "large"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, odd: str, kind: str) -> None:
    mine = issue("node")
    files = {"certificate": tmp_path / "c", "key": tmp_path / "k"}
    files["certificate"].write_text(mine.pem)
    files["key"].write_text(mine.key)
    files[odd].unlink()
    if kind == "fifo":
        os.mkfifo(files[odd])
    elif kind == "folder":
        files[odd].mkdir()
    else:
        with open(files[odd], "wb") as handle:
            handle.truncate(1 << 30)
    assert in_time(key_matches, str(files["certificate"]), str(files["key"])) is None
    assert in_time(read_certificates, str(files[odd]))["pem"] == ""


def test_a_file_made_to_be_slow_is_read_in_one_pass(tmp_path: Path) -> None:
    path = tmp_path / "slow"
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\n" * (1 << 15))
    assert in_time(read_certificates, str(path))["error"] == "the file holds no PEM certificate"
    assert in_time(named_files, "", ["\n" * (1 << 20)]) == ([], [])
