# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking for secrets where they must not be: in output, in processes, in journals, in files that others may read."""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path
from typing import Iterable, Mapping

from tests.tools.exec_events import ExecEvents, Unavailable

_PERIOD = 0.05
# containerd's own: K3s writes credentials in clear into a folder of mode 0700.
# The control proves that the search finds what is there: a search that fails finds nothing, as one without a leak.
_CONTROL = "the control of the search"
SEARCH = f"""\
umask 077; cat > /run/canaries; echo '{_CONTROL}' >> /run/canaries
for place in /opt /tmp /var/tmp /dev/shm; do echo '{_CONTROL}' > $place/control; done; chmod 0644 /opt/control
logger '{_CONTROL}'; journalctl --quiet --sync
find / -xdev -type f -perm /077 -not -path '/proc/*' -not -path '/sys/*' -not -path '*/agent/etc/containerd/*' \\
    -size -4096k -newer /etc/hosts -exec grep -l -s -F -f /run/canaries {{}} + | sort
journalctl --quiet --no-pager -o cat | grep -F -f /run/canaries | sort -u
grep -r -l -s -F -f /run/canaries /tmp /var/tmp /dev/shm | sort
rm /run/canaries /opt/control /tmp/control /var/tmp/control /dev/shm/control
"""
NOTHING_LEFT = f"/opt/control\n{_CONTROL}\n/dev/shm/control\n/tmp/control\n/var/tmp/control\n"
"""What the search says if there is nothing to find."""


class Secrets:
    """Named secrets and the forms in which they could slip out."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self.forms: dict[str, str] = {}
        for name, text in named.items():
            if "PRIVATE KEY" in text:
                # Any line of a key's body is a leak; output may break or join lines.
                body = [line for line in text.splitlines() if line and "-----" not in line]
                self.forms.update({line: "%s, line %d" % (name, number) for number, line in enumerate(body, 1)})
            else:
                self.forms[text] = name

    def add_basic_auth(self, username: str, password: str) -> None:
        """The form in which a client sends them, and Docker's config.json keeps them."""
        joined = base64.b64encode(("%s:%s" % (username, password)).encode()).decode()
        self.forms[joined] = "%s's basic auth" % username

    def add_canary(self, name: str, core: str) -> None:
        """A text that nothing else holds and that no quoting changes: letters, digits and hyphens. Whatever it was part
        of, in base64 too, is a leak."""
        assert core.replace("-", "").isalnum(), core
        self.forms[core] = name
        for shift in range(3):
            # A character of base64 has six bits: those at the ends are not its own alone.
            encoded = base64.b64encode(b"." * shift + core.encode()).decode()
            self.forms[encoded[-(-shift * 8 // 6) : (shift + len(core)) * 8 // 6]] = "%s in base64" % name

    def found_in(self, text: str) -> list[str]:
        """Names of the secrets in ``text``: never the secrets, a test's report is output too."""
        return sorted(name for form, name in self.forms.items() if form in text)

    def lines_in(self, text: str) -> list[str]:
        """The lines of ``text`` with secrets in them, the names of these in their place, for a test's report."""
        found = []
        for line in text.splitlines():
            for form, name in self.forms.items():
                if form in line:
                    before, _form, after = line.partition(form)
                    found.append("%s<%s>%s" % (before[-120:], name, after[:120]))
                    break
        return [self._masked(line) for line in found[:20]]

    def _masked(self, line: str) -> str:
        for form, name in self.forms.items():
            line = line.replace(form, "<%s>" % name)
        return line

    def patterns(self) -> bytes:
        """For `grep -F -f -`."""
        return "".join(form + "\n" for form in self.forms).encode()


class ProcessWatch:
    """Looks at every process of this machine, the nodes' included (they are containers here): at those that run when it
    begins and ends, and at each program as it starts. Where the kernel does not tell of these, it looks at all of them
    again and again."""

    def __init__(self, secrets: Secrets) -> None:
        self.secrets = secrets
        self.found: set[str] = set()
        self.looks = 0
        self._stop = threading.Event()
        try:
            self._events: ExecEvents | None = ExecEvents()
        except Unavailable:
            self._events = None
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ProcessWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._events is not None:
            self._events.close()

    def _watch(self) -> None:
        self._look_at_all()
        while not self._stop.is_set():
            if self._events is None:
                self._stop.wait(_PERIOD)
                self._look_at_all()
                continue
            started, missed = self._events.started(_PERIOD)
            for process in started:
                self._look(Path("/proc/%d" % process))
            if missed:
                self._look_at_all()
        self._look_at_all()

    def _look_at_all(self) -> None:
        for name in os.listdir("/proc"):
            if name.isdigit():
                self._look(Path("/proc") / name)

    def _look(self, process: Path) -> None:
        self.looks += 1
        for what in ("cmdline", "environ"):
            try:
                text = (process / what).read_bytes().decode("utf-8", "replace")
            except OSError:
                continue
            for secret in self.secrets.found_in(text):
                program = text.partition("\0")[0] if what == "cmdline" else "process %s" % process.name
                self.found.add("%s in the %s of %s" % (secret, what, program))


def files_with(secrets: Secrets, folders: Iterable[Path]) -> list[str]:
    """Files below ``folders`` on this machine that contain a secret."""
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and secrets.found_in(path.read_bytes().decode("utf-8", "replace")):
                found.append(str(path))
    return found
