"""The report in a real browser: its style is applied, and nothing is wider than the window, on a desktop or a phone."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from rondo.monitor.report.page import report_page
from rondo.monitor.report.window_page import window_page
from rondo.monitor.status.candidate_status import CandidateStatus
from rondo.monitor.status.histograms import Bar, Histogram
from rondo.monitor.status.overall_verdict import OverallVerdict
from rondo.monitor.status.window_detail import window_detail

from tests.monitor.report.story import story

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.process,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium: `apt install chromium` for this test"),
]
# The report has no scripts, so a page that contains it measures it. Headless Chromium's window can't be as narrow as a
# phone.
AROUND = """<!doctype html><body><iframe id="f" width="{width}" height="900" srcdoc="{page}"></iframe><script>
onload = () => {{
  const root = document.getElementById("f").contentDocument, body = root.body, root_ = root.documentElement;
  const style = root.defaultView.getComputedStyle(body), out = document.createElement("pre");
  out.id = "measured";
  const wide = [...body.querySelectorAll("main *")].filter(e => !e.closest(".scroll") && !e.closest("svg")
    && e.getBoundingClientRect().right > {width}).map(e => e.tagName);
  out.textContent = [root_.scrollWidth, style.margin, style.backgroundColor, wide.join(" "), root.title].join("|");
  document.body.append(out);
}};
</script>"""
LONG = "a_name_without_any_place_to_break_" * 4


def page_of_model() -> str:
    seen = story(missing=0.03)
    columns = tuple(
        each.model_copy(update={"column": LONG} if each.column == "x" else {}) for each in seen.status.columns
    )
    assert seen.status.newest
    bars = (Bar(kind="category", label=LONG, window=0.5, reference=0.5),)
    newest = seen.status.newest.model_copy(update={"columns": (Histogram(column=LONG, bars=bars),)})
    beside = CandidateStatus(
        role="canary", version=2, rows=9, until=None, verdict=OverallVerdict(state="changed", sentence=LONG), columns=()
    )
    changes = {"columns": columns, "newest": newest, "model": LONG, "candidates": (beside,), "not_counted": (LONG,)}
    return report_page(seen.status.model_copy(update=changes), seen.windows)


def page_of_window() -> str:
    found = window_detail(story(missing=0.03).kept[0])
    bars = (Bar(kind="category", label=LONG, window=0.5, reference=0.5),)
    columns = (*found.columns, Histogram(column=LONG, bars=bars))
    evidence = tuple(each.model_copy(update={"column": LONG}) for each in found.evidence)
    return window_page(LONG, found.model_copy(update={"columns": columns, "evidence": evidence, "no_verdict": LONG}))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("of", [page_of_model, page_of_window])
def test_the_page_fits_and_has_its_style(tmp_path: Path, width: int, scheme: str, of: Callable[[], str]) -> None:
    page = of()
    file = tmp_path / "around.html"
    escaped = page.replace("&", "&amp;").replace('"', "&quot;")
    file.write_text(AROUND.format(width=width, page=escaped))
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    done = subprocess.run(  # noqa: S603 - a fixed command
        [str(BROWSER), "--headless", "--hide-scrollbars", "--no-sandbox", "--disable-gpu",
         f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,1000", *dark, "--dump-dom", file.as_uri()],
        capture_output=True, text=True, check=True, timeout=90,
    )  # fmt: skip
    (measured,) = re.findall(r'<pre id="measured">(.*?)</pre>', done.stdout)
    scrolled, margin, background, wide, title = measured.split("|")
    assert (int(scrolled), wide) == (width, "")
    assert margin == "0px"
    assert background == {"light": "rgb(246, 247, 249)", "dark": "rgb(18, 22, 28)"}[scheme]
    assert title.startswith(LONG)
