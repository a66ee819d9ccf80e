"""The style sheet of the report, and the policy that lets a browser apply it and nothing else."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

STYLE = """
:root { color-scheme: light dark; --ground: #f6f7f9; --card: #fff; --text: #1b2430; --soft: #586474; --line: #dde2e8;
  --ref: #9aa7b6; --now: #1f6fd6; --bad: #b3261e; --warn: #8a5a00; --good: #1f7a3d; --third: #8046b8; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #12161c; --card: #1b212a; --text: #e8ecf1; --soft: #9eabba; --line: #313a46;
    --ref: #66758a; --now: #6aa9ff; --bad: #ff8a80; --warn: #f2b95a; --good: #76d091; --third: #c79bf0; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 32px 0 12px; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: 4px 0; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: .875rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px; min-width: 0; }
.card + .card, .card + div > .card { margin-top: 12px; } .cards .card { margin-top: 0; }
.verdict { margin-top: 16px; border-left: 6px solid var(--soft); font-size: 1.15rem; overflow-wrap: anywhere; }
.verdict.worse { border-left-color: var(--bad); } .verdict.changed { border-left-color: var(--warn); }
.verdict.no_change { border-left-color: var(--good); }
.verdict.beside { font-size: 1rem; border-left-width: 3px; }
.verdict strong { display: block; font-size: .8rem; letter-spacing: .04em; text-transform: uppercase; }
.worse strong { color: var(--bad); } .changed strong { color: var(--warn); } .no_change strong { color: var(--good); }
.cards { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 310px), 1fr)); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; color: var(--soft); font-size: .875rem; margin-bottom: 8px; }
.legend span::before { content: ""; display: inline-block; width: 12px; height: 12px; margin-right: 6px;
  border-radius: 2px; background: var(--ref); vertical-align: -1px; }
.legend .now::before, .legend .inputs::before { background: var(--now); }
.legend .outputs::before { background: var(--third); } .legend .loss::before { background: var(--bad); }
.legend .slices::before { background: var(--warn); }
.legend .threshold::before { height: 0; border-top: 2px dashed var(--soft); background: none; vertical-align: 4px; }
svg { display: block; width: 100%; }
.histogram svg, .lines svg { height: 96px; border-bottom: 1px solid var(--line); }
.lines svg { height: 150px; }
.card .lines svg { height: 60px; }
.card .lines { margin-top: 10px; }
.axis { display: flex; justify-content: space-between; gap: 8px; color: var(--soft); font-size: .75rem;
  font-variant-numeric: tabular-nums; }
.histogram { margin-top: 10px; }
.rows { margin-top: 6px; }
.row { display: grid; grid-template-columns: 28% 1fr auto; gap: 8px; align-items: center; font-size: .8rem; }
.row svg, .histogram .row svg { height: 16px; border: 0; }
.row .label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.row .unseen, .row .missing, .row .others { font-style: italic; color: var(--soft); }
.row .figures { font-variant-numeric: tabular-nums; white-space: nowrap; }
rect.ref { fill: var(--ref); } rect.now { fill: var(--now); } rect.reached { fill: var(--bad); }
rect.below { fill: var(--soft); }
polyline { fill: none; stroke: var(--now); stroke-width: 2; vector-effect: non-scaling-stroke; }
polyline.outputs { stroke: var(--third); } polyline.loss { stroke: var(--bad); }
polyline.slices { stroke: var(--warn); }
polyline.threshold { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 6 4; }
.meter { height: 8px; margin: 6px 0 2px; background: var(--line); border-radius: 4px; overflow: hidden; }
.scroll { overflow-x: auto; padding: 4px 16px; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 7px 18px 7px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
th { white-space: normal; vertical-align: bottom; }
.scroll th:first-child, .scroll td:first-child { position: sticky; left: 0; background: var(--card); }
td.number, th.number { text-align: right; }
td.wide { white-space: normal; min-width: 160px; overflow-wrap: anywhere; }
tr.holdout td { color: var(--soft); }
td.wide + td.wide { width: 50%; }
td.state { padding-right: 0; }
sup { line-height: 0; font-size: .75em; }
@media (max-width: 600px) {
  th, td { padding-right: 10px; } .scroll { padding: 4px 12px; }
  td.wide { min-width: 96px; } td.state { white-space: normal; }
}
ul { margin: 0; padding-left: 20px; } li { overflow-wrap: anywhere; }
details summary { cursor: pointer; color: var(--now); margin: 12px 0; }
@media print { body { background: #fff; } .card { break-inside: avoid; } }
"""
_DIGEST = b64encode(sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
"""No script, no request, and no style but this one, whatever a name in the data contains."""
