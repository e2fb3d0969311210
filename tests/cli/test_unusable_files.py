"""Files that are not a run config are answered with one sentence, exit code 2, and nothing from the file."""

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, Write

_SECRET = "sk-canary"
_UNREADABLE = "is not YAML that OGX can read: invalid character, number or date"

_EXPANDED = "is larger than 1 MiB with its aliases (`*name`) expanded; repeat less"


def _bomb(values: str, repeated: str) -> str:
    """Return 30 values, each of which repeats the one before nine times, and a provider that uses the last."""
    lines = [f"a0: &a0 {values}"]
    lines += [f"a{i}: &a{i} {repeated.format(*[f'*a{i - 1}'] * 9)}" for i in range(1, 30)]
    return "\n".join([*lines, "providers: {inference: [{provider_id: a, config: {extra_headers: *a29}}]}\n"])


UNUSABLE: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty; a run config is a YAML mapping"),
    "only a comment": ("# nothing\n", "is empty"),
    "a list": ("- a\n", "is not a run config: a YAML mapping"),
    "a word": (_SECRET, "is not a run config"),
    "no providers": (f"version: {_SECRET}\n", "is not a run config: it has no mapping `providers`"),
    "providers without content": ("providers:\n", "is not a run config: it has no mapping `providers`"),
    "two documents": (
        "providers: {}\n---\nproviders: {}\n",
        "contains more than one YAML document (the second starts on line 2); OGX reads only one, so remove",
    ),
    "a tab": (f"providers:\n\tinference: {_SECRET}\n", "is not YAML: line 2: it is indented with a tab; use spaces"),
    "no YAML": (f"a: [{_SECRET}\nb: 1\n", "is not YAML: line 2: `[` is not closed, or a comma is missing"),
    "an unknown alias": (
        f"a: *{_SECRET}\n",
        "is not YAML: line 1: it uses an alias (`*name`) that no anchor (`&name`) defines",
    ),
    "an unknown tag": (f"a: !{_SECRET} 1\n", "is not YAML: line 1: unknown tag (`!name`)"),
    "an unhashable key": ("{[a]: 1}\n", "is not YAML: line 1: a key is a list or a mapping"),
    "a date that is none": ("a: 2026-13-45\n", _UNREADABLE),
    "a number that is none": (f"a: !!int {_SECRET}\n", _UNREADABLE),
    "a control character": (f"a: {_SECRET}\x00\n", _UNREADABLE),
    "Latin-1": (f"a: 1\nb: {_SECRET}\u00e9\n".encode("latin-1"), "is not UTF-8 text (line 2); save it as UTF-8"),
    "UTF-16": ("providers: {}\n".encode("utf-16"), "is not UTF-8 text (line 1)"),
    "too large": (b"#" * (1024 * 1024 + 1), "is larger than 1 MiB"),
    "two colons": (f"a: {_SECRET}: b\n", "is not YAML: line 1: unexpected `:`; quote the value, or indent the key"),
    "an open quote": (f'a: "{_SECRET}\n', "is not YAML: line 2: a quote is not closed"),
    "an indentation": (f"a:\n  b: 1\n - {_SECRET}\n", "is not YAML: line 3: wrong indentation"),
    "anything else": (f"a: %{_SECRET}\n", "is not YAML: line 1: syntax error"),
    "a setting in itself": (
        "providers: {inference: [{provider_id: a, config: {extra_headers: &a {set: *a}}}]}\n",
        "contains an alias of what it is in",
    ),
    "itself elsewhere": ("a: &a [*a]\nproviders: {}\n", "contains an alias of what it is in"),
    "a bomb of lists": (_bomb("[x]", "[{}, {}, {}, {}, {}, {}, {}, {}, {}]"), _EXPANDED),
    "a bomb of mappings": (
        _bomb("{x: 1}", "{{a: {}, b: {}, c: {}, d: {}, e: {}, f: {}, g: {}, h: {}, i: {}}}"),
        _EXPANDED,
    ),
    "a bomb of merged keys": (_bomb("{x: 1}", "{{<<: [{}, {}, {}, {}, {}, {}, {}, {}, {}]}}"), _EXPANDED),
    "a bomb of text": (f"a: &a {'x' * 1000}\nb: [{'*a, ' * 2000}]\nproviders: {{}}\n", _EXPANDED),
    "a bomb for LiteLLM": (
        _bomb("[x]", "[{}, {}, {}, {}, {}, {}, {}, {}, {}]").replace("providers", "mcp_servers"),
        _EXPANDED,
    ),
    "a number of six thousand digits": (f"a: 1{':00' * 3000}\nproviders: {{}}\n", _UNREADABLE),
    "deep by aliases": (
        "".join(f"a{i}: &a{i} {'[' * 50}{f'*a{i - 1}' if i else 1}{']' * 50}\n" for i in range(50)),
        "is nested too deeply",
    ),
    "deep": ("[" * 1000, "is nested too deeply"),
}
COMMANDS = [("check", "{}"), ("explain", "{}", "--provider", "vllm", "-H", f"X-A: {_SECRET}")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize(("content", "sentence"), UNUSABLE.values(), ids=UNUSABLE)
def test_one_sentence_and_nothing_of_the_content(
    invoke: Invoke, write: Write, command: tuple[str, ...], content: str | bytes, sentence: str
) -> None:
    """The message names the file and what is wrong with it."""
    path = write(content) if isinstance(content, bytes) else write(content.encode())

    done = invoke(*(word.format(path) for word in command))

    assert (done.exit_code, done.out) == (2, "")
    assert done.err.startswith(f"extra-headers {command[0]}: {path} {sentence}")
    assert done.err.count("\n") == 1
    assert _SECRET not in done.err


class TestPlaces:
    """Paths that do not lead to a readable file."""

    def test_missing(self, invoke: Invoke, tmp_path: Path) -> None:
        """The message says that the file does not exist."""
        done = invoke("check", str(tmp_path / "no.yaml"))
        assert (done.exit_code, done.err) == (2, f"extra-headers check: {tmp_path}/no.yaml does not exist\n")

    def test_directory(self, invoke: Invoke, tmp_path: Path) -> None:
        """The message says what to do."""
        done = invoke("check", str(tmp_path))
        assert (done.exit_code, done.err) == (
            2,
            f"extra-headers check: {tmp_path} is a directory; name the run config in it\n",
        )

    def test_what_is_not_a_regular_file(self, invoke: Invoke, tmp_path: Path) -> None:
        """A FIFO or a device may never end. Standard input takes the output of a program."""
        os.mkfifo(tmp_path / "fifo")
        for path in (tmp_path / "fifo", Path("/dev/zero")):
            done = invoke("check", str(path))
            sentence = "is not a regular file; pipe what it contains to standard input, `-`"
            assert (done.exit_code, done.err) == (2, f"extra-headers check: {path} {sentence}\n")

    def test_a_name_that_is_none(self, invoke: Invoke) -> None:
        """A name with control codes that is too long is escaped."""
        done = invoke("check", "\x1b[31m" + "a" * 300)
        assert done.exit_code == 2
        assert done.err.startswith("extra-headers check: \\x1b[31maaa")
        assert done.err.endswith("aaa cannot be read: File name too long\n")
