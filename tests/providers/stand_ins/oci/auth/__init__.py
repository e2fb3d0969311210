"""Signers by the kind of principal."""

from . import signers

__all__ = ["signers"]
