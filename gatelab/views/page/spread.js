/* How the values of a name are spread, for all models over each other. */

const BINS = 40, LOW = 0.1, HIGH = 0.9;

function spreadValues(side) {
  const watched = watchedOf(side, state.key);
  if (!watched) return [];
  const examples = byId("scope").value === "one" ? [state.example] : scene.examples.map((_, place) => place);
  const columns = byId("whose").value === "chosen" ? chosenColumns(side, watched) : watched.units.map((_, column) => column);
  return gather(watched, examples, columns).filter(Number.isFinite);
}

/** The share of values in each of `BINS` bins of equal width. */
function shares(values, low, high) {
  const counts = new Array(BINS).fill(0);
  for (const value of values) counts[Math.min(BINS - 1, Math.floor(((value - low) / (high - low)) * BINS))] += 1;
  return counts.map((count) => count / Math.max(1, values.length));
}

function drawSpread() {
  const every = scene.sides.map((_, side) => spreadValues(side));
  const isGate = scene.sides.some((_, side) => watchedOf(side, state.key)?.gate);
  const low = isGate ? 0 : every.flat().reduce((a, b) => Math.min(a, b), 0);
  const high = isGate ? 1 : every.flat().reduce((a, b) => Math.max(a, b), low + 1e-6);
  const middles = [...Array(BINS).keys()].map((bin) => low + ((bin + 0.5) / BINS) * (high - low));
  const traces = every.map((values, side) => ({
    type: "scatter", mode: "lines", x: middles, y: shares(values, low, high), line: { ...lineStyle(side), shape: "hvh" },
    fill: side ? "none" : "tozeroy", name: plain(scene.sides[side].title), hovertemplate: "%{y:.1%} near %{x:.3f}<extra></extra>",
  }));
  Plotly.react(byId("spread"), traces, layout(220, {
    margin: { ...MARGIN, t: 28, b: 40 }, showlegend: scene.sides.length > 1, dragmode: false,
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom" },
    xaxis: axis({ title: { text: plain(`value of ${state.key}`) }, showgrid: false, zeroline: false }),
    yaxis: axis({ tickformat: ".0%", rangemode: "tozero", nticks: 4 }),
  }), CONFIG);
  byId("saturation").textContent = every.map(spreadText).filter(Boolean).join(" ");
}

/** In a sentence how much of a gate is nearly shut and nearly open, or why nothing of it is drawn. */
function spreadText(values, side) {
  const watched = watchedOf(side, state.key);
  if (watched && byId("whose").value === "chosen" && !chosenColumns(side, watched).length) return `${scene.sides[side].title}: no unit is chosen.`;
  if (!watched?.gate || !values.length) return "";
  const percent = (test) => few((100 * values.filter(test).length) / values.length);
  return `${scene.sides[side].title}: ${percent((value) => value < LOW)} % under ${LOW}, ${percent((value) => value > HIGH)} % over ${HIGH}.`;
}
