"""Panels of demand read from the real companies' files. Forecasting them and judging it do not belong here."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# Series of the daily panel: those that took most money before the first origin.
DAILY_SERIES = 400


@dataclass(frozen=True)
class Backtest:
    """One company at one grain.

    Attributes:
        name: of the company and grain.
        title: what the series are.
        horizon: periods ahead.
        season: 7 (days), 52 (weeks) or 12 (months).
        last: the last period whose demand is complete; origins lie a horizon apart and back from it.
        country: whose holidays matter.
        lag: the periods back that scale MASE, where the data are too short for the season.
    """

    name: str
    title: str
    horizon: int
    season: int
    last: date
    country: str | None = None
    lag: int | None = None
    origins: int = 6


BACKTESTS = (
    Backtest(
        "online_retail_weekly", "Online Retail, stock code by week", 4, 52, date(2011, 11, 28), country="GB", lag=1
    ),
    Backtest(
        "online_retail_daily",
        f"Online Retail, stock code by day, the {DAILY_SERIES} that had taken most money",
        14,
        7,
        date(2011, 12, 8),
        country="GB",
    ),
    Backtest("adventureworks_monthly", "AdventureWorks, product x territory by month", 3, 12, date(2025, 4, 1)),
    Backtest(
        "adventureworks_weekly", "AdventureWorks, product x territory by week, internet only", 4, 52, date(2025, 5, 19)
    ),
)


def read(backtest: Backtest, folder: Path) -> "pd.DataFrame":
    """The history frame of a backtest."""
    company, _, grain = backtest.name.rpartition("_")
    return {"online_retail": _online_retail, "adventureworks": _adventureworks}[company](folder, grain, backtest)


def _online_retail(folder: Path, grain: str, backtest: Backtest) -> "pd.DataFrame":
    """Units by stock code, less what was cancelled the same day: two orders of 80,995 and 74,215 lived for minutes.

    Exact repeats of a row and codes that are no goods (they do not begin with five digits) are left out, and so are
    lines without a price: they are write-offs. Later cancellations are returns, not less demand.
    """
    import pandas as pd

    columns = {"InvoiceNo": str, "StockCode": str, "Quantity": "int64", "InvoiceDate": str, "UnitPrice": "float64"}
    files = sorted((folder / "online-retail").glob("*.csv"))
    rows = pd.concat([pd.read_csv(file, dtype={**columns, "CustomerID": str, "Country": str}) for file in files])
    rows = rows.drop_duplicates()
    rows = rows[rows["StockCode"].str.match(r"\d{5}") & (rows["UnitPrice"] > 0)]
    rows = rows.assign(
        series_id=rows["StockCode"].str.upper(),
        date=pd.to_datetime(rows["InvoiceDate"].str[:10]),
        money=rows["Quantity"] * rows["UnitPrice"],
    )
    days = rows.groupby(["series_id", "date"], as_index=False)[["Quantity", "money"]].sum()
    days = days[days["Quantity"] > 0].rename(columns={"Quantity": "quantity"})
    if grain == "weekly":
        return _by_week(days, backtest)
    days = days[days["date"] <= pd.Timestamp(backtest.last)]
    before = days[days["date"] <= first_origin(backtest)].groupby("series_id")["money"].sum()
    kept = before.sort_values(ascending=False, kind="stable").index[:DAILY_SERIES]
    return days.loc[days["series_id"].isin(kept), ["series_id", "date", "quantity"]].reset_index(drop=True)


def _adventureworks(folder: Path, grain: str, backtest: Backtest) -> "pd.DataFrame":
    """Units by product and territory; subcategory and territory are attributes.

    Months: both channels, up to the last with resellers. Weeks: internet only, resellers order once a month.
    """
    import pandas as pd

    files = folder / "adventureworks"
    lines = pd.read_csv(files / "Sales.SalesOrderLines.csv", parse_dates=["OrderDate"])
    products = pd.read_csv(files / "Production.Product.csv", usecols=["ProductID", "ProductSubcategoryID"])
    lines = lines.merge(products, on="ProductID", how="left", validate="many_to_one")
    if grain == "weekly":
        lines = lines[lines["Channel"] == "internet"]
    days = pd.DataFrame(
        {
            "series_id": lines["ProductID"].astype(str) + "|" + lines["SalesTerritoryRegion"],
            "date": lines["OrderDate"],
            "quantity": lines["OrderQty"].astype(float),
            "subcategory": lines["ProductSubcategoryID"].astype("Int64").astype(str),
            "territory": lines["SalesTerritoryRegion"],
        }
    )
    if grain == "weekly":
        return _by_week(days, backtest)
    months = days.assign(date=days["date"].dt.to_period("M").dt.to_timestamp())
    return _summed(months[months["date"] <= pd.Timestamp(backtest.last)])


def _by_week(days: "pd.DataFrame", backtest: Backtest) -> "pd.DataFrame":
    """Whole weeks, dated by their Monday; the first and the last of the data are not whole."""
    import pandas as pd

    weeks = days.assign(date=days["date"] - pd.to_timedelta(days["date"].dt.weekday, unit="D"))
    whole = (weeks["date"] > weeks["date"].min()) & (weeks["date"] <= pd.Timestamp(backtest.last))
    return _summed(weeks[whole])


def _summed(rows: "pd.DataFrame") -> "pd.DataFrame":
    keys = [name for name in rows.columns if name not in ("quantity", "money")]
    return rows.groupby(keys, as_index=False)["quantity"].sum().astype({"quantity": "float64"})


def first_origin(backtest: Backtest) -> "pd.Timestamp":
    """The earliest of a backtest's origins."""
    import pandas as pd

    return pd.Timestamp(origins(backtest)[0])


def origins(backtest: Backtest) -> list[date]:
    """A backtest's origins, a horizon apart, the earliest first."""
    from models_ml.__main__ import rolling_origins

    return rolling_origins(backtest.last, horizon=backtest.horizon, count=backtest.origins, season=backtest.season)
