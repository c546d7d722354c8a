"""Short answers to questions about images, scored as the sets they come from score them."""
