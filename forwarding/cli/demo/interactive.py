"""What `--keep` does: leaves the parts running, says how to try them, and shows what reaches the provider."""

import json
import shlex
import signal
from collections.abc import Mapping

from ...testing.otlp_receiver import OtlpReceiver
from ...testing.processes import OgxServer, ServerError
from ...testing.recording_provider import MODEL
from ..signals import Stopped
from .attack import Monitoring
from .reporter import Show
from .runner import Stage
from .scenarios import PROVIDER_DATA_HEADER, PROVIDER_ID, USER, USER_HEADER, provider_data

_POLL_SECONDS = 0.2

_TRIES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("a header that passes; watch it arrive below", {"X-Team": "blue"}),
    ("an override attempt: answered, without it", {"Authorization": "Bearer attacker", "X-Team": "blue"}),
    ("a malformed value: answered 400, and nothing arrives", {"X-Team": "blue\r\nX-Admin: yes"}),
)


def keep_running(  # noqa: PLR0913, PLR0917 - the parts that run
    stage: Stage,
    show: Show,
    server: OgxServer,
    receiver: OtlpReceiver,
    monitoring: Monitoring | None,
    command: str,
) -> None:
    """Print what can be tried, then each request that reaches the provider, until Ctrl-C.

    `command` is how a shell finds `extra-headers`.

    Raises:
        ServerError: the server ended.
        Stopped: another signal came.

    """
    metrics = f"http://127.0.0.1:{stage.metrics_port}/metrics"
    show.note("\nEverything keeps running until Ctrl-C:")
    parts = [
        ("OGX", server.url),
        ("provider", stage.upstream.base_url),
        ("metrics", metrics),
        ("OTLP", receiver.url),
        ("run config", str(server.config_path)),
        ("log", str(server.log_path)),
    ]
    if monitoring:
        parts += [("Prometheus", monitoring.prometheus.url), ("Alertmanager", monitoring.alertmanager.url)]
    for what, where in parts:
        show.note(f"  {what:<12} {where}")
    show.note("\nRequests to try in another terminal:")
    for purpose, headers in _TRIES:
        show.command(purpose, _curl(server.url, headers))
    show.command("the counters", [f"curl -s {metrics} | grep '^extra_headers_.*_total'"])
    explain = f"{command} explain {server.config_path} --provider {PROVIDER_ID}"
    show.command("what would be decided, and by which rule", [f"{explain} -H 'Authorization: Bearer attacker'"])
    show.command("the decisions as they are made", [f"{command} watch {metrics}"])
    if monitoring:
        show.command("the alerts", [f"curl -s {monitoring.alertmanager.url}/api/v2/alerts"])
    show.note("\nWaiting for requests; Ctrl-C ends the demo.")
    try:
        while server.is_running:
            for request in stage.upstream.take():
                if request.method == "POST":
                    show.arrival(stage.arrival(request))
            # Nobody looks at them any more, and the server exports every second.
            receiver.clear()
            stage.signals.sleep(_POLL_SECONDS)
    except Stopped as stopped:
        if stopped.number == signal.SIGINT:
            stage.signals.forget()  # the way it is meant to end
            return
        raise
    raise ServerError(f"the server ended:\n{server.last_lines}")


def _curl(url: str, headers: Mapping[str, str]) -> list[str]:
    """Return the lines of a command that sends a chat message with extra headers."""
    body = json.dumps({"model": f"{PROVIDER_ID}/{MODEL}", "messages": [{"role": "user", "content": "hi"}]})
    return [
        f"curl -sw '\\n' {url}/v1/chat/completions -H 'content-type: application/json'",
        f"-H {shlex.quote(f'{USER_HEADER}: {USER}')}",
        f"-H {shlex.quote(f'{PROVIDER_DATA_HEADER}: {provider_data(headers)}')}",
        f"-d {shlex.quote(body)}",
    ]
