"""The panels of the evaluation time on a Prometheus that stores the histogram in its native form only.

prometheus-client has no native histograms, so the test writes one by remote write: protobuf and snappy, both in their
simplest form.
"""

import math
import struct
import time
import urllib.request
from pathlib import Path

from extra_headers.dashboards.tuning import Tuning
from extra_headers.telemetry import contract
from tests.dashboards.documents import targets
from tests.dashboards.stack import Prometheus, Stack, wait_for
from tests.dashboards.test_live_panels import _numbers, _with_variables

_LABELS = {"__name__": contract.EVALUATION_SECONDS, "instance": "a:1", "job": "ogx", contract.LABEL_PROVIDER: "vllm"}
_SCHEMA = 0
"""Each bucket ends at twice the bound of the one before."""


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _integer(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _signed(field: int, number: int) -> bytes:
    return _integer(field, number << 1 if number >= 0 else -(number << 1) - 1)


def _double(field: int, number: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", number)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _write(prometheus: Prometheus, count: int) -> None:
    """Write that so many evaluations took 30 microseconds each (prompb/types.proto of Prometheus has the fields)."""
    bucket = math.ceil(math.log2(30e-6))
    span = _signed(1, bucket) + _integer(2, 1)
    deltas = _varint(count << 1)
    histogram = (
        _integer(1, count)
        + _double(3, count * 30e-6)
        + _signed(4, _SCHEMA)
        + _double(5, 1e-9)
        + _integer(6, 0)
        + _message(11, span)
        + _message(12, deltas)
        + _integer(15, int(time.time() * 1000))
    )
    labels = b"".join(
        _message(1, _message(1, k.encode()) + _message(2, v.encode())) for k, v in sorted(_LABELS.items())
    )
    body = _message(1, labels + _message(4, histogram))
    # Snappy: the length, then one literal with a length of two bytes.
    compressed = _varint(len(body)) + bytes([61 << 2]) + (len(body) - 1).to_bytes(2, "little") + body
    url, headers = f"{prometheus.url}/api/v1/write", {"Content-Encoding": "snappy"}
    request = urllib.request.Request(url, compressed, headers, method="POST")  # noqa: S310 - loopback only
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback only
        answer.read()


def test_panels_show_a_native_histogram(tmp_path: Path) -> None:
    """Each query of the evaluation time returns numbers; the median is in the bucket that was written."""
    queries = [target for target in targets() if contract.EVALUATION_SECONDS in target.expr]
    options = ("--web.enable-remote-write-receiver", "--enable-feature=native-histograms")
    with Stack(tmp_path) as stack:
        prometheus = stack.prometheus(tuning=Tuning(), options=options)
        written = iter(range(100, 100_000, 100))

        def results() -> list[list[dict[str, object]]]:
            _write(prometheus, next(written))
            found = [prometheus.query(_with_variables(target.expr)) for target in queries]
            return found if all(found) else []

        found = wait_for(results, "data in every panel")
    medians = [_numbers(result) for target, result in zip(queries, found, strict=True) if "0.5, " in target.expr]
    assert medians
    assert all(2**-16 <= number <= 2**-15 for (number,) in medians)
