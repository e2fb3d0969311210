"""The same comparisons in executed instructions, which no other work on the machine changes; where there is valgrind.

Run as a program it is the process that valgrind watches: callgrind counts from one call of getsid(2), which nothing
else here makes, to the next.
"""

import gc
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ogx.core.request_headers import PROVIDER_DATA_VAR

from benchmarks.cost_of_a_request import COMPARED, REFERENCE, VALUES, serving, ten_headers
from benchmarks.nothing_to_forward import OFF, ON, REQUESTS, clients
from benchmarks.sidebyside import Row, Timing

_CALLS = 100
_UNIT = "k instr."


def rows() -> Iterator[Row]:
    """Count; nothing where there is no valgrind."""
    if shutil.which("valgrind") is None:
        print("instructions: not counted, for valgrind is not installed")
        return
    counted = _counted()
    for kind in VALUES:
        for what in COMPARED:
            yield Row(f"{what}, {kind}", _UNIT, counted[f"{kind}: {what}"], counted[f"{kind}: {REFERENCE}"])
    for request in REQUESTS:
        what = f"{request}: a provider's `client`, on against off"
        yield Row(what, _UNIT, counted[f"{request}: {ON}"], counted[f"{request}: {OFF}"])


def _counted() -> dict[str, Timing]:
    with tempfile.TemporaryDirectory() as directory:
        dumps = Path(directory) / "counted"
        command = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--dump-before=getsid"]
        command += [f"--callgrind-out-file={dumps}", sys.executable, "-m", __name__]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - ours
        names: list[str] = json.loads(done.stdout.splitlines()[-1])
        # Each is between two calls, which each end a part.
        totals = [_total(dumps.with_name(f"{dumps.name}.{2 * number}")) for number in range(1, len(names) + 1)]
    return {name: Timing(total / _CALLS / 1000, 0) for name, total in zip(names, totals, strict=True)}


def _total(dump: Path) -> int:
    found = re.search(r"^totals: (\d+)", dump.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, dump  # noqa: S101 - callgrind's format
    return int(found[1])


def _call_each(subjects: Mapping[str, Callable[[], object]]) -> None:
    for subject in subjects.values():
        for _ in range(_CALLS):
            subject()
        os.getsid(0)
        for _ in range(_CALLS):
            subject()
        os.getsid(0)


def _main() -> None:
    gc.disable()
    # From here on, for nothing is compared before, and counting makes it twenty times slower.
    subprocess.run(["callgrind_control", "--instr=on", str(os.getpid())], capture_output=True, check=True)  # noqa: S603, S607
    names: list[str] = []
    with serving():
        for kind in VALUES:
            subjects = ten_headers(kind)
            _call_each(subjects)
            names += (f"{kind}: {what}" for what in subjects)
    subjects = clients()
    for request, provider_data in REQUESTS.items():
        token = PROVIDER_DATA_VAR.set(provider_data)
        _call_each(subjects)
        PROVIDER_DATA_VAR.reset(token)
        names += (f"{request}: {what}" for what in subjects)
    print(json.dumps(names))


if __name__ == "__main__":
    _main()
