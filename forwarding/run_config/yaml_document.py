"""A run config as text: read, parsed as OGX parses it, with the line of everything, or refused in one sentence.

Nothing of the file's content gets into an error: a run config holds secrets.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

_MAX_BYTES = 1024 * 1024
# An alias costs a line and repeats all that its anchor holds.
_MAX_NODES = 200_000
_MERGE = "tag:yaml.org,2002:merge"

type Place = Sequence[str | int]
"""Where something stands in a document: keys and indexes from its top."""


class UnusableFileError(Exception):
    """There is no run config to look at. The message is one sentence without the file's name."""


@dataclass(frozen=True, slots=True)
class RepeatedKey:
    """A key that stands twice in one mapping; the parser keeps the last. It is not named: it may be a secret."""

    line: int
    first_line: int


class Document:
    """One parsed YAML document."""

    def __init__(
        self, root: yaml.Node, content: dict[object, object], repeated_keys: Sequence[RepeatedKey] = ()
    ) -> None:
        self._root = root
        self.content = content
        self.repeated_keys = repeated_keys

    def line(self, place: Place) -> int:
        """Return the line, counted from 1, of what stands at a place; of the nearest thing above where nothing does."""
        node, line = self._root, self._root.start_mark.line
        for step in place:
            found = _step(node, step)
            if found is None:
                break
            at, node = found
            line = at.start_mark.line
        return line + 1

    def written(self, place: Place) -> str:
        """Return a scalar as it stands in the file."""
        node = self._root
        for step in place:
            found = _step(node, step)
            if found is None:
                return ""
            node = found[1]
        return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def read_document(path: str) -> Document:
    """Return the run config in a file.

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
        if _size(root, {}, set()) > _MAX_NODES:
            raise UnusableFileError("repeats so much through YAML aliases that it cannot be read")
        # Before the content is made: that merges what `<<` names into the nodes.
        repeated = sorted(_repeated_keys(root), key=lambda key: key.line)
        return Document(root, loader.construct_document(root), repeated)
    except yaml.composer.ComposerError as error:
        if str(error.context).startswith("expected a single document"):
            raise UnusableFileError(
                f"holds more than one YAML document (a second starts at line {_line(error)}), and OGX reads only one; "
                "remove the other or split the file"
            ) from None
        raise UnusableFileError(_not_yaml(error)) from None
    except yaml.MarkedYAMLError as error:
        raise UnusableFileError(_not_yaml(error)) from None
    except RecursionError:
        raise UnusableFileError("is nested too deeply, or in itself") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError):
        # Of the parser: characters that YAML forbids, a number or date that is none. Their messages quote the file.
        raise UnusableFileError("is not YAML that OGX can read: a character, number or date in it is none") from None


def _read(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except IsADirectoryError:
        raise UnusableFileError("is a directory; name the run config in it") from None
    except FileNotFoundError:
        raise UnusableFileError("does not exist") from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "no such name is possible"
        raise UnusableFileError(f"cannot be read: {reason}") from None
    if len(content) > _MAX_BYTES:
        raise UnusableFileError("is larger than 1 MiB, and a run config is a few kilobytes; name the right file")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnusableFileError(f"is not UTF-8 text (line {line}); save it as UTF-8") from None


def _line(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


def _not_yaml(error: yaml.MarkedYAMLError) -> str:
    problem = str(error.problem or error.context)
    if "'\\t'" in problem:
        return f"is not YAML: line {_line(error)} is indented with a tab; use spaces"
    # What the parser quotes may be a secret.
    problem = re.sub(r"'[^'<][^']+'|\"[^\"]{2,}\"", "this", problem.splitlines()[0])
    return f"is not YAML: line {_line(error)}: {problem}"


def _size(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """Return how many nodes a document has once each alias is replaced by what it stands for."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in above:
        raise RecursionError
    if id(node) not in known:
        above.add(id(node))
        known[id(node)] = 1 + sum(_size(child, known, above) for child in _children(node))
        above.remove(id(node))
    return known[id(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _unique_nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        yield node
        for child in _children(node):
            if id(child) not in seen:
                seen.add(id(child))
                waiting.append(child)


def _repeated_keys(root: yaml.Node) -> Iterator[RepeatedKey]:
    for node in _unique_nodes(root):
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            line, same = key.start_mark.line + 1, (key.tag, key.value)
            if same in lines:
                yield RepeatedKey(line, lines[same])
            lines.setdefault(same, line)


def _step(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return what stands under a key or index: the node that marks the line, and the value."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, yaml.MappingNode):
        # The last of equal keys wins; what `<<` merged stands before those of the mapping.
        for key, value in reversed(node.value):
            if isinstance(key, yaml.ScalarNode) and key.value == str(step):
                return key, value
    return None
