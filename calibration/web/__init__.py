"""The technician's page: a process of its own beside the station. It reads the archive and recipes, and asks over MQTT."""
