"""The directory that workers share: a full disk costs metrics and nothing else, and dead workers cost no time."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_MOUNTED = 'mount -t tmpfs -o size="$SIZE" none "$PROMETHEUS_MULTIPROC_DIR" && exec "$0" -c "$1"'
_RECORDER = """
import json, os, sys
from pathlib import Path
from extra_headers.forwarding import Policy, evaluate
from extra_headers.telemetry.metrics import Metrics, ProviderLabels
from extra_headers.telemetry.recorder import Recorder
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

directory = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])

def fill():
    with open(directory / "filling", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass

def counted():
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))
    samples = [s for family in registry.collect() for s in family.samples]
    return sum(s.value for s in samples if s.name == "extra_headers_requests_total")

recorders = [Recorder(ProviderLabels(f"p{i}", "remote::p", "d", "drop", "drop")) for i in range(3)]
evaluation = evaluate({"Cookie": "s", "X-A": "1"}, Policy())

def record(recorder):
    recorder.record(evaluation, 1e-6, "http://127.0.0.1/")
"""


def _run_on(size: str, directory: Path, code: str) -> tuple[object, str]:
    """Run code with a shared directory of that size, and return what it printed as JSON, and its log."""
    directory.mkdir()
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory), "SIZE": size}
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--mount", *as_root, "sh", "-c", _MOUNTED, sys.executable, _RECORDER + code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_a_disk_without_room_at_the_start(tmp_path: Path) -> None:
    """There are no metrics then, one line says so, and requests are recorded elsewhere as if nothing were."""
    code = "for recorder in recorders * 20: record(recorder)\nprint(json.dumps('went on'))"
    printed, log = _run_on("16k", tmp_path / "shared", code)

    assert printed == "went on"
    assert log.count("no metrics, requests are not affected") == 1
    assert "Traceback" not in log


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    """What a provider counts has its room from the start: totals stay exact on a disk that is full."""
    code = """
fill()
for _ in range(50):
    for recorder in recorders: record(recorder)
metrics = Metrics.in_registry()
for i in range(300):
    metrics.blocked_names.labels("p0", "credential", f"x-name-{i}").inc()
print(json.dumps(counted()))
"""
    printed, log = _run_on("8m", tmp_path / "shared", code)

    assert printed == 150
    assert "Traceback" not in log


def test_more_series_than_the_disk_has_room_for(tmp_path: Path) -> None:
    """A file that cannot grow is an error, to any library that counts in this process, and not the end of it."""
    code = """
other = Counter("other", "Of another library.", ["name"])
fill()
try:
    for i in range(20_000): other.labels(f"{i:0500}").inc()
except OSError as error:
    failed = error.strerror
for recorder in recorders: record(recorder)
print(json.dumps([failed, counted()]))
"""
    printed, _ = _run_on("8m", tmp_path / "shared", code)

    assert printed == ["No space left on device", 3]


def test_files_that_are_there_already(tmp_path: Path) -> None:
    """Files that another library mapped before, and those of an earlier process of the same id, get their blocks."""
    code = """
before = Path(directory / f"summary_{os.getpid()}.db")
from prometheus_client import Summary
summary = Summary("early", "Of another library.")
print(json.dumps(before.stat().st_blocks * 512 >= before.stat().st_size))
"""
    early = "from prometheus_client import Counter\nCounter('early_bird', 'Of another library.').inc()\n"
    holes = "\nfor f in directory.glob('*.db'): assert f.stat().st_blocks * 512 >= f.stat().st_size, f\n"
    directory = tmp_path / "shared"
    directory.mkdir()
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)}
    command = [sys.executable, "-c", early + _RECORDER + holes + code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - ours

    assert json.loads(done.stdout) is True


_WORKERS = """
import json, os, signal, sys, time
from prometheus_client import CollectorRegistry
from extra_headers.forwarding import Policy, evaluate
from extra_headers.telemetry import multiprocess
from extra_headers.telemetry.metrics import ProviderLabels
from extra_headers.telemetry.recorder import Recorder

directory = os.environ["PROMETHEUS_MULTIPROC_DIR"]
recorders = [Recorder(ProviderLabels(f"p{i}", "remote::p", "d", "drop", "drop")) for i in range(3)]
evaluation = evaluate({"X-A": "1"}, Policy())

def die_after(work):
    if (worker := os.fork()) == 0:
        work()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])

def count():
    for recorder in recorders:
        recorder.record(evaluation, 0.5, "http://127.0.0.1/")

def scrape():
    registry = CollectorRegistry()
    multiprocess.LiveProcesses(registry, directory)
    samples = [sample for family in registry.collect() for sample in family.samples]
    return {s.name: s.value for s in samples if s.labels.get("outcome", "clean") == "clean"}
"""


def _run(directory: Path, code: str) -> Any:
    """Run code after that of the workers, and return what it printed as JSON."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)}
    command = [sys.executable, "-c", _WORKERS + code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_hundred_dead_workers(tmp_path: Path) -> None:
    """Their counts stay exact, in a few files, and a scrape is as quick as with one worker."""
    code = """
for _ in range(100): die_after(count)
files = len(os.listdir(directory))
first = scrape()
started = time.perf_counter()
second = scrape()
print(json.dumps([files, len(os.listdir(directory)), first, second, time.perf_counter() - started]))
"""
    files, left, first, second, seconds = _run(tmp_path, code)

    assert files > 200
    assert left < 10
    assert second == first
    assert first["extra_headers_requests_total"] == 100
    assert first["extra_headers_evaluation_seconds_count"] == 100
    assert first["extra_headers_evaluation_seconds_sum"] == 50
    assert seconds < 1


def test_killed_while_it_merges(tmp_path: Path) -> None:
    """Whatever step the merging process is killed at, the next one counts everything once."""
    code = """
def stopping_at(number):
    def stopping(function):
        def step(*args, **kwargs):
            nonlocal number
            if number == 0: os.kill(os.getpid(), signal.SIGKILL)
            number -= 1
            return function(*args, **kwargs)
        return step
    def merge():
        for name in ("unlink", "replace"): setattr(os, name, stopping(getattr(os, name)))
        multiprocess.merge_dead_processes(directory)
        os._exit(0)
    return merge

steps, results = 0, []
while True:
    for _ in range(2): die_after(count)
    completed = die_after(stopping_at(steps)) == 0
    multiprocess.prepare_directory(directory)
    scraped = scrape()
    results.append([scraped["extra_headers_requests_total"], scraped["extra_headers_evaluation_seconds_sum"]])
    if completed: break
    steps += 1
print(json.dumps(results))
"""
    results = _run(tmp_path, code)

    assert len(results) > 8
    assert results == [[2 * i, i] for i in range(1, len(results) + 1)]


def test_a_live_worker_keeps_its_files(tmp_path: Path) -> None:
    """A process that is alive is not merged, and its policy is not forgotten; no /proc is needed to tell."""
    code = """
import pathlib
exists = pathlib.Path.exists
pathlib.Path.exists = lambda self: not self.is_relative_to("/proc") and exists(self)
die_after(count)
scrape()
print(json.dumps([sorted(name for name in os.listdir(directory) if name.endswith(".db")), os.getpid()]))
"""
    names, process = _run(tmp_path, code)

    live = [f"{kind}_{process}.db" for kind in ("counter", "gauge_livemax", "histogram")]
    assert names == sorted([*live, "counter_dead.db", "histogram_dead.db"])


def test_the_package_imports_without_fcntl() -> None:
    """What locks files is loaded where files are locked."""
    code = "import sys\nsys.modules['fcntl'] = None\nimport extra_headers.telemetry.recorder"
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - ours
