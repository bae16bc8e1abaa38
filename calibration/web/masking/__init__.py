"""Masks on the page: what is drawn, how much of the view it takes, what it would hide, and how it becomes a version."""
