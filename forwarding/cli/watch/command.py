"""`extra-headers watch`."""

import os
import sys

import click

_DEFAULT = "127.0.0.1:9464"


@click.command(
    epilog="Ends with Ctrl-C, or with --once after one reading: exit code 0, or 1 if an endpoint could not be read."
)
@click.argument("urls", metavar="[URL]...", nargs=-1)
@click.option(
    "--interval", type=click.IntRange(1, 3600), default=2, show_default=True, help="Seconds between two readings."
)
@click.option("--once", is_flag=True, help="Print the result of one reading and exit.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: one object on one line for each reading.",
)
@click.pass_context
def watch(context: click.Context, *, urls: tuple[str, ...], interval: int, once: bool, style: str) -> int:
    """Watch the decisions of running servers, without Prometheus or Grafana.

    Reads the metrics endpoint at URL, or HOST:PORT for http://HOST:PORT/metrics. The default is that of an OGX server
    on this machine. Shows the number of decisions, the rules and entries that block most, the last attempt to override
    a header, the active policy of each provider, and the decisions on which a shadow policy differs.

    Several URLs are replicas of one server: their numbers are added up, endpoints that are down are counted, and
    policies that differ are marked. In a pipe, the command prints a block of lines for each reading.

    \b
    Examples:
      extra-headers watch
      extra-headers watch 10.0.0.1:9464 10.0.0.2:9464
      extra-headers watch --once | grep override-attempt
      extra-headers watch --once --format json | jq .endpoints_down
    """  # noqa: D301 - click looks for the character itself
    from ..signals import Stopped  # noqa: PLC0415 - too slow for `--help`
    from . import run, scrape  # noqa: PLC0415 - too slow for `--help`

    try:
        checked = [scrape.metrics_url(url) for url in urls or (_DEFAULT,)]
    except scrape.BadUrlError as error:
        raise click.UsageError(str(error), context) from None
    if twice := next((url for url in checked if checked.count(url) > 1), None):
        raise click.UsageError(f"{twice} is given twice and would be counted twice", context)
    try:
        return 0 if run.watch(checked, interval, once=once, as_json=style == "json") else 1
    except Stopped as stopped:
        return stopped.exit_code
    except BrokenPipeError:
        # The reader of our output is gone, and Python would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
