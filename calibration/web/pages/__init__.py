"""The page's routes: each module has a `router`."""
