# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd units, as the installers of K3s and RKE2 write them."""

from __future__ import annotations

from typing import Mapping, Sequence

# https://github.com/k3s-io/k3s/blob/master/install.sh, create_systemd_service_file
_K3S = """\
[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=notify
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-/etc/systemd/system/{service}.service.env
KillMode=process
Delegate=yes
User=root
# Having non-zero Limit*s causes performance problems due to accounting overhead
# in the kernel. We recommend using cgroups to do container-local accounting.
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/k3s \\
    {command} \\
{flags}
"""

# https://github.com/rancher/rke2/tree/master/bundle/lib/systemd/system
_RKE2 = """\
[Unit]
Description=Rancher Kubernetes Engine v2 ({command})
Documentation=https://github.com/rancher/rke2#readme
Wants=network-online.target
After=network-online.target
Conflicts=rke2-{other}.service

[Install]
WantedBy=multi-user.target

[Service]
Type=notify
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-/usr/local/lib/systemd/system/%N.env
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/rke2 {command}{flags}
ExecStopPost=-/bin/sh -c "systemd-cgls /system.slice/%n \
| grep -Eo '[0-9]+ (containerd|kubelet)' | awk '{{print $1}}' | xargs -r kill"
"""

# A container of the fleet may not raise its limit of open files, and on hybrid cgroups K3s takes systemd's invocation
# for a sign that it may manage them.
_IN_A_CONTAINER = """\
[Service]
LimitNOFILE=20000
UnsetEnvironment=INVOCATION_ID
"""


def folder(distribution: str) -> str:
    """Where the installer puts units."""
    return "usr/local/lib/systemd/system" if distribution == "rke2" else "etc/systemd/system"


def files(
    distribution: str, service: str, command: str, environment: Mapping[str, str], flags: Sequence[str] = ()
) -> dict[str, str]:
    """Paths and texts of the unit, its environment and the drop-in that containers need; ``flags`` go to ExecStart, as
    what an installer was given after `server` or `agent`."""
    place = folder(distribution)
    if distribution == "rke2":
        other = "agent" if command == "server" else "server"
        unit = _RKE2.format(command=command, other=other, flags="".join(" " + flag for flag in flags))
        variables = "%s/%s.env" % (place, service)
    else:
        unit = _K3S.format(service=service, command=command, flags="".join("\t'%s' \\\n" % flag for flag in flags))
        variables = "%s/%s.service.env" % (place, service)
    return {
        "%s/%s.service" % (place, service): unit,
        variables: "".join("%s='%s'\n" % pair for pair in environment.items()),
        "etc/systemd/system/%s.service.d/10-container.conf" % service: _IN_A_CONTAINER,
    }


def link(distribution: str, service: str) -> tuple[str, str]:
    """The link that `systemctl enable` makes, and where it leads."""
    target = "/%s/%s.service" % (folder(distribution), service)
    return "etc/systemd/system/multi-user.target.wants/%s.service" % service, target
