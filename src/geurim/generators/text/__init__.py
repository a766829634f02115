"""Text from a teacher model: the recipe language, the teachers and the engine that asks them."""
