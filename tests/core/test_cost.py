"""What an evaluation costs, and that no name, value or entry of a policy can make it cost more than its size."""

import ast
import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extra_headers.forwarding import Limits, Policy, PolicyError, Reason, evaluate
from extra_headers.forwarding.policy import field_names
from extra_headers.forwarding.policy import matcher as matcher_module
from extra_headers.forwarding.policy.model import parse_policy
from extra_headers.forwarding.policy.provider_data import decode_object
from tests.core.helpers import DROP, reason
from tests.core.oracle import matching
from tests.core.strategies import law
from tests.core.test_names import TCHAR

_CORE = Path(__file__).parents[2] / "forwarding" / "policy"


class TestCost:
    """Counted in executed instructions, so that a busy machine makes no difference."""

    @staticmethod
    def instructions(action: Callable[[], object]) -> int:
        """Return how many bytecode instructions an action executes."""
        executed = 0

        def count(frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
            nonlocal executed
            frame.f_trace_opcodes = True
            executed += event == "opcode"
            return count

        earlier = sys.gettrace()
        sys.settrace(count)
        try:
            action()
        finally:
            sys.settrace(earlier)
        return executed

    @pytest.mark.parametrize(
        "make",
        [
            lambda n: {f"X-{i}": "v" for i in range(n)},
            lambda n: {f"{'X' if i % 2 else 'x'}-{i // 2}": "v" for i in range(n)},
            lambda n: {f"a b{i}": "v" for i in range(n)},
            lambda n: {f"X-Forwarded-{i}": "\n" for i in range(n)},
            lambda n: {f"X-{i}": i for i in range(n)},
            lambda n: decode_object("{" + ",".join(['"X-A": "v"'] * n) + "}"),
        ],
        ids=["clean", "pairs of duplicates", "no tokens", "blocked", "wrong type", "equal JSON keys"],
    )
    def test_is_linear_in_the_number_of_headers(self, make: Callable[[int], object]) -> None:
        """Four times the headers, at most about four times the work; beyond the limit, twice for twice."""

        def cost(headers: int) -> int:
            # A policy of its own, for which no name is remembered yet.
            policy = Policy(limits=Limits(max_headers=1024), block=(f"x-{headers}-{id(make)}",))
            made = make(headers)
            return self.instructions(lambda: evaluate(made, policy))

        assert cost(800) < 4.5 * cost(200)
        assert cost(2400) < 2.25 * cost(1200)

    def test_of_too_many_names_none_is_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a provider-data header of 64 KiB can hold costs a count: no name is checked, compared or remembered."""
        looked_at: list[str] = []
        for function in ("is_token", "normalize_name"):
            monkeypatch.setattr(matcher_module, function, looked_at.append)
        policy = Policy(block=("x-of-this-test-*",))
        found = evaluate({f"X-{i}": "v" for i in range(4500)}, policy)

        assert looked_at == []
        assert {(d.reason, d.name) for d in found.decisions} == {(Reason.TOO_MANY, None)}
        assert len({id(decision) for decision in found.decisions}) <= 4
        assert matcher_module.matcher(policy, frozenset()).sizes == (0, 0)

    def test_does_not_grow_with_the_length_of_a_value(self) -> None:
        """A value is looked at by the interpreter's own loops only, and no longer than its limit."""
        short, long, huge = ({"X-A": "v" * length} for length in (1, 4096, 1_000_000))
        evaluate(short, DROP)  # The name is remembered from here on.
        assert self.instructions(lambda: evaluate(short, DROP)) == self.instructions(lambda: evaluate(long, DROP))
        assert self.instructions(lambda: evaluate(huge, DROP)) < 2 * self.instructions(lambda: evaluate(short, DROP))

    def test_checking_a_policy_is_linear_in_its_entries(self) -> None:
        """An allow list of thousands of tenants does not hold up the start of a server."""

        def check(entries: int) -> Policy:
            return Policy(
                allow=tuple(f"x-a-{i:04}" for i in range(entries)), block=tuple(f"x-b-{i:04}" for i in range(entries))
            )

        assert self.instructions(lambda: check(400)) < 4.5 * self.instructions(lambda: check(100))

    @pytest.mark.parametrize("name", ["x", "X-Forwarded-", "a+", "-_.", "x" * 500 + " "])
    def test_does_not_grow_with_the_length_of_a_name(self, name: str) -> None:
        """One loop of the interpreter's own over the characters, whatever they are."""
        policy = Policy(limits=Limits(max_name_bytes=1024), on_malformed="drop", block=("x-cost-*", "a-*"))
        evaluate({"x": "v"}, policy)  # The policy is remembered from here on.

        def cost(length: int) -> int:
            headers = {name.ljust(length, name[-1]): "v"}
            return self.instructions(lambda: evaluate(headers, policy))

        assert cost(1000) == cost(600)

    def test_does_not_grow_with_the_entries_of_a_policy(self) -> None:
        """A name that no entry matches is looked up once, and compared with all prefixes in one call."""

        def cost(entries: int) -> int:
            policy = Policy(allow=("x-c-*",), block=tuple(f"x-b-{i:04}-*" for i in range(entries)))
            evaluate({"X-C-First": "v"}, policy)
            return self.instructions(lambda: evaluate({"X-C-Second": "v"}, policy))

        assert cost(10) == cost(1000)


class TestPatterns:
    """Entries of a policy are names and starts of names, never regular expressions."""

    @law
    @given(st.text(TCHAR, min_size=1, max_size=6), st.text(TCHAR, min_size=1, max_size=8))
    def test_every_character_of_an_entry_stands_for_itself(self, entry: str, name: str) -> None:
        """Also where a regular expression gives it a meaning: `.`, `+`, `|`, `^`, `$`, and `*` but for the last one."""
        try:
            policy = parse_policy({"block": [f"x-{entry}"]}, "a generated provider")
        except PolicyError:
            return
        for sent in (f"x-{name}", f"x-{entry}", f"X-{entry}{name}"):
            blocked = matching([f"x-{entry}"], sent)
            assert (reason(sent, policy=policy) is Reason.OPERATOR) == blocked

    @pytest.mark.parametrize(
        "entry",
        [
            "(a+)+$",
            "^(x|xx)*$",
            "x-[a-z]+",
            "x-.{1,9}",
            "x-\\d",
            "(?i)x-a",
            "(?#)",
            "x-a?",
            "x-a{9999}",
            "x-(?=a)",
            "x-\n",
        ],
    )
    @pytest.mark.parametrize("field", ["allow", "block", "unblock"])
    def test_an_entry_that_is_a_regular_expression_is_refused(self, field: str, entry: str) -> None:
        """When the server starts, whichever list it stands in."""
        with pytest.raises(PolicyError, match=r"can never match|only one `\*`|only a single header name"):
            parse_policy({field: [entry]}, "a provider")

    def test_the_one_regular_expression_cannot_backtrack(self) -> None:
        """It is one class of characters, repeated: nothing to try again, however the name ends."""
        parser: Any = importlib.import_module("re._parser")
        ((operation, (_, _, repeated)),) = parser.parse(field_names._TOKEN.pattern)
        ((inner, _),) = repeated
        assert (str(operation), str(inner)) == ("MAX_REPEAT", "IN")

    def test_there_is_no_other_one(self) -> None:
        """No module that sees a name, a value or an entry uses another; `identity` reads templates, at the start."""
        importing = {
            path.stem
            for path in _CORE.glob("*.py")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
            and ("re" in {alias.name for alias in node.names} or getattr(node, "module", "") in {"re", "fnmatch"})
        }
        used = {module: re.findall(r"\bre\.(\w+)", (_CORE / f"{module}.py").read_text()) for module in importing}
        assert used == {"field_names": ["ASCII", "compile"], "identity": ["compile"]}
