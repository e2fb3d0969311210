"""A run config as text: read, parsed as OGX parses it, with the line of every key, or refused in one sentence.

No error repeats anything from the file, because a run config contains secrets.
"""

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STANDARD_INPUT = "-"
_MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 200
_MAX_DIGITS = 4300  # Python's own limit for decimal integers; PyYAML is quadratic in the others
_MERGE = "tag:yaml.org,2002:merge"
_INTEGER = "tag:yaml.org,2002:int"
# What PyYAML's problems mean, by their beginnings. Its own words quote the file.
_PROBLEMS = {
    "found character '\\t'": "it is indented with a tab; use spaces",
    "mapping values are not allowed": "unexpected `:`; quote the value, or indent the key",
    "could not find expected ':'": "a key has no `:`",
    "expected ',' or ']'": "`[` is not closed, or a comma is missing",
    "expected ',' or '}'": "`{` is not closed, or a comma is missing",
    "expected <block end>": "wrong indentation",
    "found unexpected end of stream": "a quote is not closed",
    "found undefined alias": "it uses an alias (`*name`) that no anchor (`&name`) defines",
    "could not determine a constructor": "unknown tag (`!name`)",
    "found unhashable key": "a key is a list or a mapping",
}


class UnusableFileError(Exception):
    """There is no run config to read. The message is a predicate: it continues the file's name."""


@dataclass(frozen=True, slots=True)
class RepeatedKey:
    """A key that occurs twice in one mapping; the parser keeps the last. It is not named: it may be a secret."""

    line: int
    first_line: int


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed YAML document."""

    content: dict[str, Any]
    repeated_keys: Sequence[RepeatedKey]
    _root: yaml.Node

    def line_of(self, path: Sequence[str | int]) -> int:
        """Return the 1-based line of a path, or of its nearest ancestor."""
        node, line = self._root, self._root.start_mark.line
        for step in path:
            child = _child(node, step)
            if child is None:
                break
            start, node = child
            line = start.start_mark.line
        return line + 1


def read_document(path: str) -> Document:
    """Return the run config in a file, or from standard input if the path is `-`.

    Raises:
        UnusableFileError: there is none.

    """
    text = _read(path)
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            raise UnusableFileError("is empty; a run config is a YAML mapping")
        if not isinstance(root, yaml.MappingNode):
            raise UnusableFileError("is not a run config: a YAML mapping such as `providers: {...}` at the top")
        # Before the content is constructed, which merges what `<<` names into the nodes.
        _refuse_too_much(root)
        repeated = sorted(_repeated_keys(root), key=lambda key: key.line)
        return Document(loader.construct_document(root), repeated, root)
    except yaml.MarkedYAMLError as error:
        raise UnusableFileError(_describe_error(error)) from None
    except RecursionError:
        raise UnusableFileError("is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError):
        # Their messages quote the file.
        raise UnusableFileError("is not YAML that OGX can read: invalid character, number or date") from None


def _read(path: str) -> str:
    try:
        content = _read_bytes(path)
    except FileNotFoundError:
        raise UnusableFileError("does not exist") from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not a valid path"
        raise UnusableFileError(f"cannot be read: {reason}") from None
    if len(content) > _MAX_BYTES:
        raise UnusableFileError("is larger than 1 MiB; a run config has a few kilobytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnusableFileError(f"is not UTF-8 text (line {line}); save it as UTF-8") from None


def _read_bytes(path: str) -> bytes:
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read(_MAX_BYTES + 1)
    mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise UnusableFileError("is a directory; name the run config in it")
    if not stat.S_ISREG(mode):
        raise UnusableFileError("is not a regular file; pipe what it contains to standard input, `-`")
    with Path(path).open("rb") as file:
        return file.read(_MAX_BYTES + 1)


def _describe_error(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    if str(error.context).startswith("expected a single document"):
        return (
            f"contains more than one YAML document (the second starts on line {line}); OGX reads only one, so remove "
            "the other or split the file"
        )
    problem = str(error.problem or error.context)
    meaning = next((text for start, text in _PROBLEMS.items() if problem.startswith(start)), "syntax error")
    return f"is not YAML: line {line}: {meaning}"


def _refuse_too_much(root: yaml.Node) -> None:
    """Refuse a document that is too large or too deep once each alias is replaced, as hosts do, by what it names."""
    size, depth = _expanded(root, {})
    if size > _MAX_BYTES:
        raise UnusableFileError("is larger than 1 MiB with its aliases (`*name`) expanded; repeat less")
    if depth > _MAX_DEPTH:
        raise UnusableFileError("is nested too deeply")


def _expanded(node: yaml.Node, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """Return about how many characters it takes to write a node without aliases, and how deeply its parts are nested.

    Args:
        node: the node.
        known: the results for nodes that are complete, and None for those around this one; by id.

    """
    if id(node) in known:
        if (result := known[id(node)]) is None:
            raise UnusableFileError("contains an alias of what it is in")
        return result
    known[id(node)] = None
    size, depth = 1, 0
    if isinstance(node, yaml.CollectionNode):
        for child in _children(node):
            child_size, child_depth = _expanded(child, known)
            size, depth = size + child_size, max(depth, child_depth + 1)
    else:
        size += len(node.value)
        if node.tag == _INTEGER and size > _MAX_DIGITS:
            raise ValueError
    known[id(node)] = size, depth
    return size, depth


def _children(node: yaml.CollectionNode) -> list[yaml.Node]:
    """Return the values of a sequence, or the keys and values of a mapping."""
    return [child for pair in node.value for child in pair] if isinstance(node, yaml.MappingNode) else node.value


def _repeated_keys(root: yaml.Node) -> Iterator[RepeatedKey]:
    for mapping in _mappings(root):
        lines: dict[tuple[str, str], int] = {}
        for key, _ in mapping.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            line, same = key.start_mark.line + 1, (key.tag, key.value)
            if same in lines:
                yield RepeatedKey(line, lines[same])
            lines.setdefault(same, line)


def _mappings(root: yaml.Node) -> Iterator[yaml.MappingNode]:
    """Yield every mapping once, however many aliases lead to it."""
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
        waiting += _children(node)


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the node that marks the line of a key or index, and the node of its value."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, yaml.MappingNode):
        # The last of equal keys wins; keys that `<<` merged come before those of the mapping.
        for key, value in reversed(node.value):
            if isinstance(key, yaml.ScalarNode) and key.value == str(step):
                return key, value
    return None
