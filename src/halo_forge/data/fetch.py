"""Images and audio by their addresses, which rows may name where the user allows it."""

from __future__ import annotations

TIMEOUT_S = 60.0


class NotFetched(Exception):
    """Nothing could be had from an address; the text is the reason, in words that fit behind a count."""


def fetch_media(kind: str, address: str, most_bytes: int) -> bytes:
    """Fetch one image or piece of audio.

    Args:
        kind: `image` or `audio`, for the reason.
        most_bytes: what is larger is given up.

    Raises:
        NotFetched: the address is not of HTTP, or what is there cannot be had.
    """
    import httpx2

    if not address.startswith(("http://", "https://")):
        raise NotFetched(f"whose {kind} has an address that is not http or https")
    content = bytearray()
    try:
        with httpx2.stream("GET", address, timeout=TIMEOUT_S, follow_redirects=True) as answer:
            answer.raise_for_status()
            for block in answer.iter_bytes():
                content += block
                if len(content) > most_bytes:
                    raise NotFetched(f"with an {kind} of more than {most_bytes >> 20} MiB")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise NotFetched(f"whose {kind} cannot be fetched from its address") from error
    return bytes(content)
