"""Every run tests the same examples; `LINECLEAR_EXPLORE=1 make test` looks for new ones."""

import os

from hypothesis import settings

settings.register_profile("fixed", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile("explore" if os.environ.get("LINECLEAR_EXPLORE") else "fixed")
