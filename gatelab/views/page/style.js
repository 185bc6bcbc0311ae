/* The page's own colours, and what all figures have in common. */

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
