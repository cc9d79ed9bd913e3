"""Who sends what when: a day of the company becomes delivered files, corrected, late and with planted defects.

What happened before the first delivery day goes into the files of that day, as it is known then.
"""

from collections import defaultdict, deque
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np

from pipelines.demo import feeds, specimens
from pipelines.demo.catalogue import LOCATIONS, Customers, Products, Suppliers
from pipelines.demo.defects import CSV_KINDS, JSON_KINDS, Planted, Sound, kinds_of_day, spoil, spoil_json
from pipelines.demo.deliveries import Delivery, Dialect, Outbox
from pipelines.demo.goals import CHANGED, GOALS, Goal, target_records
from pipelines.demo.market import Market, PriceChange
from pipelines.demo.plan import Bools, Ints, Plan
from pipelines.demo.sales import NEWS_DAYS, Lines, has_news, known
from pipelines.demo.supply import PurchaseOrders, Stock
from pipelines.demo.truth import Books
from pipelines.demo.voices import NO_SCORE, SCALES, TEXTS, Feedback

WEB_CSV = Dialect()
STORE_CSV = Dialect(delimiter=";", encoding="latin-1", compression="gz")
CUSTOMER_CSV = Dialect(quoted=True)
PURCHASE_CSV = Dialect(delimiter="|", compression="zst")
TEXT_LIST = [text for mood in TEXTS for text in mood]
NEGATIVE_STOCK = -3
PRICE_RISE = 1.04


