"""What stands beside the rows of a run: training form, report, data card; and its sources opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from geurim.contract import Progress, Source
from geurim.errors import SettingError

if TYPE_CHECKING:
    from geurim.generators.text.recipe import Recipe
    from geurim.generators.text.run import Fold
    from geurim.generators.text.session import Usage
    from geurim.verify import Report

DOCUMENTS = (".pdf", ".docx", ".html", ".htm", ".md", ".markdown")


def open_source(data: Any) -> Source:
    """Rows for a recipe: a table of any kind, or the passages of documents and folders of them."""
    from geurim.read import as_source

    if isinstance(data, str | Path) and "://" not in str(data):
        path = Path(data)
        if path.is_dir() or path.suffix.lower() in DOCUMENTS:
            from geurim.generators.text.documents import passages

            return passages([path])
    return as_source(data)


def finish(
    recipe: Recipe,
    source: Source,
    fold: Fold,
    usage: Usage,
    real: Any,
    work: Path,
    progress: Progress,
) -> Report | None:
    """Write the training form, the report and the card into `work`; the report is None for no row."""
    raise SettingError("not yet")
