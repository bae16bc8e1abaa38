"""Cameras: one Protocol, one process per camera."""
