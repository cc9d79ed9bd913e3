"""Masters of the demo company: groups, products, suppliers, customers, locations. What they are, not what they do.

Masters are drawn once; arrays are in the order of the ids. Money is whole cents.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.demo.plan import Bools, Floats, Ints, Plan

CURRENCIES = ("EUR", "GBP", "CHF", "USD")
# The shop's own price list factors: they stand for years, unlike the exchange rates.
LIST_FACTORS = np.array([1.0, 0.86, 0.95, 1.10])
COUNTRIES = ("DE", "AT", "FR", "GB", "CH", "US")
COUNTRY_CURRENCY = np.array([0, 0, 0, 1, 2, 3])
CITIES = (
    ("Köln", "München", "Düsseldorf", "Leipzig", "Würzburg", "Gießen"),
    ("Wien", "Graz"),
    ("Strasbourg", "Besançon"),
    ("Leeds", "York"),
    ("Zürich", "Genève"),
    ("Boston, MA", "Austin, TX"),
)
FIRST_NAMES = ("Jörg", "Anna", "Zoë", "Mehmet", "Bjørn", "Chloé", "Uwe", "Siân", "Ayşe", "Karl")
LAST_NAMES = (
    "Müller",
    "O'Brien",
    "Groß",
    "Yılmaz",
    "de la Cruz",
    'Weiß "Sen."',
    "Schäfer",
    "Nowak",
    "Lefèvre",
    "Smith",
)
NEVER = 10**6
LINES_A_DAY = 180.0
CLASSES = ("smooth", "erratic", "intermittent", "lumpy")
# By rank of volume, so that even a tiny catalogue has each class.
CLASS_PATTERN = np.array([0, 0, 1, 0, 2, 0, 3, 0, 2, 1])


@dataclass(frozen=True)
class Location:
    """Where stock lies and who sells it; one channel each. `number` opens its order numbers."""

    location_id: str
    channel_id: str
    city: str
    share: float
    number: int


LOCATIONS = (
    Location("WH1", "web", "Leipzig", 0.56, 1),
    Location("ST1", "store", "Köln", 0.26, 2),
    Location("ST2", "store", "München", 0.18, 3),
)
WEB = 0


@dataclass(frozen=True)
class Group:
    """A product group and how it sells. Weekday factors run Monday to Sunday and have mean 1 over the open days."""

    name: str
    subcategory: str
    growth: float
    amplitude: float
    peak_day: int
    elasticity: float
    mean_quantity: float
    price: tuple[int, int]
    web_week: tuple[float, ...]
    store_week: tuple[float, ...]


_EVENING = (1.10, 1.05, 1.00, 0.95, 0.85, 0.90, 1.15)
_SATURDAY = (0.80, 0.80, 0.85, 0.95, 1.15, 1.45, 0.0)
_OFFICE = (1.25, 1.20, 1.15, 1.10, 1.00, 0.70, 0.60)
_FLAT = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0)
GROUPS = (
    Group("Tee", "Grüner Tee", 0.10, 0.35, 15, 1.2, 1.8, (390, 1490), _EVENING, _SATURDAY),
    Group("Kaffee", "Röstkaffee", 0.06, 0.10, 340, 1.5, 2.0, (590, 1990), _OFFICE, _SATURDAY),
    Group("Küche", "Geschirr", 0.00, 0.20, 345, 1.8, 1.3, (990, 5990), _EVENING, _SATURDAY),
    Group("Garten", "Töpfe", 0.15, 0.60, 150, 1.6, 1.4, (490, 3990), _EVENING, _SATURDAY),
    Group("Geschenke", "Saison", -0.08, 0.50, 350, 2.2, 1.2, (790, 2990), _EVENING, _SATURDAY),
    Group("Ersatzteile", "Dichtungen", 0.02, 0.05, 100, 0.5, 1.5, (190, 2490), _OFFICE, _FLAT),
)


@dataclass(frozen=True)
class Suppliers:
    """Suppliers and how they deliver.

    A line is late with `late_share`, then 1 + Poisson(`late_extra`) days after the promise; otherwise it comes
    0..`early` days before it, each equally likely. `short_share` of lines bring 90 %;
    of each unit received `reject_share` is bad.
    """

    ids: list[str]
    names: list[str]
    country: Ints
    currency: Ints
    contract_days: Ints
    early: Ints
    late_share: Floats
    late_extra: Floats
    reject_share: Floats
    short_share: Floats

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Products:
    """Products; `base_lines` is (locations, products), expected order lines on an average day."""

    ids: list[str]
    names: list[str]
    group: Ints
    demand_class: Ints
    mean_quantity: Floats
    base_lines: Floats
    first_price: Ints
    cost: Ints
    launched: Ints
    discontinued: Ints
    supplier: Ints
    second_supplier: Ints
    multiple: Ints
    in_master: Bools

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Customers:
    """Customers in the order they register; `city` indexes CITIES of their country and changes when they move."""

    ids: list[str]
    country: Ints
    city: Ints
    registered: Ints
    in_master: Bools

    def __len__(self) -> int:
        return len(self.ids)


def draw_suppliers(plan: Plan, rng: np.random.Generator) -> Suppliers:
    count = max(4, round(8 * plan.scale**0.3))
    country = rng.choice([0, 0, 1, 3, 5], count)
    return Suppliers(
        ids=[f"L{number:03d}" for number in range(1, count + 1)],
        names=[f"{LAST_NAMES[i % 10].split()[0]} & Söhne {i + 1}" for i in range(count)],
        country=country,
        currency=COUNTRY_CURRENCY[country],
        contract_days=rng.integers(4, 19, count),
        early=rng.integers(0, 3, count),
        late_share=np.round(rng.uniform(0.04, 0.30, count), 3),
        late_extra=np.round(rng.uniform(1.0, 4.0, count), 2),
        reject_share=np.round(rng.uniform(0.0, 0.03, count), 4),
        short_share=np.round(rng.uniform(0.0, 0.08, count), 3),
    )


def draw_products(plan: Plan, suppliers: Suppliers, rng: np.random.Generator) -> Products:
    count = max(18, round(64 * plan.scale**0.5))
    rank = np.arange(count)
    demand_class = CLASS_PATTERN[rank % 10]
    group = rng.integers(0, len(GROUPS), count)
    group[: len(GROUPS)] = np.arange(len(GROUPS))
    low, high = (np.array([each.price[side] for each in GROUPS])[group] for side in (0, 1))
    price = np.round(np.exp(rng.uniform(np.log(low), np.log(high))) / 10).astype(np.int64) * 10 + 9
    supplier = rng.integers(0, len(suppliers), count)
    supplier[: len(suppliers)] = np.arange(min(len(suppliers), count))
    mean_quantity = np.array([each.mean_quantity for each in GROUPS])[group]
    launched, discontinued = _lives(plan, rank)
    return Products(
        ids=[f"P{number:05d}" for number in range(1, count + 1)],
        names=[f"{GROUPS[g].subcategory} Nr. {i + 1}" for i, g in enumerate(group)],
        group=group,
        demand_class=demand_class,
        mean_quantity=np.where(demand_class == 3, 12.0, mean_quantity),
        base_lines=_base_lines(plan, demand_class, rng),
        first_price=price,
        cost=np.round(price * rng.uniform(0.35, 0.65, count)).astype(np.int64),
        launched=launched,
        discontinued=discontinued,
        supplier=supplier,
        second_supplier=np.where(rng.random(count) < 0.4, (supplier + 1) % len(suppliers), -1),
        multiple=rng.choice([1, 6, 12], count),
        in_master=(rank != count - 2) | (not plan.dirty),
    )


def _lives(plan: Plan, rank: Ints) -> tuple[Ints, Ints]:
    """First and last day on sale. Every 17th product is new, the first of them inside the delivered days."""
    launched = np.full(len(rank), -400, dtype=np.int64)
    new = rank % 17 == 5
    launched[new] = np.maximum(plan.total - 60 - 5 * (rank[new] // 17), 1)
    launched[5] = plan.first + plan.days // 2
    discontinued = np.full(len(rank), NEVER, dtype=np.int64)
    discontinued[rank % 17 == 11] = max(plan.first - 30, plan.total // 2)
    discontinued[11] = plan.first + plan.days // 3
    return launched, discontinued


def _base_lines(plan: Plan, demand_class: Ints, rng: np.random.Generator) -> Floats:
    """(locations, products): slow movers stay slow at every scale, the rest share what is left by a power law."""
    count = len(demand_class)
    slow = np.where(demand_class == 3, rng.uniform(0.03, 0.12, count), rng.uniform(0.05, 0.30, count))
    slow = np.where(demand_class >= 2, slow * min(1.0, plan.scale**0.5), 0.0)
    fast = np.where(demand_class < 2, (1.0 + np.arange(count)) ** -0.8 * rng.lognormal(0.0, 0.3, count), 0.0)
    fast *= max(LINES_A_DAY * plan.scale - slow.sum(), 0.0) / fast.sum()
    share = np.array([location.share for location in LOCATIONS])[:, None] * rng.uniform(0.7, 1.3, (3, count))
    return np.asarray((slow + fast) * share / share.sum(axis=0))


def draw_customers(plan: Plan, rng: np.random.Generator) -> Customers:
    count = max(40, round(1500 * plan.scale**0.65))
    country = rng.choice(6, count, p=[0.70, 0.08, 0.04, 0.08, 0.06, 0.04])
    known = round(count * 0.6)
    registered = np.full(count, -1, dtype=np.int64)
    registered[known:] = np.linspace(0, plan.last, count - known).astype(np.int64)
    return Customers(
        ids=[f"K{number:07d}" for number in range(1, count + 1)],
        country=country,
        city=rng.integers(0, 60, count),
        registered=registered,
        in_master=(np.arange(count) != 7) | (not plan.dirty),
    )
