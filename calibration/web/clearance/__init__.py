"""Clearances on the page: asking for one, showing it, answering for a view that did not pass. No HTTP in here."""
