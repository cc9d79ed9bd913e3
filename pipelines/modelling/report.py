"""The forecast report: one self-contained HTML page with the fans of the series that matter most, and their grades.

Pictures are drawn by `pipelines.pictures`; no script, no network, nothing but the page is needed to read it.
"""

import html
from datetime import date
from pathlib import Path

from pipelines.durable import put_whole
from pipelines.pictures import ForecastPictures
from pipelines.settings import Settings

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Forecasts of {company} as of {as_of}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #222; }}
h1 {{ font-size: 1.5rem; margin-bottom: .2rem; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
p {{ max-width: 48rem; }}
.grid {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(34rem, 1fr)); gap: 1rem; }}
figure {{ margin: 0; }} img {{ width: 100%; }} figcaption {{ font-size: .85rem; color: #555; }}
</style></head><body>
<h1>Forecasts of {company} as of {as_of}</h1>
<p>The shaded band holds demand in eight of ten cases if the forecast is right; the dashed line is what was forecast a
week ahead of each day.</p>
<h2>The series with the highest value</h2><div class="grid">{fans}</div>
<h2>How good the forecasts of the last four weeks were</h2><div class="grid">{grades}</div>
</body></html>
"""


def write_forecast_report(settings: Settings, company: str, as_of: date, pictures: ForecastPictures) -> Path:
    """Write `<home>/reports/forecasts.html` and return its path. A reader sees the old page or the new one, whole."""
    page = PAGE.format(
        company=html.escape(company),
        as_of=as_of,
        fans="".join(_figure(name, image) for name, image in pictures.fans.items()),
        grades="".join(_figure(*each) for each in (pictures.accuracy | pictures.value_added).items()),
    )
    settings.reports_path.mkdir(parents=True, exist_ok=True)
    return put_whole(settings.reports_path / "forecasts.html", page.encode())


def _figure(name: str, image: str) -> str:
    told = html.escape(name)
    return f'<figure><img alt="{told}" src="{image}"><figcaption>{told}</figcaption></figure>'
