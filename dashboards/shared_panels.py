"""Panels that both dashboards use."""

from extra_headers.forwarding.policy.decision import DecisionKind, Outcome
from extra_headers.forwarding.policy.identity import IdentityHeaderResult
from extra_headers.telemetry import contract

from .panels import (
    DECISION_COLOURS,
    GROUP_COLOURS,
    NEUTRAL,
    NO_METRICS,
    NO_REQUESTS,
    OUTCOME_COLOURS,
    REASON_COLOURS,
    REASON_GROUPS,
    Panel,
    PanelOptions,
    Query,
    timeseries,
)
from .promql import (
    DEPLOYMENT,
    JOB,
    NOT_FORWARDED,
    SERVER_REQUESTS,
    decision,
    firing_alerts,
    increase,
    one_of,
    per_second,
    server_requests,
    server_selector,
)
from .recording_rules import BLOCKED_NAMES_FROM_ZERO
from .tables import Column, organize, table
from .tuning import AlertName, Severity, Tuning
from .variables import RUNBOOK_LINK, cell_link

_PROVIDER = contract.LABEL_PROVIDER
_REASON = contract.LABEL_REASON
_HEADER = contract.LABEL_HEADER
_DECISIONS = contract.DECISIONS_TOTAL
_TUNING = Tuning()


def active_alerts() -> Panel:
    """Return the alerts that are pending or firing."""
    shown = ("alertname", "alertstate", "severity", _PROVIDER, *DEPLOYMENT, _REASON, _HEADER)
    return table(
        PanelOptions(
            title="Active alerts",
            description=(
                "Pending and firing alerts on the chosen servers (ALERTS, which Prometheus writes for its rules). An "
                "alert's name opens its runbook, a provider opens its detail."
            ),
            unit="short",
            empty="No alert is pending or firing.",
            width=24,
            height=8,
        ),
        Query(expr=f"group by ({', '.join(shown)}) ({firing_alerts()})"),
        organize(shown, hidden=("Value",), alertname="alert", alertstate="state"),
        columns=[
            Column(name="alert", link=RUNBOOK_LINK, width=360),
            Column(name="state", colours={"firing": "red", "pending": "orange"}, width=120),
            Column(
                name="severity",
                colours={Severity.CRITICAL: "red", Severity.WARNING: "orange", Severity.INFO: "blue"},
                width=120,
            ),
            Column(name=_PROVIDER, link=cell_link(_PROVIDER)),
        ],
    )


def decisions_over_time() -> Panel:
    """Return decisions by kind."""
    kind = contract.LABEL_DECISION
    return timeseries(
        PanelOptions(
            title="Decisions",
            description=(
                f"Extra headers per second by decision ({_DECISIONS}). If forwarded falls while blocked or malformed "
                "rises, a policy or a client changed at that moment."
            ),
            unit="cps",
            empty=NO_METRICS,
        ),
        Query(expr=per_second(_DECISIONS, by=(kind,)), legend=f"{{{{{kind}}}}}"),
        stacked=True,
        colours=DECISION_COLOURS,
    )


def stopped_by_group() -> Panel:
    """Return blocked and malformed headers by group of reasons."""
    return timeseries(
        PanelOptions(
            title="Stopped headers by kind of reason",
            description=(
                f"Blocked and malformed headers per second ({_DECISIONS}), their reasons in groups; the table of "
                "reasons has the detail. Red and yellow look like attacks, blue is the operator's policy, grey is what "
                "clients send without thinking. Points are exemplars: each opens the trace of one request."
            ),
            unit="cps",
            empty=NO_METRICS,
            alert=AlertName.ENUMERATION,
        ),
        *group_queries(_DECISIONS, NOT_FORWARDED, label=_REASON, exemplars=True),
        stacked=True,
        colours=GROUP_COLOURS,
    )


