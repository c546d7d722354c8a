"""A command of the user's as the judge: `custom`."""
