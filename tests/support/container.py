"""What a container runtime gives a module, made with Linux' own tools; it needs root.

The root folder is read-only and holds Python, this package and libraries. There is no network, no
user database, no HOME and, unless asked for, no /tmp. The user is a number that nobody knows, and
has no capabilities. INPUT is read-only; only OUTPUT can be written to.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.requirements import require_namespaces, require_tool

ROOT = Path(__file__).parents[2]
UID = 12345

SCRIPT = """
set -e
umask 022
root=$1 input=$2 output=$3 tmp=$4
shift 4
read_only() { mkdir -p "$root$2"; mount --bind "$1" "$root$2"; mount -o remount,bind,ro "$root$2"; }
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir "$root/dev" "$root/proc" "$root/output" "$root/tmp"
test -z "$tmp" || mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"  # before what lies in it
for path in $READ_ONLY; do read_only "$path" "$path"; done
for path in bin lib lib64; do
    if test -L /$path; then cp -P /$path "$root"; else read_only /$path /$path; fi
done
mount -t proc proc "$root/proc"
read_only /sys /sys
touch "$root/dev/null"
mount --bind /dev/null "$root/dev/null"
read_only "$input" /input
mount --bind "$output" "$root/output"
mount -o remount,ro "$root"
exec chroot "$root" setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups --no-new-privs \\
    --inh-caps=-all --bounding-set=-all env -i "$@"
"""


def run_in_container(
    folder: Path,
    source: Path,
    destination: Path,
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    tmp: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program with ``source`` as /input and ``destination`` as /output.

    Parameters
    ----------
    folder
        A folder for the root of the container; nothing is left in it.
    destination
        Gets the owner that the program runs as, as mercure's folders have.
    tmp
        Whether /tmp can be written to.
    """
    require_namespaces()
    for tool in ("setpriv", "chroot"):
        require_tool(tool)
    root = folder / "root"
    root.mkdir(exist_ok=True)
    destination.mkdir(exist_ok=True)
    os.chown(destination, UID, UID)
    read_only = ("/usr", ROOT, sys.prefix, sys.base_prefix)
    values = [f"{name}={value}" for name, value in environment.items()]
    places = (root, source, destination, "tmp" if tmp else "")
    return subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", SCRIPT, "sh", *places, *values, *command],
        env={**os.environ, "READ_ONLY": _once(read_only), "USER_ID": str(UID)},
        capture_output=True,
        text=True,
        check=False,
    )


def _once(paths: Sequence[str | Path]) -> str:
    """Return the paths that lie in none of the others, with blanks between them."""
    all_ = {Path(path) for path in paths}
    return " ".join(str(path) for path in sorted(all_) if not all_ & set(path.parents))
