# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import datetime
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._certificates.bundle import check_bundle
from authority import DAY, NOW, Issued, issue
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples

WHERE = 'configs."registry.example.com:5000".tls'
SOURCES = {
    "ca": f"{WHERE}.ca_src (files/ca.crt)",
    "cert": f"{WHERE}.cert_src (files/client.crt)",
    "key": f"{WHERE}.key_content",
    "server": f"{WHERE}.server",
}


def check(ca=None, cert=None, key=None, server=None, host="", now=NOW):
    return check_bundle(ca=ca, cert=cert, key=key, server=server, host=host, now=now, sources=SOURCES)


def findings(**given):
    return check(**given)[0]


def codes(**given):
    return [finding["code"] for finding in findings(**given)]


def only(**given):
    found = findings(**given)
    assert len(found) == 1, found
    return found[0]


def test_a_good_bundle_has_no_findings(root, intermediate, client, server):
    assert findings(ca=root.pem, cert=client.pem + intermediate.pem, key=client.key) == []
    assert findings(ca=intermediate.pem, server=server.pem, host="registry.example.com") == []


@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
def test_every_kind_of_key_go_knows(root, kind, form):
    client = root.issue("node", kind=kind)
    if kind == "ed25519" and form != "PKCS8":
        form = "PKCS8"
    key = client.key_as(getattr(serialization.PrivateFormat, form))
    assert findings(ca=root.pem, cert=client.pem, key=key) == []
    other = root.issue("other", kind=kind)
    assert codes(ca=root.pem, cert=client.pem, key=other.key) == ["K3R310"]


def test_facts_describe_each_certificate_and_hold_no_key(root, intermediate, client):
    _findings, facts = check(ca=root.pem, cert=client.pem + intermediate.pem, key=client.key)
    assert [(fact["source"], fact["position"], fact["kind"], fact["chain_length"]) for fact in facts] == [
        ("ca", 1, "root", 1),
        ("cert", 1, "leaf", 2),
        ("cert", 2, "intermediate", 2),
    ]
    leaf = facts[1]
    assert leaf["subject"] == "CN=node"
    assert leaf["issuer"] == "CN=Test Intermediate"
    assert leaf["sha256"] == client.certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    assert leaf["not_after"] == "2026-09-09T12:00:00Z"
    assert leaf["days_left"] == 100
    assert leaf["key_type"] == "ECDSA P-256"
    assert "PRIVATE" not in json.dumps(facts)
    assert client.key.splitlines()[1] not in json.dumps(facts)


def test_findings_say_which_source_and_which_block(root, intermediate):
    old = issue("Old Root", ca=True, end=NOW - DAY)
    found = only(ca=root.pem + intermediate.pem + old.pem)
    assert found["code"] == "K3R316"
    assert found["level"] == "error"
    assert found["path"] == SOURCES["ca"]
    assert found["message"].startswith("files/ca.crt: block 3, certificate CN=Old Root, expired on 2026-05-31")


class TestTime:
    def test_warning_starts_thirty_days_before(self, root):
        assert codes(ca=issue("CA", ca=True, end=NOW + 31 * DAY).pem) == []
        found = only(ca=issue("CA", ca=True, end=NOW + 30 * DAY).pem)
        assert (found["code"], found["level"]) == ("K3R317", "warning")
        assert "in 30 days" in found["message"]

    def test_last_second(self):
        ca = issue("CA", ca=True, end=NOW)
        assert codes(ca=ca.pem) == ["K3R317"]
        assert codes(ca=ca.pem, now=NOW + datetime.timedelta(seconds=1)) == ["K3R316"]

    def test_not_yet_valid(self):
        assert codes(ca=issue("CA", ca=True, start=NOW + DAY).pem) == ["K3R318"]

    def test_time_without_zone_is_utc(self, root):
        assert codes(ca=root.pem, now=NOW.replace(tzinfo=None)) == []


