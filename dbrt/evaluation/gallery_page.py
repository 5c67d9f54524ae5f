"""The HTML of the gallery: its page, a switch of its legend, one picture."""

from __future__ import annotations

from string import Template

# What an outline may be, in the order in which they are drawn, and what the legend says of it.
KINDS = {
    "ignored": "truth that does not count (don't care)",
    "beside": "detection on don't-care text: does not count",
    "truth": "truth that was found",
    "found": "detection that matches",
    "missed": "truth that was missed",
    "false": "false detection",
}

LEGEND = ("truth", "found", "missed", "false", "ignored", "beside")  # their order in the legend

# Colours that people who tell red from green badly can tell apart (Okabe and Ito's set).
PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --page: #fafafa; --ink: #1c1c1c; --quiet: #666; }
@media (prefers-color-scheme: dark) { :root { --page: #16181a; --ink: #eee; --quiet: #aaa; } }
body { margin: 1.5rem auto; max-width: 82rem; padding: 0 1rem; background: var(--page);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0; }
fieldset { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: .3rem 1.4rem;
  margin: 1rem 0; padding: .6rem .2rem; border: 0; background: var(--page); }
label { display: flex; gap: .4rem; align-items: center; }
label i { width: 1.6rem; height: .8rem; border: 3px solid; }
label small { color: var(--quiet); }
figure { margin: 0 0 2.2rem; }
figcaption { display: flex; justify-content: space-between; padding: .3rem 0; }
figcaption span { color: var(--quiet); }
svg { display: block; width: 100%; height: auto; max-height: 95vh; }
polygon { fill: transparent; stroke-width: 2.5; vector-effect: non-scaling-stroke;
  filter: drop-shadow(0 0 1px #000) drop-shadow(0 0 1px #000); }
polygon:hover { fill: #fff3; }
.ignored, .beside { stroke: #999; border-color: #999; }
.truth { stroke: #009e73; border-color: #009e73; }
.found { stroke: #56b4e9; border-color: #56b4e9; }
.missed { stroke: #ffa21a; border-color: #ffa21a; }
.false { stroke: #ff2d95; border-color: #ff2d95; }
.beside, .found, .false { stroke-dasharray: 7 4; border-style: dashed; }
body:has(#show-ignored:not(:checked)) polygon.ignored,
body:has(#show-beside:not(:checked)) polygon.beside,
body:has(#show-truth:not(:checked)) polygon.truth,
body:has(#show-found:not(:checked)) polygon.found,
body:has(#show-missed:not(:checked)) polygon.missed,
body:has(#show-false:not(:checked)) polygon.false { display: none; }
</style>
<h1>$title</h1>
<p>$summary</p>
<fieldset>
$switches
</fieldset>
$figures
</html>
""")

SWITCH = Template(
    '<label><input type="checkbox" id="show-$kind" checked><i class="$kind"></i>'
    "$text <small>$count</small></label>"
)

FIGURE = Template("""<figure>
<figcaption><b>$name</b><span>$figures</span></figcaption>
<svg viewBox="0 0 $width $height"><image href="$data" width="$width" height="$height"/>
$polygons
</svg>
</figure>""")
