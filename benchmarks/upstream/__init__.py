"""Each family beside upstream's own code: the same checkpoint, the same images, map and score compared.

    python -m benchmarks.upstream.FAMILY --upstream /path/to/the/fetched/repository

Upstream's code is run from outside this repository and never copied into it.
"""
