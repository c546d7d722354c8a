"""What a page is made of: sections with words, figures, tables and sample completions.

Every text is plain and gets escaped by the template; only a figure's drawing is markup, and that is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Figure:
    """A drawing with what it shows in words.

    Args:
        svg: the drawing, coloured by the page's variables.
        alt: the same content for someone who cannot see it.
        half: whether two fit side by side.
    """

    svg: Markup
    alt: str
    caption: str
    half: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under named columns; the first column names the row, the others are right-aligned when `numeric`."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: bool = True


@dataclass(frozen=True)
class Sound:
    """A piece of audio of a prompt.

    Args:
        data: its bytes as a `data:` address; empty where the page does not hold them.
        name: of its file, with the reason where there are no bytes.
    """

    data: str
    name: str


@dataclass(frozen=True)
class Sample:
    """One completion as it is shown.

    Args:
        kind: `good`, `bad` or `fault`, for the mark beside it.
        title: prompt id and what it was chosen for.
        facts: name and value pairs: reward, stage, why it was kept, ….
        prompt: role and text of each turn; empty when the run did not store its prompts.
        note: said under a text that was cut, else empty.
        images: addresses of the prompt's images, which hold them.
        sounds: the prompt's audio.
    """

    kind: str
    title: str
    facts: tuple[tuple[str, str], ...]
    prompt: tuple[tuple[str, str], ...]
    text: str
    note: str
    images: tuple[str, ...] = ()
    sounds: tuple[Sound, ...] = ()


@dataclass(frozen=True)
class SampleGroup:
    """Samples under one heading, such as those of a cycle."""

    title: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it.

    Args:
        empty: said in place of figures and tables when there is nothing to show.
        folded: whether the section starts closed.
    """

    title: str
    text: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    groups: tuple[SampleGroup, ...] = ()
    empty: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Body:
    """What a kind of run contributes to its page.

    Args:
        headline: the main result in one sentence.
        caveats: what the reader must know to read the headline rightly.
    """

    headline: str
    caveats: tuple[str, ...]
    sections: tuple[Section, ...]
