"""The networks, written here from the papers, whose state dicts have upstream's keys."""
