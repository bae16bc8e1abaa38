"""Triggers from outside, and lines that release the line or show something: fail-safe, held by a guard process."""
