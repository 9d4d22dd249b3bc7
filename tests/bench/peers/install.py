"""Make the environments of the peers: ``make bench-peers``.

One requirements file for each peer names every package with its version, and in its first line the
Python it runs on. Environments lie in ``.peers`` and are made anew where the file has changed.
Standard library alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parents[2] / ".peers"


def interpreter(version: str) -> str | None:
    """Return a Python of a version such as 3.11: this one, one on PATH, or one of pyenv or uv."""
    candidates = [sys.executable]
    candidates += [found] if (found := shutil.which(f"python{version}")) else []
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += map(str, sorted((home / "versions").glob(f"{version}.*/bin/python")))
    if uv := shutil.which("uv"):
        found = subprocess.run(
            [uv, "python", "find", "--no-project", version],
            capture_output=True,
            text=True,
            check=False,
        )
        candidates += [found.stdout.strip()] if found.returncode == 0 else []
    check = f"import sys, venv; sys.exit('{version}' != '%d.%d' % sys.version_info[:2])"
    for candidate in candidates:
        # a version manager's stand-in may be there and fail
        if subprocess.run([candidate, "-c", check], capture_output=True, check=False).returncode:
            continue
        return candidate
    return None


def install(file: Path) -> str | None:
    """Make one peer's environment if it is not there; return what stands in the way."""
    text = file.read_text(encoding="utf-8")
    folder = ENVIRONMENTS / file.stem
    stamp = folder / "installed"
    digest = hashlib.sha256(text.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return None
    version = text.splitlines()[0].rpartition(" ")[2]
    python = interpreter(version)
    if python is None:
        return f"needs Python {version}, found none"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    own = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    options = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [str(own), "-m", "pip", "install", *options, "-r", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return f"pip failed: {done.stderr.strip().splitlines()[-1]}"
    stamp.write_text(digest, encoding="utf-8")
    return None


def main() -> int:
    """Install every peer; say which are there, and return how many are not."""
    absent = 0
    for file in sorted(HERE.glob("*.txt")):
        problem = install(file)
        absent += problem is not None
        state = "installed" if problem is None else f"ABSENT: {problem}"
        sys.stdout.write(f"{file.stem}: {state}\n")
    return absent


if __name__ == "__main__":
    sys.exit(main())
