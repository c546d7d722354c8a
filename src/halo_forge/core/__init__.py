"""The words every other package speaks: types, protocols, errors, events, plugins. Imports nothing above it."""
