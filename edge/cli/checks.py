"""Kept for `lineclear doctor --gpu`, which asks for versions here."""

from edge.doctor.libraries import version_of

__all__ = ["version_of"]
