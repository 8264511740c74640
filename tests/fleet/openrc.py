# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes without systemd: Debian's OpenRC as the first process, K3s under its supervisor as on Alpine."""

from __future__ import annotations

# https://github.com/k3s-io/k3s/blob/master/install.sh, create_openrc_service_file
_SCRIPT = """\
#!/sbin/openrc-run

supervisor=supervise-daemon
name={service}
command="/usr/local/bin/k3s"
command_args="{role} \
    >>/var/log/{service}.log 2>&1"
output_log=/var/log/{service}.log
error_log=/var/log/{service}.log
pidfile="/var/run/{service}.pid"
respawn_delay=5
respawn_max=0
"""


def script(service: str, role: str) -> str:
    """The service's script for /etc/init.d."""
    return _SCRIPT.format(service=service, role=role)


def container(image: str) -> list[str]:
    """The end of podman's command line for a node whose first process is OpenRC's own init."""
    return ["--systemd=false", "--tmpfs", "/run", "--stop-signal", "SIGKILL", image, "/usr/sbin/openrc-init"]
