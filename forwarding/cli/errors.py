"""The error of a command that was used rightly and failed all the same."""

import click


class CommandFailedError(click.ClickException):
    """Told as one message, with the command's name before it; exit code 1."""

    def __init__(self, context: click.Context, message: str) -> None:
        super().__init__(message)
        self.ctx = context
