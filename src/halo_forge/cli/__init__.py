"""The `halo-forge` command: reads flags, calls the library, shows what happens. The only package that prints."""