def group_queries(metric: str, *matchers: str, label: str, exemplars: bool = False) -> list[Query]:
    """Return one query for each group of reasons."""
    return [
        Query(
            expr=per_second(metric, *matchers, f'{label}=~"{one_of(*reasons)}"'),
            legend=group,
            exemplars=exemplars,
        )
        for group, reasons in REASON_GROUPS.items()
    ]


def stopped_by_provider(kind: DecisionKind, alert: str) -> Panel:
    """Return blocked or malformed headers by provider, with the line that the alert on a spike needs at least."""
    stopped = decision(kind)
    return timeseries(
        PanelOptions(
            title=f"{kind.value.capitalize()} headers by provider, and a day before",
            description=(
                f"{kind.value.capitalize()} headers per second by provider ({_DECISIONS}); dashed: all of them at the "
                f"same time the day before. The red line is the floor of {alert}, which ignores client noise "
                "and also compares with the baseline. A step without a deployment is a caller who changed: see the "
                "reasons and names."
            ),
            unit="cps",
            empty=NO_METRICS,
            alert=alert,
        ),
        Query(expr=per_second(_DECISIONS, stopped, by=(_PROVIDER,)), legend=f"{{{{{_PROVIDER}}}}}", exemplars=True),
        Query(expr=per_second(_DECISIONS, stopped, offset="1d"), legend="all, a day before", dashed=True),
        alert_lines={"red": _TUNING.floor / _TUNING.window},
    )


def reasons() -> Panel:
    """Return stopped headers by reason and provider."""
    return table(
        PanelOptions(
            title="Reasons by provider",
            description=(
                f"Headers that were not forwarded in the time range, by reason and provider ({_DECISIONS}). If one "
                "provider differs, look at its policy and its clients; if all do, a new client is the likely cause."
            ),
            unit="locale",
            empty="Nothing was blocked or malformed in this range.",
            height=11,
        ),
        Query(expr=f"{increase(_DECISIONS, NOT_FORWARDED, by=(_PROVIDER, _REASON))} > 0"),
        (
            "groupingToMatrix",
            {"columnField": _PROVIDER, "rowField": _REASON, "valueField": "Value", "emptyValue": "zero"},
        ),
        ("organize", {"renameByName": {f"{_REASON}\\{_PROVIDER}": _REASON}}),
        columns=[Column(name=_REASON, colours=REASON_COLOURS)],
    )


def top_blocked_names() -> Panel:
    """Return the names that were blocked most, with their reasons."""
    by, listed = (_HEADER, _REASON), f'{_HEADER}!="{contract.OTHER_HEADER}"'
    # The counter itself, where the recording rules are not installed; it lacks the first event of each series.
    counters = (BLOCKED_NAMES_FROM_ZERO, contract.BLOCKED_NAMES_TOTAL)
    counted = " or ".join(increase(counter, listed, by=by) for counter in counters)
    return table(
        PanelOptions(
            title="Top blocked names",
            description=(
                f"The ten names blocked most in the time range ({contract.BLOCKED_NAMES_TOTAL}): rules of the core "
                "blocklist, entries of the policy and headers of the outbound request. Names that nobody listed are "
                "in the table of reasons, as not_allowed. Credentials here mean a misconfigured client or an attack."
            ),
            unit="locale",
            empty="No header was blocked by name in this range.",
            height=11,
        ),
        Query(expr=f"topk(10, {counted})"),
        organize((_HEADER, _REASON, "Value"), Value="times"),
        columns=[Column(name=_REASON, colours=REASON_COLOURS)],
        sort_by="times",
    )


