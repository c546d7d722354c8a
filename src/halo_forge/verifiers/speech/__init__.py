"""Transcripts of speech, and spoken words."""
