"""A view's reference and its camera, as a technician sees to them: no HTTP in here."""
