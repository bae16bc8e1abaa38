"""The commands of `lineclear`, one light module each: SUMMARY, DESCRIPTION, EPILOG, add_arguments, run."""
