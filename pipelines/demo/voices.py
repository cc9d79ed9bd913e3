"""What customers say: survey scores, reviews and complaints about delivered web orders. A late day costs points.

Score on the scale = clip(round(base + effect * late days + normal(0, spread))), late days = days after the promise.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.demo.plan import Bools, Floats, Ints
from pipelines.demo.sales import NEVER, PROMISE_DAYS, Lines


@dataclass(frozen=True)
class Scale:
    """One kind of feedback; `share` of orders give it, `late_share` of those delivered late."""

    name: str
    channel: str
    share: float
    late_share: float
    base: float
    effect: float
    spread: float
    low: int
    high: int


SCALES = (
    Scale("nps_0_10", "survey", 0.10, 0.10, 7.6, -0.9, 0.9, 0, 10),
    Scale("stars_1_5", "review", 0.05, 0.05, 4.2, -0.35, 0.8, 1, 5),
    Scale("csat_1_5", "survey", 0.03, 0.03, 4.3, -0.35, 0.7, 1, 5),
    Scale("none", "ticket", 0.01, 0.15, 0.0, 0.0, 0.0, 0, 0),
)
NPS, STARS, _, COMPLAINT = range(4)
NO_SCORE = -1
TEXTS = (
    ("Alles bestens, gerne wieder! 😀", "Schöne Ware, schnelle Lieferung.", 'Die "Große" Kanne ist toll ☕', ""),
    ("Geht so.", "Ware gut,\nVerpackung könnte besser sein.", "Würde es weiterempfehlen, aber; naja", ""),
    (
        "Kam viel zu spät 😡",
        'Angeblich "morgen" –\nseit Tagen nichts gehört.',
        "Paket beschädigt, Geld zurück bitte!!",
        "Lieferung verspätet, keine Antwort vom Kundendienst, l'équipe ne répond pas",
    ),
)
TEXTS_A_MOOD = 4


@dataclass(frozen=True)
class Feedback:
    """Answers given on one day. `score` is NO_SCORE for text alone, `product` -1 where it is about the whole order."""

    day: int
    order: Ints
    customer: Ints
    product: Ints
    second: Ints
    scale: Ints
    score: Ints
    text: Ints
    late_days: Ints

    def __len__(self) -> int:
        return len(self.order)

    @classmethod
    def joined(cls, parts: list["Feedback"]) -> "Feedback":
        """Answers of the same day as one; at least one part."""
        names = [name for name, value in vars(parts[0]).items() if isinstance(value, np.ndarray)]
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return cls(day=parts[0].day, **arrays)


def answers(lines: Lines, rng: np.random.Generator) -> list[Feedback]:
    """What the buyers of these web lines will say, one Feedback per day on which something is said."""
    firsts = np.flatnonzero((lines.line_no == 1) & (lines.delivered < NEVER))
    late_days = np.maximum(lines.delivered[firsts] - lines.day - PROMISE_DAYS, 0)
    scale = _scales(late_days, rng)
    said = np.flatnonzero(scale >= 0)
    firsts, late_days, scale = firsts[said], late_days[said], scale[said]
    score = _scores(scale, late_days, rng)
    day = lines.delivered[firsts] + rng.integers(1, 5, len(firsts))
    everything = Feedback(
        day=lines.day,
        order=lines.order[firsts],
        customer=lines.customer[firsts],
        product=np.where(scale == STARS, lines.product[firsts], -1),
        second=rng.integers(6 * 3600, 23 * 3600, len(firsts)),
        scale=scale,
        score=score,
        text=_moods(scale, score) * TEXTS_A_MOOD + rng.integers(0, TEXTS_A_MOOD, len(firsts)),
        late_days=late_days,
    )
    return [_of_day(everything, day == each, int(each)) for each in np.unique(day)]


def _of_day(feedback: Feedback, chosen: Bools, day: int) -> Feedback:
    arrays = {name: value[chosen] for name, value in vars(feedback).items() if isinstance(value, np.ndarray)}
    return Feedback(day=day, **arrays)


def _scales(late_days: Ints, rng: np.random.Generator) -> Ints:
    """Which scale each order answers on, -1 for silence."""
    on_time, late = (np.cumsum([getattr(each, name) for each in SCALES]) for name in ("share", "late_share"))
    draw = rng.random(len(late_days))
    scale = np.where(late_days > 0, np.searchsorted(late, draw, "right"), np.searchsorted(on_time, draw, "right"))
    return np.where(scale == len(SCALES), -1, scale)


def _scores(scale: Ints, late_days: Ints, rng: np.random.Generator) -> Ints:
    def of(name: str) -> Floats:
        return np.array([getattr(each, name) for each in SCALES], dtype=np.float64)[scale]

    score = of("base") + of("effect") * late_days + of("spread") * rng.standard_normal(len(scale))
    return np.where(scale == COMPLAINT, NO_SCORE, np.clip(np.round(score), of("low"), of("high"))).astype(np.int64)


def _moods(scale: Ints, score: Ints) -> Ints:
    """0 good, 1 middling, 2 bad."""
    good, bad = (np.array(bounds)[scale] for bounds in ((9, 5, 5, 99), (6, 2, 2, 99)))
    return np.where(score >= good, 0, np.where(score <= bad, 2, 1))