class TestAuthority:
    def test_leaf_of_another_authority_is_an_error(self, server):
        found = only(ca=server.pem)
        assert (found["code"], found["level"]) == ("K3R313", "error")
        assert "CN=Test Intermediate" in found["fix"]

    def test_self_signed_server_certificate_is_a_warning(self):
        pinned = issue("registry", dns=("registry.example.com",))
        found = only(ca=pinned.pem, host="registry.example.com")
        assert (found["code"], found["level"]) == ("K3R314", "warning")
        assert codes(ca=pinned.pem, host="other.example.com") == ["K3R314", "K3R319"]

    def test_self_signed_without_names(self):
        assert codes(ca=issue("registry").pem) == ["K3R314", "K3R320"]

    def test_ca_that_may_not_sign(self):
        assert codes(ca=issue("CA", ca=True, sign=False).pem) == ["K3R315"]

    def test_version_3_without_basic_constraints_is_no_ca(self):
        assert "K3R314" in codes(ca=issue("CA", ca=None).pem)

    def test_same_certificate_twice(self, root):
        found = only(ca=root.pem + root.pem)
        assert (found["code"], found["level"]) == ("K3R323", "warning")

    def test_weak_key(self):
        assert codes(ca=issue("CA", ca=True, kind="rsa-1024").pem) == ["K3R324"]

    def test_curve_unknown_to_go(self):
        found = only(ca=issue("CA", ca=True, kind="brainpool").pem)
        assert found["code"] == "K3R327"
        assert "brainpoolP256r1" in found["message"]

    def test_private_key_in_the_bundle(self, root):
        found = only(ca=root.pem + root.key)
        assert found["code"] == "K3R306"
        assert "block 2 (line" in found["message"]
        found = only(ca=root.key)
        assert found["code"] == "K3R306"
        assert "no certificate" in found["message"]


class TestChain:
    def test_issuer_before_leaf(self, intermediate, client):
        found = only(cert=intermediate.pem + client.pem, key=client.key)
        assert found["code"] == "K3R311"
        assert "CN=node must come first" in found["message"]
        assert "2, 1" in found["fix"]

    def test_root_before_intermediate(self, root, intermediate, client):
        found = only(cert=client.pem + root.pem + intermediate.pem, key=client.key)
        assert found["code"] == "K3R311"
        assert "1, 3, 2" in found["fix"]

    def test_intermediate_is_missing(self, root, client):
        found = only(cert=client.pem + root.pem, key=client.key)
        assert (found["code"], found["level"]) == ("K3R312", "warning")
        assert "CN=Test Intermediate" in found["message"]

    def test_key_of_another_certificate(self, client, intermediate, server):
        found = only(cert=client.pem + intermediate.pem, key=server.key)
        assert found["code"] == "K3R310"
        assert found["path"] == SOURCES["key"]

    def test_key_of_the_issuer(self, client, intermediate):
        found = only(cert=client.pem + intermediate.pem, key=intermediate.key)
        assert found["code"] == "K3R310"
        assert "block 2" in found["message"]

    def test_server_certificate_as_client_certificate(self, server, intermediate):
        found = only(cert=server.pem + intermediate.pem, key=server.key)
        assert (found["code"], found["level"]) == ("K3R321", "warning")

    def test_ca_as_client_certificate(self, root):
        assert codes(cert=root.pem, key=root.key) == ["K3R322"]

    def test_half_a_pair_is_fine(self, client):
        assert codes(cert=client.pem) == []
        assert codes(key=client.key) == []


class TestServer:
    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("registry.example.com", []),
            ("REGISTRY.example.com.", []),
            ("a.wild.example.com", []),
            ("wild.example.com", ["K3R319"]),
            ("a.b.wild.example.com", ["K3R319"]),
            ("10.1.2.3", []),
            ("10.1.2.4", ["K3R319"]),
            ("[fd00::1]", []),
            ("fd00:0::1", []),
            ("", []),
        ],
    )
    def test_names(self, server, intermediate, host, expected):
        assert codes(ca=intermediate.pem, server=server.pem, host=host) == expected

    def test_common_name_alone_is_no_name(self, root):
        assert codes(ca=root.pem, server=root.issue("registry.example.com").pem, host="registry.example.com") == [
            "K3R320"
        ]

    def test_chain_reaches_the_authority(self, root, intermediate, server):
        assert codes(ca=root.pem, server=server.pem + intermediate.pem) == []
        assert codes(ca=root.pem, server=server.pem) == ["K3R326"]
        assert codes(ca=issue("Test Intermediate", ca=True).pem, server=server.pem) == ["K3R326"]


