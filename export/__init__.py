"""Upstream model -> bundle -> engine, with proof."""
