"""What the station shows to Prometheus, what it knows of its machine, and what the timers beside it found out."""

from edge.monitoring.monitoring import Monitoring

__all__ = ["Monitoring"]