def stopped_requests() -> Panel:
    """Return the share of requests that were filtered or rejected."""
    result = contract.LABEL_OUTCOME
    stopped = f'{result}=~"{one_of(Outcome.FILTERED, Outcome.REJECTED)}"'
    return timeseries(
        PanelOptions(
            title="Requests filtered or rejected",
            description=(
                f"Share of the requests with extra headers that lost some of them (filtered) or were refused "
                f"(rejected) ({contract.REQUESTS_TOTAL}). Rejected ones above the orange line are where "
                f"{AlertName.REJECTING_SOME_CALLERS} begins, above the red line {AlertName.REJECTING_CALLERS}. If "
                "the share rises with a change of the policy, loosen it, or set on_blocked or on_malformed to drop "
                "while callers adapt."
            ),
            unit="percentunit",
            empty=NO_REQUESTS,
            alert=AlertName.REJECTING_CALLERS,
        ),
        Query(
            expr=(
                f"{per_second(contract.REQUESTS_TOTAL, stopped, by=(result,))}\n"
                f"/ ignoring ({result}) group_left ()\n"
                f"{per_second(contract.REQUESTS_TOTAL)}"
            ),
            legend=f"{{{{{result}}}}}",
        ),
        most=1,
        alert_lines={"orange": _TUNING.rejected_some_percent / 100, "red": _TUNING.rejected_percent / 100},
        colours=OUTCOME_COLOURS,
    )


def all_requests() -> Panel:
    """Return the requests with extra headers, compared with all requests to the servers."""
    return timeseries(
        PanelOptions(
            title="Requests with extra headers, of all requests",
            description=(
                f"Requests per second: all that the server counts itself ({SERVER_REQUESTS[0]}, or the same of "
                f"llama-stack and LiteLLM), and those with extra headers ({contract.REQUESTS_TOTAL}). The choice of a "
                "provider applies to the second only. If the second falls and the first does not, a client stopped "
                "sending its headers."
            ),
            unit="reqps",
            empty=NO_METRICS,
        ),
        Query(expr=server_requests(), legend="all requests"),
        Query(expr=per_second(contract.REQUESTS_TOTAL), legend="with extra headers"),
        colours={"all requests": NEUTRAL, "with extra headers": "blue"},
    )


def unread_fields() -> Panel:
    """Return the keys of provider data that callers meant for the add-on and that no provider reads."""
    return timeseries(
        PanelOptions(
            title="Fields that no provider reads",
            description=(
                "Keys per second of provider data that look like extra headers and that no provider reads "
                f"({contract.UNREAD_FIELDS_TOTAL}): a misspelt key, another host's header, or a provider without the "
                "flag. Callers get no error, and their headers are not sent. The red line is where "
                f"{AlertName.UNREAD_FIELDS} begins."
            ),
            unit="cps",
            empty=NO_METRICS,
            alert=AlertName.UNREAD_FIELDS,
        ),
        Query(
            expr=f"sum by ({JOB}) (rate({server_selector(contract.UNREAD_FIELDS_TOTAL)}[$__rate_interval]))",
            legend=f"{{{{{JOB}}}}}",
        ),
        alert_lines={"red": _TUNING.unread_fields / _TUNING.slow_window},
    )


def identity_headers(width: int) -> Panel:
    """Return the results of the headers that the policy adds from the authenticated user."""
    header, result, sent = contract.LABEL_HEADER, contract.LABEL_RESULT, IdentityHeaderResult.SENT.value
    return timeseries(
        PanelOptions(
            title="Identity headers",
            description=(
                "Headers per second that the policy's `set` adds from the authenticated user "
                f"({contract.IDENTITY_HEADERS_TOTAL}), by result; all that were sent in one line. Omitted or rejected "
                "means that the user lacks the value: find the user in the audit log, and check the server's auth "
                "provider."
            ),
            unit="cps",
            empty="No chosen provider's policy sets a header.",
            width=width,
            alert=AlertName.IDENTITY_MISSING,
        ),
        Query(expr=per_second(contract.IDENTITY_HEADERS_TOTAL, f'{result}="{sent}"'), legend=sent),
        Query(
            expr=per_second(contract.IDENTITY_HEADERS_TOTAL, f'{result}!="{sent}"', by=(header, result)),
            legend=f"{{{{{header}}}}} {{{{{result}}}}}",
        ),
        colours={sent: "green"},
    )