class TestKey:
    @pytest.mark.parametrize(
        "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
    )
    def test_encrypted(self, client, intermediate, form):
        found = only(cert=client.pem + intermediate.pem, key=client.key_as(form, b"passphrase"))
        assert found["code"] == "K3R309"
        assert "openssl pkey -in FILE -out new.key" in found["fix"]
        assert "passphrase" not in found["fix"]

    def test_openssh(self, client):
        found = only(key=client.key_as(serialization.PrivateFormat.OpenSSH))
        assert found["code"] == "K3R308"
        assert "ssh-keygen" in found["fix"]

    def test_certificate_in_its_place(self, client, intermediate):
        found = only(cert=client.pem + intermediate.pem, key=client.pem)
        assert found["code"] == "K3R304"
        assert "is a certificate, not a private key" in found["message"]

    def test_swapped(self, client):
        found = only(cert=client.key, key=client.pem)
        assert found["code"] == "K3R305"

    def test_two_keys(self, client, server):
        assert codes(cert=client.pem, key=client.key + server.key) == ["K3R325"]

    def test_certificate_beside_the_key_is_stepped_over(self, client):
        assert codes(cert=client.pem, key=client.pem + client.key) == []

    def test_curve_parameters_are_stepped_over(self, client):
        parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        assert codes(cert=client.pem, key=parameters + client.key) == []

    def test_content_that_is_no_key(self):
        secret = base64.b64encode(b"not a key but secret").decode()
        found = only(key=f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n")
        assert found["code"] == "K3R308"
        assert secret not in str(found)

    def test_unknown_curve(self, root):
        client = root.issue("node", kind="brainpool")
        assert codes(cert=client.pem, key=client.key) == ["K3R327", "K3R327"]

    def test_key_with_certificate_of_the_client(self, client):
        assert codes(cert=client.pem + client.key, key=client.key) == ["K3R306"]


def request(key) -> x509.CertificateSigningRequest:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    return x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())


class TestSomethingElse:
    def test_other_blocks(self, client, root):
        csr = request(client.private).public_bytes(serialization.Encoding.PEM).decode()
        found = only(cert=csr)
        assert found["code"] == "K3R304"
        assert "certificate request" in found["message"]
        public = client.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        found = only(ca=root.pem + public.decode())
        assert found["code"] == "K3R304"
        assert "block 2" in found["message"]
        assert "public key" in found["message"]
        assert only(key=public.decode())["code"] == "K3R304"

    def test_binary_files_are_named(self, client, root):
        encoding = serialization.Encoding.DER
        none = serialization.NoEncryption()
        key = client.private
        cases = {
            "DER certificate": client.der,
            "certificate request (CSR) in DER": request(key).public_bytes(encoding),
            "a private key in DER": key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, none),
            "encrypted private key in DER": key.private_bytes(
                encoding, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
            ),
            "public key in DER": key.public_key().public_bytes(
                encoding, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            "PKCS#12": pkcs12.serialize_key_and_certificates(
                b"n", key, client.certificate, [root.certificate], serialization.BestAvailableEncryption(b"x")
            ),
            "PKCS#7": pkcs7.serialize_certificates([client.certificate], encoding),
            "ASN.1": b"0\x03\x02\x01\x05",
        }
        for what, data in cases.items():
            for text in (data, data.decode("utf-8", "surrogateescape")):
                found = only(ca=text)
                assert found["code"] == "K3R302", what
                assert what in found["message"]
        assert "openssl x509 -inform der -in files/ca.crt" in only(ca=client.der)["fix"]

    def test_text_that_is_no_pem(self, client):
        one_line = client.pem.replace("\n", "")
        cases = {
            "K3R301 is empty": " \n\t\r\n",
            "K3R302 encrypted with ansible-vault": "$ANSIBLE_VAULT;1.1;AES256\n3132",
            "K3R302 web page": "<!DOCTYPE html><html>",
            "K3R302 UTF-16": client.pem.encode("utf-16"),
            "K3R302 not rendered": "{{ registry_ca }}",
            "K3R302 path of a file": "/etc/ssl/certs/ca.crt",
            "K3R302 OpenSSH public key": "ssh-ed25519 AAAAC3Nza user@host",
            "K3R302 Java keystore": b"\xfe\xed\xfe\xed\0\0\0\2",
            "K3R302 no PEM block": "hello",
            "K3R302 once more with base64": base64.b64encode(client.pem.encode()).decode(),
            "K3R302 without its BEGIN and END lines (a DER certificate)": "".join(client.pem.splitlines()[1:-1]),
            "K3R303 single line": one_line,
            "K3R303 written as \\n": client.pem.replace("\n", "\\n"),
            "K3R303 byte order mark": "\ufeff" + client.pem,
            "K3R303 indented": "  " + client.pem.replace("\n", "\n  "),
            "K3R303 has no line -----END": client.pem.replace("-----END CERTIFICATE-----", ""),
            "K3R303 ends with another line": client.pem.replace("END CERTIFICATE", "END KEY"),
            "K3R303 base64": client.pem.replace("M", "!", 1),
            "K3R303 header lines": client.pem.replace("\n", "\nProc-Type: 4\n\n", 1),
            "K3R303 text before BEGIN": "x " + client.pem,
            "K3R307 is not one": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        }
        for expected, text in cases.items():
            code, _space, words = expected.partition(" ")
            found = only(ca=text)
            assert (found["code"], found["level"]) == (code, "error"), expected
            assert words in found["message"]
            assert found["fix"]

    def test_what_go_reads_is_read(self, root, intermediate, client):
        windows = (root.pem + intermediate.pem).replace("\n", "\r\n")
        dressed = f"Bag Attributes\n    localKeyID: 01\nsubject=CN=x\n{root.pem}\n# the second\n{intermediate.pem}bye"
        without_last_newline = root.pem.rstrip("\n")
        for text in (windows, dressed, without_last_newline, root.pem.replace("\n", " \n")):
            assert findings(ca=text) == []
        assert findings(ca=root.pem.encode(), cert=client.pem.encode(), key=client.key.encode()) == []

    def test_damage_of_one_block_does_not_hide_the_next(self, root):
        broken = root.pem.replace("-----END CERTIFICATE-----\n", "")
        old = issue("Old", ca=True, end=NOW - DAY)
        assert codes(ca=broken + old.pem) == ["K3R303", "K3R316"]


