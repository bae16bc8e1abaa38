"""The commands of `lineclear`, one module each. Exit 0 on success; one line on standard error when not."""
