"""The directory in which several workers share their counters: safe on a full disk, and quick after many restarts.

prometheus-client maps a file for each process and kind of metric, and adds up the files of every process that ever
counted, which keeps totals exact when a worker dies.
"""

import contextlib
import errno
import glob
import json
import logging
import os
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_log = logging.getLogger(__name__)

_FILE_BYTES = {"counter": 1 << 20, "histogram": 1 << 16, "gauge_livemax": 1 << 16}
"""The files of the add-on's metrics, with room for some 3,500 counters: more than the callers of many providers can
lead to, whatever names they send."""
_ADDED_KINDS = ("counter", "histogram", "summary")
"""Kinds of metric whose values in several files add up to one."""
_JOURNAL = "extra_headers_merge.json"
_LOCK = "extra_headers_merge.lock"
_locks: list[int] = []
"""Descriptors of locks that are held until the process ends."""


def prepare_directory(directory: str) -> None:
    """Create the directory and this process's files in it, and forget the policies of processes that ended.

    Raises:
        OSError: the directory cannot be written, or has no room.

    """
    Path(directory).mkdir(parents=True, exist_ok=True)
    with _merge_lock(directory):
        _finish_merge(directory)
    _forget_dead_processes(directory)
    # In a container, a restarted server gets its old process id back, and with it the file of its old policy.
    mark_process_dead(os.getpid(), directory)  # type: ignore[no-untyped-call]
    _allocate_before_mapping()
    for kind, size in _FILE_BYTES.items():
        _allocate_file(os.path.join(directory, f"{kind}_{os.getpid()}.db"), size)  # noqa: PTH118
    for path in glob.glob(os.path.join(glob.escape(directory), f"*_{os.getpid()}.db")):  # noqa: PTH118, PTH207
        _allocate_file(path)  # of other metrics, mapped before the add-on was loaded


@cache
def _allocate_before_mapping() -> None:
    """Make prometheus-client allocate the blocks of a file before it maps them, for all metrics of this process.

    A write to a mapped block that the file system has no room for kills the process (SIGBUS). To get an
    error instead, the blocks must be there before. prometheus-client only sets the size of the file.
    """
    original_init, original_init_value = MmapedDict.__init__, MmapedDict._init_value  # noqa: SLF001 - see above

    def init(self: Any, filename: str, read_mode: bool = False) -> None:  # noqa: FBT001, FBT002 - the original's
        if not read_mode:
            _allocate_file(filename)
        original_init(self, filename, read_mode)  # type: ignore[no-untyped-call]

    def init_value(self: Any, key: str) -> None:
        needed = self._used + len(key.encode()) + 32  # the length, up to 8 bytes of padding, a value and its time
        capacity = self._capacity
        while needed > capacity:
            capacity *= 2
        if capacity > self._capacity:
            _allocate(self._f.fileno(), capacity)
        original_init_value(self, key)  # type: ignore[no-untyped-call]

    replaced: Any = MmapedDict
    replaced.__init__, replaced._init_value = init, init_value  # noqa: SLF001


def _allocate_file(path: str, size: int = 1 << 16) -> None:
    """Create a file of allocated zeros, or allocate the holes of one that exists.

    Raises:
        OSError: there is no room. A new file is then removed.

    """
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if existing := os.fstat(descriptor).st_size:
                _allocate(descriptor, existing)
                return
        finally:
            os.close(descriptor)
    new = f"{path}.{os.getpid()}.new"  # other processes read any *.db
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        _allocate(descriptor, size)
        os.replace(new, path)  # noqa: PTH105
    except OSError:
        os.unlink(new)  # noqa: PTH108
        raise
    finally:
        os.close(descriptor)


def _allocate(descriptor: int, size: int) -> None:
    """Allocate the blocks of a file up to a size, and extend it where it is shorter."""
    if hasattr(os, "posix_fallocate"):  # macOS has none
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
        else:
            return
    end = os.fstat(descriptor).st_size
    while end < size:
        end += os.pwrite(descriptor, bytes(size - end), end)


