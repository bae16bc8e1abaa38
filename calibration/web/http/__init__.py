"""HTTP around the page: headers, limits, errors, rendering, uploads."""
