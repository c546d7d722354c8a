"""From prompts with images or audio to the tensors of the models that see or hear them, one file a family."""
