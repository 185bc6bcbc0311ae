/* Colours, and what all figures have in common. */

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const MARGIN = { l: 46, r: 12 };

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** A line that is told by its colour and by its dashes. */
function lineStyle(place) {
  const names = ["one", "two", "three", "four", "five", "six"];
  return { color: colour(names[place % names.length]), dash: DASHES[place % DASHES.length], width: 2 };
}

/** How a line of so many values is drawn: as a dot where there is but one, of which a line shows nothing. */
function modeOf(count) {
  return count === 1 ? "markers" : "lines";
}

/** Plotly reads tags in texts; here they are only texts. */
function plain(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function axis(more) {
  return {
    gridcolor: colour("line"), linecolor: colour("line"), zerolinecolor: colour("line"), tickcolor: colour("line"),
    fixedrange: true, automargin: false, ...more,
  };
}

function layout(height, more) {
  return {
    height, autosize: true, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("ink"), size: 12, family: "system-ui, sans-serif" }, showlegend: false,
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } }, ...more,
  };
}

const CONFIG = { displaylogo: false, displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false };

/** The colours of values: one hue for what has no sign, two around nothing for what has. */
function scaleOf(watched, values) {
  const finite = values.filter(Number.isFinite);
  const low = finite.reduce((a, b) => Math.min(a, b), Infinity), high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
  if (watched.gate) return { colorscale: "Cividis", ...(state.colours === "here" && low < high ? { zmin: low, zmax: high } : { zmin: 0, zmax: 1 }) };
  if (low >= 0) return { colorscale: "Cividis", zmin: state.colours === "here" && low < high ? low : 0, zmax: high > 0 ? high : 1 };
  const most = Math.max(-low, high, 1e-6);
  const middle = dark.matches ? "#22272b" : "#f7f7f7";
  return { colorscale: [[0, "#d55e00"], [0.5, middle], [1, "#1f88c9"]], zmin: -most, zmax: most };
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const byId = (id) => document.getElementById(id);