def test_nothing_given_imports_nothing():
    code = (
        "import sys, datetime; sys.path.insert(0, sys.argv[1]);"
        "from ansible_collections.k3sfleet.registries.plugins.plugin_utils._certificates.bundle import check_bundle;"
        "now = datetime.datetime.now(datetime.timezone.utc);"
        "print(check_bundle(ca=None, cert=None, key=None, now=now, sources={}), 'cryptography' in sys.modules)"
    )
    collections = Path(__file__).resolve().parents[5] / ".ansible" / "collections"
    done = subprocess.run([sys.executable, "-c", code, str(collections)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "([], []) False"


@settings(max_examples=examples(150), deadline=None)
@given(
    st.one_of(
        st.text(st.characters()),
        st.binary(),
        st.lists(
            st.sampled_from(
                [
                    "-----BEGIN CERTIFICATE-----",
                    "-----END CERTIFICATE-----",
                    "-----BEGIN PRIVATE KEY-----",
                    "MIIB",
                    ":",
                    "",
                    "-----END PRIVATE KEY-----",
                    "-----BEGIN ",
                    "-----END ",
                    "0\x82",
                    "\ufeff",
                    "Proc-Type: 4,ENCRYPTED",
                ]
            )
        ).map("\n".join),
    )
)
def test_never_raises(text):
    for source in ("ca", "cert", "key", "server"):
        found, facts = check(**{source: text})
        assert found
        assert facts == []
        assert all(set(item) == {"code", "level", "path", "message", "fix"} for item in found)


def test_keys_never_appear_in_findings(client, server, intermediate):
    """Each wrong place a key can be in: none of its lines comes back."""
    key = ec.generate_private_key(ec.SECP256R1())
    text = Issued(client.certificate, key).key
    lines = [line for line in text.splitlines() if "-----" not in line]
    for given_ in (
        {"ca": text},
        {"cert": text, "key": client.pem},
        {"cert": client.pem + text, "key": text},
        {"key": text.replace("\n", " ")},
        {"key": text.replace("-----END", "")},
        {"key": "".join(lines)},
        {"cert": client.pem + intermediate.pem, "key": text.replace(lines[0], lines[0][:-1] + "!")},
    ):
        shown = json.dumps(findings(**given_))
        assert shown != "[]"
        assert not [line for line in lines if line in shown]


def test_without_cryptography_it_says_so_and_the_module_can_still_be_imported():
    code = (
        "import sys, datetime; sys.path.insert(0, sys.argv[1]); sys.modules['cryptography'] = None;"
        "from ansible_collections.k3sfleet.registries.plugins.plugin_utils._certificates import private_key;"
        "from ansible_collections.k3sfleet.registries.plugins.plugin_utils._certificates.bundle import check_bundle;"
        "now = datetime.datetime.now(datetime.timezone.utc);"
        "check_bundle(ca='x', cert=None, key=None, now=now, sources={})"
    )
    collections = Path(__file__).resolve().parents[5] / ".ansible" / "collections"
    done = subprocess.run([sys.executable, "-c", code, str(collections)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cryptography is not installed on the controller" in done.stderr
    assert "pip install cryptography" in done.stderr
