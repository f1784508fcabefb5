"""Notes, kept for as long as the process lives."""

import re
from collections import Counter
from dataclasses import dataclass, field

_WORD = re.compile(r"\w{4,}")


@dataclass
class Notes:
    """All of them, by number."""

    texts: dict[int, str] = field(default_factory=dict)

    def add(self, text: str) -> int:
        """Keep one; returns its number."""
        number = len(self.texts) + 1
        self.texts[number] = text
        return number

    def themes(self, count: int = 5) -> list[str]:
        """The words that most notes have in common."""
        words = Counter(
            word for text in self.texts.values() for word in set(_WORD.findall(text.lower()))
        )
        return [word for word, _ in sorted(words.items(), key=lambda item: (-item[1], item[0]))][
            :count
        ]
