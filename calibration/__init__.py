"""What a technician does: recipes, thresholds, evaluation. Writes only through edge.recipe."""
