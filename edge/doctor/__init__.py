"""What `lineclear doctor` looks at: each check a function over readings of the machine, the config and the station's files.

docs/doctor.md lists every check with its limits; a test holds the two equal. What looks at the machine alone needs the
standard library alone, so that a box with half of its libraries missing gets a report all the same.
"""
