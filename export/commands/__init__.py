"""The commands of `lineclear-export`, one module each: SUMMARY, DESCRIPTION, EPILOG, add_arguments, run."""
