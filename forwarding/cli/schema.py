"""`extra-headers schema`."""

import click

_EPILOG = """\b
Examples:
  extra-headers schema
  extra-headers schema > extra-headers.schema.json
"""


@click.command(epilog=_EPILOG)
def schema() -> None:
    """Print the JSON Schema of `extra_headers`, for editors.

    It describes the value of `extra_headers` in a provider's config, in draft 2020-12. What entries make no sense
    together, only `extra-headers check` knows.
    """
    from .json_schema import render  # noqa: PLC0415 - too slow for `--help`

    click.echo(render(), nl=False)
