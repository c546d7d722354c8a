"""The recipes of all domains, by name."""

from __future__ import annotations

from collections.abc import Mapping

from halo_forge.demo.code import CODE
from halo_forge.demo.image_questions import VLM
from halo_forge.demo.recipe import Recipe
from halo_forge.demo.speech import AUDIO
from halo_forge.demo.tool_calls import AGENTIC
from halo_forge.demo.word_problems import REASONING

RECIPES: Mapping[str, Recipe] = {recipe.domain: recipe for recipe in (CODE, REASONING, AUDIO, VLM, AGENTIC)}
