"""Publishers: what carries verdicts away, and never loses one."""
