"""The errors of a command that was used correctly and failed nevertheless."""

import click


class CommandFailedError(click.ClickException):
    """Reported as one message after the command's name."""

    def __init__(self, context: click.Context, message: str) -> None:
        super().__init__(message)
        self.ctx = context


class UnusableInputError(CommandFailedError):
    """What the command was given cannot be used."""

    exit_code = 2
