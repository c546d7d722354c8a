"""Rows in, prompts and conversations out: JSONL files, and datasets of the catalogue."""

from halo_forge.data.asked import load_asked
from halo_forge.data.conversations import Loaded, load_conversations
from halo_forge.data.holdout import Split, split_holdout
from halo_forge.data.hub import load_catalogue_conversations, load_catalogue_prompts
from halo_forge.data.prompts import load_prompts, prompts_hash

__all__ = [
    "Loaded",
    "Split",
    "load_asked",
    "load_catalogue_conversations",
    "load_catalogue_prompts",
    "load_conversations",
    "load_prompts",
    "prompts_hash",
    "split_holdout",
]
