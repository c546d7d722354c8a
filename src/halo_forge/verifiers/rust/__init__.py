"""Rust programs: `rust`."""
