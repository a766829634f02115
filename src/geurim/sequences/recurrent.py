"""Series from a recurrent network: its memory holds what lags and means of the past leave out.

As `Sequences` in all but what tells the columns of an event: a network learns all of them at once
(geurim.sequences._memory). Sources: the gated recurrent unit of Cho et al. 2014 over events, as in
DoppelGANger's generator (Lin et al. 2020) and PAR (Zhang et al. 2022), with the heads of
`autoregressive`. Not to be confused with `Sequences` itself, which is faster. Needs the extra
`torch` to fit, and not to draw. No privacy proof goes with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from geurim.codec import Codec, Scale
from geurim.contract import Progress
from geurim.generators import _parts
from geurim.generators._conditionals import Seen
from geurim.generators._parts import Parts
from geurim.generators._settings import check_shares, check_whole
from geurim.generators._training import Training, import_torch, train
from geurim.sequences._memory import Memory
from geurim.sequences.chain import Model
from geurim.sequences.fitted import Sequences
from geurim.sequences.lessons import Lesson, Lessons

_PIECE, _BEFORE = 64, 16  # events of a piece, and those before it that only fill the memory
_BATCHES = 12  # in an epoch, at least
_GROUPS = (16, 64)  # of a column, at most: in short series, in long ones


@dataclass(frozen=True, kw_only=True)
class Recurrent(Sequences):
    """Series by a recurrent network.

    entity, time, static, cell_rows, max_events, and for what is static trees and leaf: as of
    `Sequences`. width, hidden: units of the memory, and of each column's own layer. dropout: the
    share of units left out at each step. decay: of the weights. training: the loop's; a batch is
    counted in events.
    """

    max_events: int = 200_000
    width: int = 64
    hidden: int = 64
    dropout: float = 0.1
    decay: float = 0.01
    training: Training = field(
        default_factory=lambda: Training(epochs=20, batch=1024, rate=6e-3, patience=6)
    )
    name: ClassVar[str] = "recurrent"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self, ("width", "hidden"))
        check_shares(self, ("dropout", "decay"))

    def learn(
        self,
        known: Lessons,
        starts: np.ndarray,
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> Model:
        import_torch("The recurrent generator of series")
        from geurim.sequences import _memory_net as net

        sizes = np.array([f.size for f in known.features], np.int64)
        most = int(np.clip(starts[-1] ** 0.5 / 2, *_GROUPS))
        model = Memory(
            seen=tuple(_seen(lesson, most) for lesson in known.lessons),
            sees=tuple(lesson.sees for lesson in known.lessons),
            opening=tuple(lesson.opening for lesson in known.lessons),
            starts=np.append(0, np.cumsum(sizes)),
            early=tuple(i for i, f in enumerate(known.features) if f.early),
            weights={},
        )
        pieces = pieces_of(starts)
        batch = self._batch(pieces)
        steps = self.training.epochs * -(-len(pieces) // batch)

        def build(device: Any) -> net.Task:
            network = net.Network(model, known, self.width, self.hidden, self.dropout).to(device)
            rate, decay = self.training.rate, self.decay
            return net.Task(network, known, pieces, device, rate=rate, decay=decay, steps=steps)

        training = replace(self.training, batch=batch)
        key = f"{key} {int(rng.integers(2**62))}"
        pair, _ = train(build, len(pieces), training, rng, progress, key=key)
        return replace(model, weights=pair.mean.arrays())

    def _batch(self, pieces: np.ndarray) -> int:
        """Pieces a step, of about as many events as told; fewer where that would be few steps."""
        events = self.training.batch / float(pieces[:, 1].mean())
        return int(np.clip(events, 1, max(len(pieces) // _BATCHES, 1)))


def pieces_of(starts: np.ndarray) -> np.ndarray:
    """Series cut into pieces (P, 3): the first event, how many, and how many are not learned from.

    The network would take long to learn from a long series at once. A piece begins with events
    before it, which fill the memory.
    """
    found = []
    for first, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        at = np.arange(first, end, _PIECE)
        before = np.minimum(at - first, _BEFORE)
        found.append(np.stack([at - before, np.minimum(at + _PIECE, end) - at + before, before], 1))
    return np.concatenate(found)


def _seen(lesson: Lesson, most: int) -> Seen:
    """A lesson's codes as a head sees them; copies of the past are groups of their own."""
    scale = lesson.levels
    coded = Codec(scales={"": Scale(own=scale)}, clocks=frozenset())
    plain = lesson.codes < max(scale.size, 1)
    (parts,) = _parts.learn(coded, lesson.codes[plain][:, None], most)
    for i in range(lesson.copies):
        count = float((lesson.codes == scale.size + i).sum())
        parts = Parts(
            order=np.append(parts.order, scale.size + i),
            first=np.append(parts.first, len(parts.order) + 1),
            mass=np.append(parts.mass, parts.mass[-1] + max(count, 1e-3)),
        )
    axis = (parts.order[parts.first[:-1]] < scale.size - scale.missing) & scale.ordered
    return Seen(parts=parts, ordered=scale.ordered, axis=np.asarray(axis))
