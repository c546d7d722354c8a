"""The report of a run: plots as PNG files, and one HTML page that needs no network."""

from halo_forge.report.page import write_report

__all__ = ["write_report"]
