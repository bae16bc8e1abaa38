"""The commands of `lineclear-calibrate`, one module each: SUMMARY, DESCRIPTION, add_arguments, run."""
