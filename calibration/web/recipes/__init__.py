"""The recipes of a station: which there are, what is in force, what comes in and goes out. No HTTP here."""
