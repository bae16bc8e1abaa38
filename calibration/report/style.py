"""The look of a report: light and dark, a phone and a wide screen, paper. No file beside it, no host."""

from __future__ import annotations

from calibration.report.markup import Markup, tag, trusted

STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--soft:#57606a;--line:#d0d7de;--box:#f6f8fa;--best:#e6f2ff;--grid:#e4e8ec;
--c1:#0067b0;--c2:#c24a00;--c3:#00795a;--c4:#8a3f8f;--c5:#8a6d00;--c6:#3d4852;--good:#0067b0;--bad:#c24a00;--mark:#1b1f24;--halo:#fff}
@media screen and (prefers-color-scheme:dark){
:root{--bg:#12161b;--fg:#e6eaef;--soft:#9aa5b1;--line:#343c46;--box:#1a2027;--best:#15304a;
--grid:#262d35;--c1:#5db3f5;--c2:#ff9d5c;--c3:#3ccf9f;--c4:#d99be0;--c5:#e0c04a;--c6:#aab4bf;--good:#5db3f5;--bad:#ff9d5c;
--mark:#e6eaef;--halo:#12161b}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1rem 1.2rem 4rem;background:var(--bg);color:var(--fg);
font:16px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:.4rem 0 .2rem}
h2{font-size:1.25rem;margin:2.4rem 0 .6rem;border-top:1px solid var(--line);
padding-top:1.2rem}h3{font-size:1.05rem;margin:1.4rem 0 .4rem}
p,ul{margin:.4rem 0}.soft,figcaption,dt{color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.6rem 0}dd{margin:0}
.answer{background:var(--box);border:1px solid var(--line);border-radius:.5rem;padding:.8rem 1rem;margin:1rem 0}
.answer strong{font-size:1.15rem}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.5rem;margin:.6rem 0}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{padding:.35rem .55rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;overflow-wrap:normal}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--bg)}
thead th{background:var(--box);font-weight:600}thead th:first-child{background:var(--box)}
tbody tr:last-child td,tbody tr:last-child th{border-bottom:0}
td.best,th.best{background:var(--best)}td.top{font-weight:700}
td.refused{text-align:left;white-space:normal;min-width:12rem}
small{display:block;color:var(--soft);font-size:.75rem;font-weight:400}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));gap:.8rem}
figure{margin:0}.panel{border:1px solid var(--line);border-radius:.5rem;padding:.5rem .6rem .2rem}
figcaption{font-size:.9rem}.scores{max-width:44rem}.chart{width:100%;height:auto;display:block}
.chart text{fill:var(--fg);font-size:13px}.chart .tick{fill:var(--soft);font-size:12px}.chart .axis{fill:var(--soft)}
.chart .halo{paint-order:stroke;stroke:var(--halo);stroke-width:3.5px;stroke-linejoin:round}
.good-text{color:var(--good)}.bad-text{color:var(--bad)}
.chart .c1-text{fill:var(--c1)}.chart .c2-text{fill:var(--c2)}.chart .c3-text{fill:var(--c3)}
.grid{stroke:var(--grid);stroke-width:1}.line{fill:none;stroke-width:1.8;stroke:currentColor}.thick{stroke-width:3.4}
.dashed{stroke-dasharray:6 4}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}
.c4{color:var(--c4)}.c5{color:var(--c5)}
.c6{color:var(--c6)}.mark{stroke:var(--mark);stroke-width:1.4;stroke-dasharray:2 2}.rug{stroke:var(--fg);stroke-width:1}
.bar.good{fill:var(--good);opacity:.8}.bar.bad{fill:var(--bad);opacity:.8}
.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;font-size:.9rem}.key{width:34px;height:12px;
vertical-align:middle;margin-right:.45rem}
.mistake{border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem;margin:.8rem 0}.mistake h3{margin:.1rem 0}
.shots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(46%,19rem),1fr));gap:.5rem;margin-top:.5rem}
.shots img{width:100%;height:auto;display:block;border-radius:.25rem;image-rendering:auto}
.tagged{display:inline-block;border:1px solid currentColor;border-radius:1rem;padding:0 .6rem;
font-size:.85rem;margin-right:.5rem}
.miss,.false_alarm{color:var(--bad)}.undecided{color:var(--c5)}
details{margin:.6rem 0}summary{cursor:pointer;font-weight:600}
@media (max-width:30rem){.refused span{display:inline-block;max-width:48vw}
.chart text{font-size:17px}.chart .tick{font-size:16px}}
@media print{@page{size:A4 landscape;margin:12mm}body{max-width:none;padding:0;font-size:12px}*{print-color-adjust:exact}
.scroll{overflow:visible}th,td{padding:.25rem .35rem;white-space:normal}th:first-child,td:first-child{position:static}
tr,.mistake,.panel,.answer{break-inside:avoid}h2,h3,summary{break-after:avoid}.charts{grid-template-columns:repeat(3,1fr)}
.shots{grid-template-columns:repeat(6,1fr)}.scores{max-width:26rem}}
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, *body: Markup) -> bytes:
    """A whole HTML file: nothing is fetched from anywhere, and the browser is told so."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", title),
        tag("style", trusted(STYLE)),
    )
    document = tag("html", head, tag("body", *body), lang="en")
    return f"<!doctype html>\n{document}\n".encode()
