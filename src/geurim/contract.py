"""The contract: the few frozen types that cross a step, and the two classes a generator extends.

    Source --analyze--> Profile --fit--> Fitted --sample--> Source --verify--> Report of Findings

Data flow one way. Nothing here reads a file, draws a number or imports a generator.
"""

from __future__ import annotations

import abc
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from geurim.errors import MissingExtra

Json = Any
"""What `json` can write: the states of models and profiles are made of it."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One step of progress. The library never prints: whoever passes `progress` draws it."""

    step: str  # "read", "analyze", "fit", "sample", "write", "verify"
    done: int
    total: int | None = None  # None: not known beforehand
    unit: str = "rows"
    note: str = ""


Progress = Callable[[Event], None]


def quiet(event: Event) -> None:
    """The progress listener that does nothing."""


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """One private release: noise hides what any one unit adds. See Dwork & Roth 2014."""

    unit: str
    contributions: int
    epsilon: float
    delta: float


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Who made these rows, from what. It never holds a password or a value from the data."""

    maker: str  # settings of the generator; a file name for real data
    digest: str  # SHA-256 of the content, or of maker + seed + request + parents
    seed: int | None = None
    parents: tuple[Lineage, ...] = ()
    privacy: tuple[Privacy, ...] = ()
    real: bool = False
    shares: tuple[float, ...] = ()  # of these rows, taken over from each parent; the rest was made

    @property
    def depth(self) -> int:
        """0 for real rows, else one more than the deepest parent; a mixture is as deep as that."""
        if self.real:
            return 0
        deepest = max((p.depth for p in self.parents), default=0)
        return max(deepest, 1) if sum(self.shares) > 1 - 1e-9 else 1 + deepest

    @property
    def real_share(self) -> float:
        """The share of rows that are real, by what is written here: 1 for real data."""
        if self.real:
            return 1.0
        pairs = zip(self.shares, self.parents, strict=False)
        return float(sum(share * parent.real_share for share, parent in pairs))

    @classmethod
    def made(
        cls,
        maker: str,
        *,
        seed: int | None = None,
        request: Json = None,
        parents: tuple[Lineage, ...] = (),
        privacy: tuple[Privacy, ...] = (),
        shares: tuple[float, ...] = (),
    ) -> Lineage:
        """The lineage of something made, not measured: its digest names maker, seed and parents."""
        text = json.dumps([maker, seed, request, [p.digest for p in parents]], default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return cls(
            maker=maker, digest=digest, seed=seed, parents=parents, privacy=privacy, shares=shares
        )

    def to_json(self) -> dict[str, Json]:
        return {**asdict(self), "depth": self.depth}

    @classmethod
    def from_json(cls, state: Mapping[str, Json]) -> Lineage:
        return cls(
            maker=state["maker"],
            digest=state["digest"],
            seed=state["seed"],
            real=state["real"],
            parents=tuple(cls.from_json(p) for p in state["parents"]),
            privacy=tuple(Privacy(**p) for p in state["privacy"]),
            shares=tuple(state.get("shares", ())),
        )


@dataclass(frozen=True, kw_only=True)
class Source:
    """Rows that can be read again, in bounded memory; what a step gives is again a Source."""

    schema: pa.Schema
    lineage: Lineage
    read: Callable[[], Iterator[pa.RecordBatch]]
    rows: int | None = None  # None: not known before reading

    def to_arrow(self) -> pa.Table:
        """All rows as one Arrow table, in memory."""
        return pa.Table.from_batches(self.read(), self.schema)

    def to_pandas(self) -> Any:
        """All rows as a pandas frame (needs pandas)."""
        try:
            return self.to_arrow().to_pandas()
        except ModuleNotFoundError as error:
            raise MissingExtra("a pandas frame", "pandas") from error

    def to_polars(self) -> Any:
        """All rows as a Polars frame (needs polars)."""
        try:
            import polars
        except ModuleNotFoundError as error:
            raise MissingExtra("a Polars frame", "polars") from error
        return polars.from_arrow(self.to_arrow())


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What analysis learned of a table, never a row; `docs/profile.md` says what it holds."""

    schema: pa.Schema
    lineage: Lineage
    rows: int
    columns: Mapping[str, Mapping[str, Json]]
    dependence: Mapping[str, Json] = field(default_factory=dict)
    rules: tuple[Mapping[str, Json], ...] = ()


class Generator(abc.ABC):
    """Settings only: cheap to build, print and compare. Subclasses are frozen dataclasses."""

    fitted: ClassVar[type[Fitted]]  # the class that `fit` returns an object of
    whole: ClassVar[bool] = False  # takes the source as it is, personal data and texts included

    @abc.abstractmethod
    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> Fitted:
        """Learn a distribution over rows.

        `source` holds the columns to be learned and no others (identifiers and personal data are
        already taken out); it is None when only the profile may be used. All randomness comes
        from `rng`: the same source, profile and generator state give the same result.
        """


class Fitted(abc.ABC):
    """A distribution over rows: immutable, saveable. There is no unfitted state."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    name: ClassVar[str]  # stands in model files, and finds the class again
    block: ClassVar[int] = 32_768  # rows a draw; 1 where a row is an episode
    completes: ClassVar[bool] = False  # can fill in the rest of given rows
    repeatable: ClassVar[bool] = True  # False: a remote model; its answers are recorded, replayed
    joint: ClassVar[bool] = True  # False: a baseline that draws each column by itself
    partial: ClassVar[bool] = False  # a draw may give fewer rows, or more: the driver goes on

    @property
    def ahead(self) -> int:
        """Of a `partial` generator: how many blocks may be drawn at once, by threads."""
        return 1

    @property
    def guess(self) -> float:
        """Of a `partial` generator: about how many rows a draw gives; above 1 if several."""
        return 1.0

    @abc.abstractmethod
    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        """Draw `rows` rows, a batch of `schema`.

        With `given` (a table of `rows` rows and some of the columns, only where `completes`), row i
        is a draw of the remaining columns given row i's values; given values come back unchanged.
        """

    def condition(self, columns: tuple[str, ...]) -> Fitted:
        """The same distribution, made ready to be drawn given `columns`. Default: itself."""
        return self

    @property
    def unique(self) -> tuple[tuple[str, ...], ...]:
        """Sets of columns whose combinations must not come twice: the driver sees to it."""
        return ()

    def breaks(
        self, batch: pa.RecordBatch, given: frozenset[str] = frozenset()
    ) -> Mapping[str, np.ndarray]:
        """Which rows (N,) break what must hold, by the text of each constraint. Default: none.

        The driver draws such rows again. `given`: columns whose values were given.
        """
        return {}

    def number(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Fill in what depends on a row's place in the whole run, such as keys. Default: nothing.

        The driver calls it last, with the number of the batch's first row.
        """
        return batch

    @abc.abstractmethod
    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        """What a model file holds: JSON and plain arrays, never code."""

    @classmethod
    @abc.abstractmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> Fitted:
        """The inverse of `state`."""


Verdict = Literal["pass", "warn", "fail", "info"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check: its value, interval, the holdout's own value, count and verdict."""

    question: str  # "faithful", "useful", "private", "fair", "rare", "collapsing"
    name: str  # the measure: "c2st_auc"
    value: float
    low: float  # the interval's ends (95% unless the text says otherwise)
    high: float
    reference: float | None  # the same measure on the holdout against training; None: no such thing
    count: int  # rows (or pairs, categories…) the value rests on
    verdict: Verdict
    text: str  # one plain sentence for someone who never saw a p-value
    columns: tuple[str, ...] = ()
    details: Mapping[str, Json] = field(default_factory=dict)
