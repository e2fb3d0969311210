"""What can be read off the policy's models: which there are, and what is written about their settings.

Read here and not by pydantic when the models are made: reading sources takes several times as long as all else that a
server does to load the add-on.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast, get_args

from pydantic import BaseModel


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a type may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def all_models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and those of its settings; one that occurs twice, twice."""
    yield model
    for about in model.model_fields.values():
        for below in models_in(about.annotation):
            yield from all_models(below)


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return what stands under each setting of a model, by the setting's name."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found.update(_described_in(base))
    return found


def _described_in(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    for setting, below in pairwise(cast(ast.ClassDef, definition).body):
        match setting, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
