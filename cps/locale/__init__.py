"""Languages: one file each, holding vocabulary and number formats."""

from cps.locale.load import FOLDER, languages, load_words, placeholders
from cps.locale.values import (
    Content,
    Counted,
    Interval,
    Kind,
    Link,
    Listing,
    Message,
    Quantity,
    Term,
    inert,
    level_kind,
    measure_kind,
)
from cps.locale.words import NumberFormat, Part, Words

__all__ = [
    "FOLDER",
    "Content",
    "Counted",
    "Interval",
    "Kind",
    "Link",
    "Listing",
    "Message",
    "NumberFormat",
    "Part",
    "Quantity",
    "Term",
    "Words",
    "inert",
    "languages",
    "level_kind",
    "load_words",
    "measure_kind",
    "placeholders",
]
