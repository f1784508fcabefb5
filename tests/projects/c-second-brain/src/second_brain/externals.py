"""Whether the services outside answer: told as a warning, and no reason to end."""

import asyncio
import logging
import urllib.error
import urllib.request
from collections.abc import Iterable

log = logging.getLogger("uvicorn.error")
_SECONDS = 3


async def look(urls: Iterable[str]) -> dict[str, bool]:
    """Ask each of them once, beside each other."""
    asked = list(urls)
    answers = await asyncio.gather(*(asyncio.to_thread(_answers, url) for url in asked))
    for url, answers_at_all in zip(asked, answers, strict=True):
        if not answers_at_all:
            log.warning("%s cannot be reached", url)
    return dict(zip(asked, answers, strict=True))


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=_SECONDS).close()
    except urllib.error.HTTPError:
        return True  # a refusal is an answer
    except OSError:
        return False
    return True
