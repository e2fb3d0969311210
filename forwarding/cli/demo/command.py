"""`extra-headers demo`."""

from importlib.util import find_spec
from typing import override

import click

from ..errors import CommandFailedError

_STOPPED = "extra-headers demo: stopped, and nothing is left running"


class _Port(click.ParamType[int]):
    name = "port"

    @override
    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        port = int(text) if (text := str(value)).isascii() and text.isdigit() else 0
        if not 1 <= port <= 65535:
            self.fail(f"{text!r} is no port; give a number from 1 to 65535", param, ctx)
        return port


@click.command(epilog="Exits with 0 only if everything went as the story says.")
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C, with requests to try.")
@click.option("--port", type=_Port(), default=8321, show_default=True, help="Of the OGX server.")
@click.option("--upstream-port", type=_Port(), default=9001, show_default=True, help="Of the model provider.")
@click.option("--metrics-port", type=_Port(), default=9464, show_default=True, help="Of the server's metrics.")
@click.option("--prometheus", is_flag=True, help="Then attack under a real Prometheus, until an alert fires.")
@click.option("--prometheus-port", type=_Port(), help="Of Prometheus, with --prometheus.  [default: any free one]")
@click.option("--alertmanager-port", type=_Port(), help="Of Alertmanager, likewise.  [default: any free one]")
@click.pass_context
def demo(  # noqa: PLR0913 - the command's options
    context: click.Context,
    *,
    keep: bool,
    port: int,
    upstream_port: int,
    metrics_port: int,
    prometheus: bool,
    prometheus_port: int | None,
    alertmanager_port: int | None,
) -> int:
    """See it work: a real OGX server, friendly and hostile callers.

    For each call it shows what the caller sent, what was decided and why, and what the model provider, a stand-in that
    records every byte, really received; then the counters and a span. It takes about ten seconds. Everything runs on
    loopback and in a temporary directory, and ends with the demo.

    It needs OGX: pip install 'extra-headers-forwarding[ogx]'

    With --prometheus, a real Prometheus and Alertmanager then watch an attack, with the generated rules at shortened
    windows, until ExtraHeadersBlockedSpike fires: about twenty seconds more. On Debian they come with:
    apt-get install prometheus prometheus-alertmanager

    \b
    Example, where port 8321 is taken:
      extra-headers demo --port 8400
    """  # noqa: D301 - click looks for the character itself
    from ...testing import monitoring, processes  # noqa: PLC0415 - too slow for `--help`
    from .. import signals  # noqa: PLC0415 - too slow for `--help`
    from . import ports  # noqa: PLC0415 - too slow for `--help`

    if find_spec("ogx") is None:
        raise CommandFailedError(
            context,
            "the demo runs an OGX server, and OGX is not installed here; "
            "install it with: pip install 'extra-headers-forwarding[ogx]'",
        )
    try:
        from . import reporter, run  # noqa: PLC0415 - too slow for `--help`

        programs = monitoring.find_programs() if prometheus else None
        listen = ports.Ports(port, upstream_port, metrics_port, prometheus_port, alertmanager_port)
        as_told = run.run(listen, reporter.Show(reporter.make_console()), keep=keep, programs=programs)
    except (ports.PortError, monitoring.MissingProgramError) as error:
        raise click.UsageError(str(error), context) from None
    except processes.ServerError as error:
        raise CommandFailedError(context, str(error)) from None
    except signals.Stopped as stopped:
        click.echo(_STOPPED, err=True)
        return stopped.exit_code
    if keep:
        click.echo(_STOPPED, err=True)
    return 0 if as_told else 1
