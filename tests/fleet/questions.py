# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers answer when they are asked directly: the API and the supervisor, and etcd."""

from __future__ import annotations

from tests.fleet import nodes
from tests.fleet.state import Fleet

# With the admin's certificate or with none: the code and the text of the answer.
_ASK = r"""
import base64, http.client, re, ssl, sys, tempfile
host, port, path, certificate = sys.argv[1:]
with open("/etc/rancher/k3s/k3s.yaml") as handle:
    found = dict(re.findall(r"^ +([\w-]+): (\S+)$", handle.read(), re.M))
text = {name[:-5]: base64.b64decode(value) for name, value in found.items() if name.endswith("-data")}
context = ssl.create_default_context(cadata=text["certificate-authority"].decode())
if certificate == "admin":
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(text["client-certificate"] + text["client-key"])
        pair.flush()
        context.load_cert_chain(pair.name)
connection = http.client.HTTPSConnection(host, int(port), timeout=6, context=context)
connection.request("GET", path)
response = connection.getresponse()
print(response.status, response.read().decode())
"""
# With the client certificate that K3s has for its etcd or with none. By HTTP/1.1: the stand-in's etcd has its JSON
# gateway at that port too.
_ASK_ETCD = r"""
import http.client, ssl, sys
folder = "/var/lib/rancher/k3s/server/tls/etcd/"
context = ssl.create_default_context(cafile=folder + "server-ca.crt")
if sys.argv[2] == "client":
    context.load_cert_chain(folder + "client.crt", folder + "client.key")
connection = http.client.HTTPSConnection(sys.argv[1], 2379, timeout=6, context=context)
try:
    connection.request("POST", "/v3/maintenance/status", "{}")
    print(connection.getresponse().status)
except ssl.SSLError as error:
    print(error.reason)
"""


def ask(fleet: Fleet, through: str, node: str, path: str, certificate: str = "admin", port: int = 6443) -> str:
    """The code and the text that ``node`` answers when the server ``through`` asks; ``node`` empty: its own loopback.

    :param certificate: `admin` or nothing.
    """
    place = fleet.node(node).address if node else "127.0.0.1"
    command = ["python3", "-", place, str(port), path, certificate]
    answer = nodes.execute(fleet, through, command, check=False, stdin=_ASK.encode())
    return str(answer.stdout.strip() or answer.stderr.strip().rpartition("\n")[2])


def ask_etcd(fleet: Fleet, through: str, node: str, certificate: str = "client") -> str:
    """`200` where etcd on ``node`` answers the server ``through``.

    :param certificate: `client` or nothing.
    """
    command = ["python3", "-", fleet.node(node).address, certificate]
    answer = nodes.execute(fleet, through, command, check=False, stdin=_ASK_ETCD.encode())
    return str(answer.stdout.strip() or answer.stderr.strip().rpartition("\n")[2])
