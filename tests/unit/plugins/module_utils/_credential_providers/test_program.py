# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a provider's program is."""

from __future__ import annotations

import os

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.program import (
    ARCHITECTURES,
    SCRIPT,
    architecture,
    interpreter,
    kind,
    problem,
)
from hypothesis import given
from hypothesis import strategies as st

AMD64 = b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\x00" + bytes(44)
ARM64 = b"\x7fELF\x02\x01\x01" + bytes(11) + b"\xb7\x00" + bytes(44)
S390X = b"\x7fELF\x02\x02\x01" + bytes(11) + b"\x00\x16" + bytes(44)


def test_this_machine_s_own_python() -> None:
    with open(os.path.realpath("/bin/sh"), "rb") as handle:
        assert kind(handle.read(256)) == architecture()
    assert architecture() in ARCHITECTURES
    assert (architecture("x86_64"), architecture("aarch64"), architecture("odd")) == ("amd64", "arm64", "odd")


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (AMD64, "amd64"), (ARM64, "arm64"), (S390X, "s390x"), (b"#!/bin/sh\n", SCRIPT), (b"#! /bin/env x\n", SCRIPT),
        (b"#!python\n", ""), (b"", ""), (b"MZ\x90", ""), (AMD64[:18] + b"\xff\xff", "unknown"), (AMD64[:10], ""),
    ],
)  # fmt: skip
def test_kinds(head: bytes, found: str) -> None:
    assert kind(head) == found


def test_what_a_machine_does_not_start() -> None:
    assert problem(AMD64, "amd64") == ""
    assert problem(b"#!/bin/sh\n", "") == problem(b"#!/bin/sh\n", "arm64") == ""
    assert problem(AMD64[:18] + b"\x03\x00" + bytes(44), "amd64") == ""
    assert problem(ARM64, "amd64") == "it is a program for arm64, and the node is amd64"
    assert "name it by its architecture, such as {arm64: ...}" in problem(ARM64, "")
    assert "no program" in problem(b"<html>", "amd64")


def test_the_interpreter() -> None:
    assert interpreter(b"#!/usr/bin/python3 -I\nprint()") == "/usr/bin/python3"


@given(st.binary(max_size=64))
def test_any_bytes_are_judged(head: bytes) -> None:
    assert isinstance(problem(head, "amd64"), str)
    assert isinstance(problem(b"\x7fELF" + head, "amd64"), str)
