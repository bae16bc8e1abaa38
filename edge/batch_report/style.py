"""The look of the page: light and dark, a phone, A4. No file beside it, no host, no script."""

from __future__ import annotations

from edge.batch_report.markup import Markup, css_string, trusted

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_LIGHT = (
    "--bg:#fff;--fg:#1b1f24;--soft:#57606a;--line:#d0d7de;--box:#f6f8fa;"
    "--pass:#0067b0;--fail:#b84500;--open:#5a6470;--person:#7b3f8f;--warn:#fff4e5"
)
_DARK = (
    "--bg:#12161b;--fg:#e6eaef;--soft:#9aa5b1;--line:#343c46;--box:#1a2027;"
    "--pass:#5db3f5;--fail:#ff9d5c;--open:#aab4bf;--person:#d99be0;--warn:#33240f"
)
STYLE = (
    ":root{color-scheme:light dark;"
    + _LIGHT
    + "}@media (prefers-color-scheme:dark){:root{"
    + _DARK
    + """}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1rem 1.2rem 4rem;background:var(--bg);color:var(--fg);
font:16px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:.4rem 0 .2rem}
h2{font-size:1.25rem;margin:2.4rem 0 .6rem;border-top:1px solid var(--line);padding-top:1.2rem}
h3{font-size:1.05rem;margin:1.2rem 0 .4rem}
p{margin:.4rem 0}.soft,figcaption,dt{color:var(--soft)}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.1rem 1rem;margin:.6rem 0}dd{margin:0}
code{font:.85em/1.4 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
.answer{background:var(--box);border:1px solid var(--line);border-radius:.5rem;padding:.8rem 1rem;margin:1rem 0}
.answer .mark{font-size:1.5rem}
.warning{background:var(--warn);border-left:.35rem solid var(--fail);padding:.4rem .8rem;border-radius:.2rem}
.mark{font-weight:700;white-space:nowrap;color:var(--open)}
.mark svg{width:1.35em;height:1.35em;vertical-align:-.32em;margin-right:.4em;fill:none;stroke:currentColor;stroke-width:2.2;
stroke-linecap:round;stroke-linejoin:round}
.good{color:var(--pass)}.bad{color:var(--fail)}.open{color:var(--open)}.person{color:var(--person);white-space:normal}
h3 .mark{margin-right:.7rem}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.5rem;margin:.6rem 0}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{padding:.35rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
thead th{background:var(--box);font-weight:600;white-space:nowrap}
td.number,th.number{text-align:right;white-space:nowrap}
tbody tr:last-child td{border-bottom:0}
.view{border:1px solid var(--line);border-radius:.5rem;padding:.2rem 1rem .6rem;margin:1rem 0}
figure{margin:.6rem 0}figcaption{font-size:.85rem}
img{display:block;max-width:100%;max-height:44rem;width:auto;height:auto;border-radius:.25rem}
.sign{display:grid;grid-template-columns:2fr 3fr 3fr 2fr;gap:0 1rem;margin:1.6rem 0}
.sign div{border-top:1px solid var(--fg);font-size:.8rem;color:var(--soft);padding-top:.15rem}
.sign div:first-child{border:0;color:var(--fg);font-size:1rem;padding:0;margin-top:-1.2rem}
.sign .wide{grid-column:span 3}
@media (max-width:40rem){table{min-width:34rem}dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .4rem}
.view{padding:.1rem .6rem .4rem}.sign{grid-template-columns:1fr;gap:2.2rem}.sign div:first-child{margin:0}
.sign .wide{grid-column:auto}.sign div{margin-top:.4rem}}
@page{size:A4;margin:15mm 14mm 17mm}
@media print{:root{color-scheme:light;"""
    + _LIGHT
    + """}
body{max-width:none;padding:0;font-size:9.5pt;line-height:1.4}
h1{font-size:17pt}h2{font-size:13pt;margin-top:7mm;padding-top:3mm}h3{font-size:11pt}
h1,h2,h3,.soft,.answer{break-after:avoid}h2+.answer{break-before:avoid}
.scroll{overflow:visible;border-radius:0}.answer,.warning,figure,tr,dl,.signatures{break-inside:avoid}.view>p{break-after:avoid}
table{min-width:0;font-size:8.5pt}thead{display:table-header-group}th,td{padding:1mm 1.5mm}
dl{grid-template-columns:max-content minmax(0,1fr);gap:.1rem 1rem}dd{margin:0}
.view{border:0;border-top:1px solid var(--line);border-radius:0;padding:0;margin:4mm 0}
img{max-height:88mm}.answer,.warning,thead th{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.sign{grid-template-columns:2fr 3fr 3fr 2fr;gap:0 4mm;margin:11mm 0 0}.sign .wide{grid-column:span 3}}
"""
)


def style(title: str) -> Markup:
    """The style sheet; on paper every page names the report and its own number."""
    footer = (
        f"@page{{@bottom-left{{content:{css_string(title)};font:7.5pt sans-serif}}"
        '@bottom-right{content:"page " counter(page) " of " counter(pages);font:7.5pt sans-serif}}'
    )
    return trusted(STYLE + footer)
