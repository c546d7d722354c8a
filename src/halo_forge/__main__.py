"""`python -m halo_forge` is `halo-forge`."""

from halo_forge.cli.app import main

if __name__ == "__main__":
    main()
