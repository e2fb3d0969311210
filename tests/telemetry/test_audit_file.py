"""The add-on's own audit file: whole lines, whatever rotates it, fills its disk, removes its folder or shares it."""

import json
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.util.types import AttributeValue

from extra_headers.telemetry import contract
from extra_headers.telemetry.audit_sinks import AuditRecord, LineSink, json_line


def _record(number: int = 0, writer: str = "w") -> AuditRecord:
    attributes: dict[str, AttributeValue] = {
        contract.ATTR_PROVIDER: writer,
        contract.ATTR_SUPPRESSED: number,
        contract.ATTR_STOPPED_NAMES: [f"X-{number}"] * 32,
    }
    return AuditRecord(1_700_000_000_000_000_000, warning=True, attributes=attributes, context=None)


def _numbers(path: Path) -> list[int]:
    return [json.loads(line)[contract.ATTR_SUPPRESSED] for line in path.read_text().splitlines()]


def _reported(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


class TestRotation:
    """The file has another inode, or another length, than at the last record."""

    def test_a_file_that_was_moved_away(self, tmp_path: Path) -> None:
        """As logrotate does with `create`, or anybody without: the next record is in a new file, and none is lost."""
        path = tmp_path / "audit.jsonl"
        sink = LineSink(str(path))
        sink.write(_record(1))
        path.rename(tmp_path / "audit.1")
        sink.write(_record(2))
        path.rename(tmp_path / "audit.2")
        path.touch()
        sink.write(_record(3))

        assert [_numbers(tmp_path / name) for name in ("audit.1", "audit.2", "audit.jsonl")] == [[1], [2], [3]]

    def test_a_file_that_was_emptied(self, tmp_path: Path) -> None:
        """As logrotate does with `copytruncate`: the next record is at the start, without a hole before it."""
        path = tmp_path / "audit.jsonl"
        sink = LineSink(str(path))
        sink.write(_record(1))
        os.truncate(path, 0)
        sink.write(_record(2))

        assert path.read_bytes() == json_line(_record(2))

    def test_no_descriptor_is_left_open(self, tmp_path: Path) -> None:
        """A thousand rotations end with one open file."""
        sink = LineSink(str(tmp_path / "audit"))
        before = len(list(Path("/dev/fd").iterdir()))
        for number in range(1000):
            sink.write(_record(number))
            (tmp_path / "audit").unlink()

        assert len(list(Path("/dev/fd").iterdir())) == before


class TestFaults:
    """What goes wrong costs records and one line of the log, never a request."""

    def test_a_full_disk(self, caplog: pytest.LogCaptureFixture) -> None:
        """Every write fails with ENOSPC: nothing is raised, and one line says so."""
        sink = LineSink("/dev/full")
        for number in range(100):
            sink.write(_record(number))

        (message,) = _reported(caplog)
        assert message == (
            "extra_headers: audit log /dev/full cannot be written, requests are not affected: No space left on device"
        )

    def test_a_disk_that_fills_within_a_line(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """The rest of that line is lost, the next record starts a line of its own, and the loss is counted."""
        path = tmp_path / "audit.jsonl"
        sink = LineSink(str(path))
        sink.write(_record(1))
        line = len(json_line(_record(1)))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (line + line // 2, hard))
            for number in (2, 3, 4):
                sink.write(_record(number))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, handler)
        sink.write(_record(5))

        first, torn, last = path.read_bytes().splitlines(keepends=True)
        assert (first, last) == (json_line(_record(1)), json_line(_record(5)))
        assert json_line(_record(2)).startswith(torn.removesuffix(b"\n"))
        failed, again = _reported(caplog)
        assert "cannot be written" in failed
        assert again.endswith("can be written again; 3 records were lost")

    def test_a_directory_that_goes_and_comes_back(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """While it is gone, records are lost and counted; then they are written again."""
        directory = tmp_path / "logs"
        sink = LineSink(str(directory / "audit.jsonl"))
        sink.write(_record(1))
        directory.mkdir()
        sink.write(_record(2))
        (directory / "audit.jsonl").unlink()
        directory.rmdir()
        sink.write(_record(3))
        sink.write(_record(4))
        directory.mkdir()
        sink.write(_record(5))

        assert _numbers(directory / "audit.jsonl") == [5]
        assert [
            message.partition(" records")[0].rpartition("; ")[2] for message in _reported(caplog) if "again" in message
        ] == ["1", "2"]
        assert sum("cannot be written" in message for message in _reported(caplog)) == 2

    def test_a_named_pipe_without_a_reader(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Opening it does not wait, and writing more than it takes does not wait."""
        path = tmp_path / "pipe"
        os.mkfifo(path)
        sink = LineSink(str(path))
        sink.write(_record(1))
        assert len(_reported(caplog)) == 1

        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        for number in range(1000):
            sink.write(_record(number))
        received = os.read(reader, 1 << 20)
        os.close(reader)

        lines = received.splitlines()
        assert [json.loads(line)[contract.ATTR_SUPPRESSED] for line in lines] == list(range(len(lines)))
        assert 10 < len(lines) < 1000

    def test_no_line_of_the_log_shows_a_record(self, caplog: pytest.LogCaptureFixture) -> None:
        """Not even when debugging."""
        caplog.set_level(logging.DEBUG)
        LineSink("/dev/full").write(_record(7))

        assert "X-7" not in caplog.text


# Processes that load the same once.
_WRITERS = """
import os, sys
from tests.telemetry.test_audit_file import _record
from extra_headers.telemetry.audit_sinks import LineSink

writers = []
for name in "0123":
    if (writer := os.fork()) == 0:
        sink = LineSink(sys.argv[1])
        for number in range(300):
            sink.write(_record(number, name))
        os._exit(0)
    writers.append(writer)
sys.exit(sum(os.waitpid(writer, 0)[1] for writer in writers))
"""


class TestSeveralWriters:
    """Threads and processes append to one file."""

    def test_threads(self, tmp_path: Path) -> None:
        """Every line is whole and there once, while the file is rotated all the time."""
        path = tmp_path / "audit.jsonl"
        sink = LineSink(str(path))

        def write(writer: int) -> None:
            for number in range(500):
                sink.write(_record(number, str(writer)))

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
        for thread in threads:
            thread.start()
        rotated = 0
        while any(thread.is_alive() for thread in threads):
            if path.exists():
                rotated += 1
                path.rename(tmp_path / f"audit.{rotated}")
        for thread in threads:
            thread.join()

        lines = [json.loads(line) for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
        seen = Counter((line[contract.ATTR_PROVIDER], line[contract.ATTR_SUPPRESSED]) for line in lines)
        assert seen == {(str(writer), number): 1 for writer in range(8) for number in range(500)}
        assert rotated > 1

    @pytest.mark.parametrize("where", ["file", "pipe"])
    def test_processes(self, tmp_path: Path, where: str) -> None:
        """Lines of several processes are never mixed: neither in a file, nor on a standard error that they share."""
        path = tmp_path / "audit.jsonl"
        target = str(path) if where == "file" else "stderr"
        done = subprocess.run([sys.executable, "-c", _WRITERS, target], stderr=subprocess.PIPE, check=True)  # noqa: S603 - ours

        lines = (path.read_bytes() if where == "file" else done.stderr).splitlines()
        records = [json.loads(line) for line in lines]
        seen = Counter((record[contract.ATTR_PROVIDER], record[contract.ATTR_SUPPRESSED]) for record in records)
        assert seen == {(str(name), number): 1 for name in range(4) for number in range(300)}
