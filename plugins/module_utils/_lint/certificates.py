# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules about certificates and keys. The controller checks them, in plugin_utils/_certificates."""

from __future__ import annotations

from .catalogue import ERROR, WARNING, declare

_CONTAINERD = "containerd core/remotes/docker/config/hosts.go (loads ca and client of hosts.toml)"
_GO_PEM = "Go encoding/pem Decode, crypto/x509 AppendCertsFromPEM"
_GO_PAIR = "Go crypto/tls X509KeyPair"
_GO_VERIFY = "Go crypto/x509 Certificate.Verify"

EMPTY = declare(
    "K3R301",
    ERROR,
    "Certificate or key is empty",
    "containerd cannot load an empty file, and then every pull from that registry fails.",
    _CONTAINERD,
    "Give the PEM text, or remove the key.",
)
NOT_PEM = declare(
    "K3R302",
    ERROR,
    "Not PEM",
    "containerd reads PEM only: DER, PKCS#12, keystores and text of any other kind fail every pull from that registry.",
    _GO_PEM,
    "Convert it to PEM (a text with -----BEGIN ...----- lines).",
)
DAMAGED = declare(
    "K3R303",
    ERROR,
    "Damaged PEM block",
    "Go skips a block that it cannot read without a word: a byte order mark, an indented BEGIN line, a missing END "
    "line or broken base64 make the certificate disappear.",
    _GO_PEM,
    "Copy the block again, whole and without indentation.",
)
WRONG_KIND = declare(
    "K3R304",
    ERROR,
    "Something other than what belongs there",
    "A certificate request, a public key, a revocation list or a key in the place of a certificate is skipped, and "
    "the certificate is then missing.",
    _GO_PEM,
    "Put the right file there.",
)
SWAPPED = declare(
    "K3R305",
    ERROR,
    "Client certificate and key are swapped",
    "containerd finds no certificate in the one and no key in the other: every pull from that registry fails.",
    _GO_PAIR,
    "Exchange the two.",
)
KEY_EXPOSED = declare(
    "K3R306",
    ERROR,
    "Private key among certificates",
    "Certificates are written for everybody to read; a private key in the same file would be readable by every user "
    "and every pod with a host path on every node.",
    "hosts.toml takes certificate and key as separate files (containerd docs/hosts.md, client field)",
    "Take the PRIVATE KEY block out, and keep the key only where the key belongs.",
)
CERTIFICATE_UNREADABLE = declare(
    "K3R307",
    ERROR,
    "Certificate cannot be parsed",
    "Go skips a CERTIFICATE block whose content is no certificate; without another one every pull fails.",
    _GO_PEM,
    "Export the certificate again; `openssl x509 -noout -text -in FILE` must print it.",
)
KEY_UNREADABLE = declare(
    "K3R308",
    ERROR,
    "Private key cannot be used",
    "containerd loads PKCS#8, PKCS#1 (RSA) and SEC1 (EC) keys; OpenSSH, DSA and damaged keys fail every pull.",
    _GO_PAIR,
    "Convert it to PKCS#8: `openssl pkey -in FILE -out new.key`.",
)
KEY_ENCRYPTED = declare(
    "K3R309",
    ERROR,
    "Private key is encrypted with a passphrase",
    "Neither K3s nor containerd can ask for a passphrase: every pull from that registry fails.",
    _GO_PAIR,
    "Decrypt it (`openssl pkey -in FILE -out new.key`) and keep the result in ansible-vault "
    "(`ansible-vault encrypt new.key`).",
)
KEY_MISMATCH = declare(
    "K3R310",
    ERROR,
    "Key does not belong to the certificate",
    "containerd refuses the pair (tls: private key does not match public key) and every pull from that registry fails.",
    _GO_PAIR,
    "Give the key that the certificate was issued for.",
)
CHAIN_ORDER = declare(
    "K3R311",
    ERROR,
    "Certificates of the chain are in the wrong order",
    "The key is compared with the first certificate only, and the chain is sent as it stands: each certificate must "
    "be the issuer of the one before it.",
    "RFC 5246 section 7.4.2; " + _GO_PAIR,
    "Order it: the client's own certificate first, then its issuer, then that one's issuer.",
)
CHAIN_GAP = declare(
    "K3R312",
    WARNING,
    "Chain holds a certificate that is not part of it",
    "It is sent at every connection, proves nothing, and usually means that the intermediate certificate between "
    "the two is missing.",
    "RFC 5246 section 7.4.2",
    "Add the missing intermediate certificate, or remove the one that does not belong.",
)
NOT_A_CA = declare(
    "K3R313",
    ERROR,
    "Not a CA certificate",
    "A certificate without the CA flag cannot verify another one; it would be accepted only from a server that "
    "presents exactly this certificate, and no longer once that is renewed.",
    _GO_VERIFY + " and CheckSignatureFrom",
    "Give the certificate of the CA that issued the registry's certificate.",
)
PINNED = declare(
    "K3R314",
    WARNING,
    "Self-signed server certificate as CA",
    "It works, but only for the server that presents exactly this certificate: every renewal of the registry's "
    "certificate has to reach every node before the registry uses it.",
    _GO_VERIFY + " (a leaf found among the roots is accepted)",
    "Issue the registry's certificate from a CA of your own and give that CA here.",
)
CA_MAY_NOT_SIGN = declare(
    "K3R315",
    ERROR,
    "CA whose key usage forbids signing certificates",
    "Go ignores such a CA: x509: certificate signed by unknown authority.",
    _GO_VERIFY + " and CheckSignatureFrom",
    "Issue the CA certificate again with keyUsage keyCertSign.",
)
EXPIRED = declare(
    "K3R316",
    ERROR,
    "Certificate has expired",
    "An expired certificate is refused by whoever checks it.",
    _GO_VERIFY,
    "Replace it; in a bundle, remove it.",
)
EXPIRES_SOON = declare(
    "K3R317",
    WARNING,
    "Certificate expires within 30 days",
    "Pulls fail the moment it expires; new content is used without a restart of K3s.",
    _GO_VERIFY,
    "Renew it and run the playbook again.",
)
NOT_YET_VALID = declare(
    "K3R318",
    ERROR,
    "Certificate is not valid yet",
    "A certificate before its time is refused like an expired one.",
    _GO_VERIFY,
    "Wait until it is valid, issue it again, or set the clock of this machine right.",
)
NAME_MISMATCH = declare(
    "K3R319",
    ERROR,
    "Server certificate is for another host",
    "The registry is asked by the host of its endpoint; a certificate that does not name that host is refused.",
    "Go crypto/x509 Certificate.VerifyHostname",
    "Issue the server's certificate with a subject alternative name for that host, or use a host that it names.",
)
NO_NAMES = declare(
    "K3R320",
    ERROR,
    "Server certificate without subject alternative names",
    "Go no longer reads the common name: x509: certificate relies on legacy Common Name field.",
    "Go 1.15 release notes, crypto/x509",
    "Issue the server's certificate again with a subject alternative name (DNS name or IP address).",
)
NOT_FOR_CLIENTS = declare(
    "K3R321",
    WARNING,
    "Client certificate is not meant for clients",
    "Its extended key usage does not include clientAuth: most registries and proxies refuse it.",
    "RFC 5280 section 4.2.1.12; nginx ssl_verify_client, Go tls.RequireAndVerifyClientCert",
    "Issue it again with extendedKeyUsage clientAuth.",
)
CLIENT_IS_CA = declare(
    "K3R322",
    WARNING,
    "CA certificate with its key as client certificate",
    "Whoever reads the key on one node can issue certificates that every machine trusting this CA accepts.",
    "RFC 5280 section 4.2.1.9",
    "Issue a client certificate from the CA and keep the CA's key off the nodes.",
)
REPEATED = declare(
    "K3R323",
    WARNING,
    "Same certificate twice",
    "It does no harm and usually means that another one was meant.",
    _GO_PEM,
    "Remove one of the two.",
)
WEAK = declare(
    "K3R324",
    WARNING,
    "Weak key or signature",
    "RSA keys below 2048 bits and SHA-1 signatures are refused by current TLS libraries, Go's among them "
    "(RSA below 1024 bits, SHA-1).",
    "Go 1.18 (SHA-1) and 1.22 (RSA below 1024 bits) release notes",
    "Issue it again with RSA 2048 or more, ECDSA or Ed25519, and SHA-256.",
)
SEVERAL_KEYS = declare(
    "K3R325",
    ERROR,
    "More than one private key",
    "Only the first one is used, the others lie on every node for nothing.",
    _GO_PAIR,
    "Leave only the key of the client certificate.",
)
CHAIN_UNTRUSTED = declare(
    "K3R326",
    ERROR,
    "Server certificate does not lead to the CA",
    "No certificate of the CA bundle issued it, directly or through the intermediates that the server sends: "
    "x509: certificate signed by unknown authority.",
    _GO_VERIFY,
    "Give the CA that issued the server's certificate, or let the server send its intermediate certificates.",
)
KEY_TYPE = declare(
    "K3R327",
    ERROR,
    "Kind of key that Go does not know",
    "Go's TLS knows RSA, Ed25519 and ECDSA on the curves P-224, P-256, P-384 and P-521; it cannot use Brainpool "
    "curves, secp256k1, Ed448 or DSA.",
    "Go crypto/x509, crypto/elliptic",
    "Issue it again with RSA, Ed25519 or ECDSA on P-256, P-384 or P-521.",
)
