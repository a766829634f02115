"""Text from a teacher model: recipes, engine, checks."""
