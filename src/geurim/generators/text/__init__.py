"""Text from a teacher model: the recipe language, teachers, the engine that asks them, checks."""