class Clerks:
    """The exports of the company's systems. Call the feeds of a day in any order, then `close` it."""

    def __init__(
        self,
        plan: Plan,
        out: Path,
        books: Books,
        names: feeds.Names,
        products: Products,
        customers: Customers,
        suppliers: Suppliers,
        rng: np.random.Generator,
    ) -> None:
        self.plan = plan
        self.books = books
        self.names = names
        self.products = products
        self.customers = customers
        self.suppliers = suppliers
        self.rng = rng
        self.outbox = Outbox(out, plan, books.deliveries)
        self._recent: deque[Lines] = deque(maxlen=NEWS_DAYS)
        self._purchases: list[PurchaseOrders] = []
        self._returns: defaultdict[int, list[Lines]] = defaultdict(list)
        self._feedback: defaultdict[int, list[Feedback]] = defaultdict(list)
        self._store_lines: defaultdict[int, list[Lines]] = defaultdict(list)
        self._serial = 0
        self._open_days = [day for day in range(plan.first, plan.total) if plan.shops_open(day)]

    # Sales

    def web(self, day: int, lines: Lines, returns: list[Lines], feedback: list[Feedback]) -> None:
        """The web shop's export: the day's orders, returns, and news of earlier orders."""
        for back in returns:
            self._returns[back.day].append(back)
        for answer in feedback:
            self._feedback[answer.day].append(answer)
        self._tell_web(lines, day, specimens.WEB)
        if day in self._returns:
            self._tell_web(Lines.joined(self._returns.pop(day)), day)
        if self.plan.dirty:
            if day > self.plan.first:
                self._tell_news(day)
            self._recent.append(lines)
        self._tell_feedback(day)

    def store(self, day: int, lines: Lines) -> None:
        """A store's till roll: one file per store and day, which may come late, twice or cut."""
        table = feeds.store_sales(self.plan, lines, self.products, self.names)
        if day < self.plan.first:
            self.books.book_lines(lines, known(lines, day))
            self.outbox.csv("order_lines", day, "stores/history.csv.gz", STORE_CSV).write(table)
            return
        name = f"stores/{LOCATIONS[lines.location].location_id.lower()}_{self.plan.on(day):%Y%m%d}.csv.gz"
        accident = self._accident(day, lines.location)
        told = day + {"late": 2, "cut": 1}.get(accident, 0)
        self._store_lines[told].append(lines)
        file = self.outbox.csv("order_lines", told, name, STORE_CSV)
        file.delivery.note = {"late": "late", "cut": "mended"}.get(accident, "")
        file.write(table, self._planted("order_lines", specimens.STORE, day) if lines.location == 1 else ())
        self.outbox.close_one(file)
        if accident:
            self._mishandle(accident, file.delivery, day, name)

    def _tell_web(self, lines: Lines, day: int, sound: Sound | None = None) -> None:
        if not len(lines):
            return
        state = known(lines, self.plan.delivery_day(day))
        self.books.book_lines(lines, state)
        table = feeds.web_orders(self.plan, lines, state, self.products, self.names)
        planted = self._planted("order_lines", sound, day) if sound else ()
        self.outbox.csv("order_lines", day, "web_orders.csv", WEB_CSV).write(table, planted)

    def _tell_news(self, day: int) -> None:
        for lines in self._recent:
            changed = lines.take(has_news(lines, day))
            if len(changed):
                after = known(changed, day)
                self.books.rebook_lines(changed, known(changed, day - 1), after)
                table = feeds.web_orders(self.plan, changed, after, self.products, self.names)
                self.outbox.csv("order_lines", day, "web_orders.csv", WEB_CSV).write(table)

    def _accident(self, day: int, location: int) -> str:
        """What goes wrong with the first store's file: every eighth open day one of each kind, in turn."""
        if not self.plan.dirty or location != 1:
            return ""
        accident, needs = {0: ("late", 2), 1: ("copied", 1), 2: ("cut", 1)}.get(self._open_days.index(day) % 8, ("", 0))
        return accident if day + needs <= self.plan.last else ""

    def _mishandle(self, accident: str, delivery: Delivery, day: int, name: str) -> None:
        content = self.outbox.read_bytes(delivery)
        if accident == "copied":
            copy = self.outbox.delivery("order_lines", day + 1, name.replace(".csv.gz", "_kopie.csv.gz"))
            copy.records, copy.duplicates, copy.quarantined = (
                delivery.records,
                delivery.duplicates,
                delivery.quarantined,
            )
            copy.status, copy.note = "duplicate", f"same bytes as {delivery.path}"
            self.outbox.write_bytes(copy, content)
        if accident == "cut":
            cut = self.outbox.delivery("order_lines", day, name)
            cut.status, cut.reason_code, cut.note = "refused", "bad_archive", f"whole in {delivery.path}"
            self.outbox.write_bytes(cut, content[: len(content) * 2 // 3])

    # Feedback

    def _tell_feedback(self, day: int) -> None:
        records = []
        if day in self._feedback:
            answers = Feedback.joined(self._feedback.pop(day))
            self.books.book_feedback(answers)
            records = self._feedback_records(answers)
        planted = self._planted_json(day)
        if records or planted:
            self.outbox.json_lines("feedback", day, "feedback.jsonl").write(records, planted)

    def _feedback_records(self, feedback: Feedback) -> list[dict[str, object]]:
        stamp = [text.as_py() for text in feeds.stamps(self.plan.midnights[feedback.day] + feedback.second)]
        return [
            {
                "id": f"F{feedback.order[i]}",
                "at": stamp[i],
                "channel": SCALES[feedback.scale[i]].channel,
                "scale": SCALES[feedback.scale[i]].name,
                "score": None if feedback.score[i] == NO_SCORE else int(feedback.score[i]),
                "customer": self.customers.ids[feedback.customer[i]],
                "order": str(feedback.order[i]),
                "product": None if feedback.product[i] < 0 else self.products.ids[feedback.product[i]],
                "text": TEXT_LIST[feedback.text[i]],
            }
            for i in range(len(feedback))
        ]

    # Supply

    def purchase_orders(self, day: int, orders: PurchaseOrders) -> None:
        """The ERP's export: lines when ordered, confirmed and received; in a clean company on receipt alone."""
        if len(orders):
            self.books.book_purchases(orders)
            self._purchases.append(orders)
        if day < self.plan.first:
            return
        planted: tuple[Planted, ...] | None = None
        for batch in self._purchases:
            chosen = self._purchase_news(batch, day)
            if chosen.any():
                planted = self._planted("purchase_order_lines", specimens.PURCHASE, day) if planted is None else ()
                table = feeds.purchase_order_records(self.plan, batch, chosen, day, self.names, self.suppliers)
                self.outbox.csv("purchase_order_lines", day, "purchase_orders.csv.zst", PURCHASE_CSV).write(
                    table, planted
                )
        self._purchases = [batch for batch in self._purchases if (batch.received_day > day).any()]

    def _purchase_news(self, orders: PurchaseOrders, day: int) -> Bools:
        is_received_today = orders.received_day == day
        if day == self.plan.first:
            return np.full(len(orders), True) if self.plan.dirty else orders.received_day <= day
        if not self.plan.dirty:
            return np.asarray(is_received_today)
        return np.asarray(is_received_today | (day in (orders.day, orders.day + 1)))

    def inventory(self, day: int, kept: Ints, stock: Stock, received: Ints, issued: Ints) -> None:
        """The warehouse system's closing stock of the series it keeps."""
        count = len(self.products)
        on_hand = stock.on_hand[kept].copy()
        if self.plan.dirty and day >= self.plan.first and (day - self.plan.first) % 5 == 1:
            on_hand[np.argmin(on_hand)] = NEGATIVE_STOCK
            self.books.planted["inventory_levels", "negative_stock"] += 1
        table = feeds.inventory_records(
            self.plan, day, kept % count, kept // count, on_hand, stock.on_order[kept], received[kept], issued[kept],
            self.products, self.names,
        )  # fmt: skip
        self.outbox.parquet("inventory_levels", day, "inventory.parquet").write(table)
        self.books.current["inventory_levels"] += len(kept)

    def rates(self, day: int, rates: dict[str, Decimal]) -> None:
        """The bank's rates, on weekdays; the first day has some in any case."""
        if day == 0 or self.plan.on(day).weekday() < 5:
            self.outbox.csv("exchange_rates", day, "rates.csv", WEB_CSV).write(
                feeds.exchange_rates(self.plan.on(day), rates)
            )
            self.books.current["exchange_rates"] += len(rates)

    # Masters

    def masters(self, day: int, market: Market, stock: Stock, change: PriceChange | None) -> None:
        """Everything on the first delivery day, what is new or changed on later ones."""
        if day < self.plan.first:
            return
        if day == self.plan.first:
            table = feeds.supplier_records(self.suppliers)
            self.outbox.csv("suppliers", day, "suppliers.csv", WEB_CSV).write(table)
            self.books.current["suppliers"] += len(table)
        self._tell_products(day, market, change)
        self._tell_customers(day)
        self._tell_price_list(day, stock)
        self._tell_targets(day)

    def _tell_products(self, day: int, market: Market, change: PriceChange | None) -> None:
        products = self.products
        new = (products.launched == day) | ((day == self.plan.first) & (products.launched < day))
        changed = np.full(len(products), False)
        if self.plan.dirty and day > self.plan.first:
            changed |= products.discontinued == day
            if change is not None:
                changed[change.product] = products.launched[change.product] < day
        told = np.flatnonzero((new | changed) & products.in_master)
        if len(told):
            records = feeds.product_records(self.plan, products, market.price, told, day)
            self.outbox.json_lines("products", day, "products.jsonl").write(records)
        self.books.current["products"] += int((new & products.in_master).sum())

    def _tell_customers(self, day: int) -> None:
        customers, first = self.customers, self.plan.first
        new = (customers.registered == day) | ((day == first) & (customers.registered < day))
        moved = np.full(len(customers), False)
        if self.plan.dirty and day > first:
            known_before = int(np.searchsorted(customers.registered, day))
            movers = self.rng.choice(known_before, max(1, known_before // 1000), replace=False)
            customers.city[movers] += 1
            moved[movers] = True
        told = np.flatnonzero((new | moved) & customers.in_master)
        if len(told):
            table = feeds.customer_records(self.plan, customers, told)
            file = self.outbox.csv("customers", day, "customers.csv", CUSTOMER_CSV)
            file.write(table, self._planted("customers", specimens.CUSTOMER, day))
        self.books.current["customers"] += int((new & customers.in_master).sum())

    def _tell_price_list(self, day: int, stock: Stock) -> None:
        """All offers on the first day; half-way one supplier ends its offers and makes dearer ones."""
        products, plan = self.products, self.plan
        every = np.arange(len(products))
        if day == plan.first:
            second = every[products.second_supplier >= 0]
            supplier = np.concatenate([products.supplier, products.second_supplier[second]])
            price = np.concatenate([stock.contract_price, stock.contract_price[second] * 11 // 10])
            self._tell_offers(day, supplier, np.concatenate([every, second]), price, plan.on(0))
        elif plan.dirty and day == plan.first + plan.days // 2:
            own = every[products.supplier == 0]
            supplier, before = products.supplier[own], stock.contract_price[own].copy()
            stock.contract_price[own] = np.ceil(before * PRICE_RISE).astype(np.int64)
            self._tell_offers(day, supplier, own, before, plan.on(0), plan.on(day - 1))
            self.books.current["supplier_products"] -= len(own)
            self._tell_offers(day, supplier, own, stock.contract_price[own], plan.on(day))

    def _tell_offers(
        self, day: int, supplier: Ints, product: Ints, price: Ints, valid_from: date, valid_to: date | None = None
    ) -> None:
        table = feeds.price_list(
            supplier, product, price, self.names, self.suppliers, self.products, valid_from, valid_to
        )
        self.outbox.parquet("supplier_products", day, "price_list.parquet").write(table)
        self.books.current["supplier_products"] += len(table)

    def _tell_targets(self, day: int) -> None:
        """The plan on the first day; half-way one goal is told again with another target."""
        told: tuple[Goal, ...] = ()
        if day == self.plan.first:
            told = GOALS
            self.books.current["kpi_targets"] += len(GOALS)
        elif self.plan.dirty and day == self.plan.first + self.plan.days // 2:
            told = (CHANGED,)
        if told:
            self.outbox.csv("kpi_targets", day, "targets.csv", WEB_CSV).write(target_records(told, self.plan.scale))

    def close(self, day: int) -> None:
        """End the day: what its files tell is known now."""
        for lines in self._store_lines.pop(day, []):
            self.books.book_lines(lines, known(lines, day))
        self.outbox.close(day)
        if day >= self.plan.first:
            self.books.end_day(day)

    # Defects

    def _planted(self, feed: str, sound: Sound, day: int) -> tuple[Planted, ...]:
        if not self.plan.dirty or day < self.plan.first:
            return ()
        able = tuple(kind for kind in CSV_KINDS if spoil(sound, kind, 0) is not None)
        planted = []
        for kind in kinds_of_day(able, day - self.plan.first, self.plan.days):
            self._serial += 1
            each = spoil(sound, kind, self._serial)
            assert each is not None
            self.books.planted[feed, kind] += each.records
            planted.append(each)
        return tuple(planted)

    def _planted_json(self, day: int) -> tuple[Planted, ...]:
        if not self.plan.dirty or day < self.plan.first:
            return ()
        planted = []
        for kind in kinds_of_day(JSON_KINDS, day - self.plan.first, self.plan.days):
            self._serial += 1
            planted.append(spoil_json(specimens.FEEDBACK, kind, self._serial))
            self.books.planted["feedback", kind] += 1
        return tuple(planted)
