"""What the verifiers of compiled languages share."""
