"""Takes PromQL apart with promql-parser: which series an expression selects, and in which functions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import promql_parser

# Durations that nobody would write, so that a range is recognized as the variable that it was.
RATE_INTERVAL = timedelta(seconds=7919)
RANGE = timedelta(seconds=104729)


def with_durations(expr: str) -> str:
    """Return the expression with Grafana's time variables replaced, so that it is PromQL."""
    replaced = expr.replace("$__rate_interval", f"{RATE_INTERVAL.seconds}s")
    return replaced.replace("$__range", f"{int(RANGE.total_seconds())}s")


@dataclass(slots=True)
class Selector:
    """One vector selector, where it stands."""

    metric: str
    matchers: list[tuple[str, str, str]]
    """Label, operator (`=`, `!=`, `=~`, `!~`) and value."""
    window: timedelta | None
    """The range in brackets."""
    function: str | None
    """The function that is called on the range."""


@dataclass(slots=True)
class Parsed:
    """What an expression refers to."""

    selectors: list[Selector] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    """Labels in by, without, on, ignoring and group clauses."""


_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def parse(expr: str) -> Parsed:
    """Parse PromQL with Grafana's time variables. Raises ValueError where it is not PromQL."""
    parsed = Parsed()
    for node, parents in _walk(promql_parser.parse(with_durations(expr)), ()):
        match node:
            case promql_parser.VectorSelector():
                parsed.selectors.append(_selector(node, parents))
            case promql_parser.AggregateExpr():
                if node.modifier is not None:
                    parsed.labels.update(node.modifier.labels)
            case promql_parser.BinaryExpr():
                if node.modifier is not None:
                    parsed.labels.update(node.modifier.matching.labels if node.modifier.matching else ())
                    parsed.labels.update(node.modifier.group_labels or ())
            case _:
                pass
    return parsed


def _selector(node: promql_parser.VectorSelector, parents: tuple[object, ...]) -> Selector:
    matrix = parents[-1] if parents and isinstance(parents[-1], promql_parser.MatrixSelector) else None
    call = parents[-2] if matrix and len(parents) > 1 and isinstance(parents[-2], promql_parser.Call) else None
    return Selector(
        node.name or "",
        [(m.name, _OPERATORS[str(m.op).rpartition(".")[2]], m.value) for m in node.matchers.matchers],
        matrix.range if matrix else None,
        call.func.name if call else None,
    )


def _walk(node: object, parents: tuple[object, ...]) -> Iterator[tuple[object, tuple[object, ...]]]:
    yield node, parents
    children: tuple[object, ...]
    match node:
        case promql_parser.BinaryExpr():
            children = (node.lhs, node.rhs)
        case promql_parser.AggregateExpr() | promql_parser.UnaryExpr() | promql_parser.ParenExpr():
            children = (node.expr,)
        case promql_parser.SubqueryExpr():
            children = (node.expr,)
        case promql_parser.Call():
            children = tuple(node.args)
        case promql_parser.MatrixSelector():
            children = (node.vector_selector,)
        case _:
            children = ()
    for child in children:
        yield from _walk(child, (*parents, node))
