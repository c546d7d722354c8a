"""Programs that turn a completion into a verdict; each is found through the entry points `halo_forge.verifiers`."""