class LiveProcesses(MultiProcessCollector):
    """The sums over all processes, without the gauges of those that ended.

    The counter files of processes that ended are merged into one before each collection.
    """

    def __init__(self, registry: Any, directory: str) -> None:
        super().__init__(registry, directory)  # type: ignore[no-untyped-call]
        self._directory = directory
        self._collecting = threading.Lock()
        self._complained = False

    def collect(self) -> Any:
        """Return the metrics of all processes."""
        with self._collecting:
            _forget_dead_processes(self._directory)
            try:
                merge_dead_processes(self._directory)
            except Exception as error:
                if not self._complained:
                    self._complained = True
                    _log.warning("extra_headers: files of dead workers stay unmerged, scrapes get slower: %s", error)
            return super().collect()  # type: ignore[no-untyped-call]


def _forget_dead_processes(directory: str) -> None:
    for path, process in _files(directory, "gauge_live*"):
        if not _is_alive(process):
            mark_process_dead(process, os.path.dirname(path))  # type: ignore[no-untyped-call]  # noqa: PTH120


def merge_dead_processes(directory: str) -> None:
    """Merge the counters of processes that ended into one file for each kind of metric.

    A journal makes it exact: whatever moment this process is killed at, nothing is lost or counted twice.

    Raises:
        OSError: the directory cannot be written, or has no room; nothing is changed then.

    """
    for kind in _ADDED_KINDS:
        if not any(not _is_alive(process) for _, process in _files(directory, kind)):
            continue
        with _merge_lock(directory):
            _finish_merge(directory)
            dead = [path for path, process in _files(directory, kind) if not _is_alive(process)]
            merged = os.path.join(directory, f"{kind}_dead.db")  # noqa: PTH118
            new = f"{merged}.new"
            _write_sums(new, [path for path in (merged, *dead) if os.path.exists(path)])  # noqa: PTH110
            journal = os.path.join(directory, _JOURNAL)  # noqa: PTH118
            Path(f"{journal}.new").write_text(json.dumps({"merged": merged, "dead": dead}))
            os.replace(f"{journal}.new", journal)  # noqa: PTH105
            _finish_merge(directory)


def _write_sums(path: str, sources: Iterable[str]) -> None:
    sums: defaultdict[str, float] = defaultdict(float)
    for source in sources:
        if os.path.getsize(source):  # noqa: PTH202 - of a process that was killed before it counted anything
            for key, value, _, _ in MmapedDict.read_all_values_from_file(source):  # type: ignore[no-untyped-call]
                sums[key] += value
    Path(path).unlink(missing_ok=True)
    file = MmapedDict(path)  # type: ignore[no-untyped-call]
    try:
        for key, value in sums.items():
            file.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    finally:
        file.close()  # type: ignore[no-untyped-call]


def _finish_merge(directory: str) -> None:
    """Do what the journal says is still to do: remove the files that were merged, and put the sums in their place."""
    journal = Path(directory) / _JOURNAL
    if not journal.exists():
        return
    merge = json.loads(journal.read_text())
    for path in merge["dead"]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108
    with contextlib.suppress(FileNotFoundError):
        os.replace(f"{merge['merged']}.new", merge["merged"])  # noqa: PTH105
    os.unlink(journal)  # noqa: PTH108


def _files(directory: str, kind: str) -> Iterator[tuple[str, int]]:
    """Yield the files of a kind of metric with the ids of their processes."""
    for path in glob.glob(os.path.join(glob.escape(directory), f"{kind}_*.db")):  # noqa: PTH118, PTH207
        if found := re.search(r"_(\d+)\.db$", path):
            yield path, int(found[1])


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's, or no id at all
        return True
    return True


@contextmanager
def _merge_lock(directory: str) -> Iterator[None]:
    descriptor = _lock(os.path.join(directory, _LOCK))  # noqa: PTH118
    try:
        yield
    finally:
        os.close(descriptor)


def wait_for_turn(directory: str, name: str) -> None:
    """Wait until no other process has the lock of that name, and keep it until this process ends.

    Raises:
        OSError: the directory cannot be written.

    """
    _locks.append(_lock(os.path.join(directory, f"extra_headers_{name}.lock")))  # noqa: PTH118


def _lock(path: str) -> int:
    import fcntl  # noqa: PLC0415 - POSIX has it; the package can be imported without

    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor
