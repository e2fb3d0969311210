"""Bundles and runs JavaScript with Grafana's npm packages, installed into a folder that is never committed."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.dashboards.programs import program

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "docs" / "images" / "render"
WORKSHOP = ROOT / ".tools" / "render"

_ASSETS = [f"--loader:.{suffix}=dataurl" for suffix in ("svg", "png", "woff2", "ttf")]


def bundle(script: Path, *options: str) -> Path:
    """Return one file with the script and everything that it imports. Installs the packages (two minutes at first)."""
    _install()
    # The script and what it imports from its own folder.
    for sibling in script.parent.glob("*.js*"):
        shutil.copy(sibling, WORKSHOP)
    bundled = WORKSHOP / f"{script.stem}.bundle.cjs"
    _run("node_modules/.bin/esbuild", script.name, "--bundle", f"--outfile={bundled.name}", *_ASSETS, *options)
    return bundled


def run_script(script: Path, given: object) -> Any:
    """Return what a script prints as JSON. It reads `given` as JSON from standard input."""
    bundled = bundle(script, "--platform=node", "--format=cjs", "--external:jsdom", "--loader:.css=empty")
    return json.loads(_run(program("node"), bundled.name, given=json.dumps(given)))


def _install() -> None:
    wanted = (SOURCE / "package.json").read_text(encoding="utf-8")
    installed = WORKSHOP / "node_modules" / "installed.json"
    if installed.exists() and installed.read_text(encoding="utf-8") == wanted:
        return
    WORKSHOP.mkdir(parents=True, exist_ok=True)
    (WORKSHOP / "package.json").write_text(wanted, encoding="utf-8")
    _run(program("npm"), "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent")
    installed.write_text(wanted, encoding="utf-8")


def _run(*command: str, given: str | None = None) -> str:
    result = subprocess.run(  # noqa: S603 - the lines above
        command, cwd=WORKSHOP, input=given, capture_output=True, text=True, check=False, timeout=600
    )
    assert result.returncode == 0, f"{command}:\n{result.stderr[-4000:]}"
    return result.stdout
