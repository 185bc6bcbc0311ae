/* The heat map of a model: units over steps, with what is read and what would be answered lined up below. */

const PANELS = { tokens: 0, rows: 80, values: 80 };
const TRACE = 70, LEAST = 70, MOST = 420, GAP = 22, LEGEND = 20, TOP = 46, BOTTOM = 34, MOST_CHANNELS = 6;

function stepLabels(example) {
  const { labels } = scene.examples[example];
  const isNarrow = window.innerWidth < 600;
  const asText = scene.kind === "tokens" && labels.length <= (isNarrow ? 25 : 60);
  const every = asText ? 1 : [1, 2, 5, 10, 20, 50, 100, 200, 500].find((one) => one * (isNarrow ? 7 : 14) >= labels.length) ?? 1000;
  const places = labels.map((_, step) => step).filter((step) => step === 0 || (step + 1) % every === 0);
  const short = (text) => plain(text.length > 10 ? `${text.slice(0, 9)}…` : text);
  const long = asText && labels.some((label) => label.length > 2);
  return {
    tickmode: "array", tickvals: places, ticktext: places.map((step) => (asText ? short(labels[step]) : step + 1)),
    tickangle: long ? -60 : 0, room: long ? 76 : BOTTOM,
  };
}

/** How many lines the input is; none where it is not drawn as lines. */
function channelsOf() {
  return scene.kind === "values" ? scene.examples[state.example].inputs.columns : 0;
}

function withUnit(text) {
  return scene.unit ? `${text}, ${scene.unit}` : text;
}

/** What is read, in words: of several lines also which channels they are. */
function readName() {
  const count = channelsOf(), of = count > MOST_CHANNELS ? ` of ${count}` : "";
  return withUnit(count > 1 ? `what is read, channels 1 to ${Math.min(count, MOST_CHANNELS)}${of}` : "what is read");
}

/** Where the panels lie, from the top: the units, what is read, what would be answered; in shares of the height. */
function panels() {
  // As high for all models, so that panels side by side are level.
  const rows = Math.max(...scene.sides.map((_, side) => watchedOf(side, state.key)?.units.length ?? 0));
  const heights = [Math.max(LEAST, Math.min(MOST, rows * 16)), PANELS[scene.kind], TRACE].filter(Boolean);
  const gaps = heights.map((_, place) => (place ? GAP + (place === 1 && channelsOf() > 1 ? LEGEND : 0) : 0));
  const whole = [...heights, ...gaps].reduce((sum, one) => sum + one, 0);
  let top = whole;
  const domains = heights.map((height, place) => {
    top -= gaps[place] + height;
    return [top / whole, (top + height) / whole];
  });
  return { whole, units: domains[0], read: PANELS[scene.kind] ? domains[1] : null, said: domains.at(-1) };
}

function unitTrace(watched, columns) {
  const table = watched.values[state.example], steps = [...Array(table.rows).keys()];
  const { labels } = scene.examples[state.example];
  const z = columns.map((column) => steps.map((step) => table.at(step, column)));
  const { low, high, colours } = scaleOf(watched);
  const texts = labels.map((label, step) => `step ${step + 1}: ${plain(label)}`);
  return {
    type: "heatmap", z, x: steps, y: columns.map((_, row) => row), zmin: low, zmax: high,
    colorscale: colours.map((one, place) => [place / (colours.length - 1), one]),
    customdata: columns.map((column) => texts.map((text) => `${text}<br>unit ${watched.units[column]}`)),
    hovertemplate: `%{customdata}<br>${plain(watched.key)} = %{z:.3f}<extra></extra>`, xgap: table.rows < 60 ? 1 : 0,
    ygap: columns.length < 40 ? 1 : 0,
    colorbar: {
      orientation: "h", x: 1, xanchor: "right", y: 1, yanchor: "bottom", thickness: 8, len: 0.5, lenmode: "fraction",
      nticks: 5, outlinewidth: 0, ypad: 4, tickfont: { size: 10 },
    },
  };
}

/** A point a step, which is there to be caught when somebody marks a span by dragging. */
function catchTrace(steps, rows) {
  return {
    type: "scatter", mode: "markers", x: steps, y: steps.map(() => (rows - 1) / 2), marker: { opacity: 0, size: 1 },
    hoverinfo: "skip", showlegend: false, selected: { marker: { opacity: 0 } }, unselected: { marker: { opacity: 0 } },
  };
}

function readTraces() {
  const { inputs } = scene.examples[state.example];
  if (!inputs || !PANELS[scene.kind]) return [];
  const steps = [...Array(inputs.rows).keys()], features = [...Array(inputs.columns).keys()];
  if (scene.kind === "rows") {
    const z = features.map((feature) => steps.map((step) => inputs.at(step, feature)));
    return [{ type: "heatmap", z, x: steps, yaxis: "y2", colorscale: "Greys", reversescale: !dark.matches, showscale: false, hoverinfo: "skip" }];
  }
  return features.slice(0, MOST_CHANNELS).map((feature) => ({
    type: "scatter", mode: modeOf(steps.length), x: steps, y: steps.map((step) => inputs.at(step, feature)), yaxis: "y2",
    line: { ...lineStyle(feature), width: 1.5 }, hoverinfo: "skip", name: String(feature + 1), showlegend: features.length > 1,
  }));
}

/** What the numbers are that are drawn for the answers. */
function tracedName() {
  if (!scene.classes) return withUnit(`answer, ${scene.traced}`);
  return scene.examples[state.example].targets.length ? "probability of the class asked for" : `probability of ${scene.traced}`;
}

/** A few words above a panel. */
function heading(text, y) {
  return {
    text: plain(text), xref: "paper", x: 0, xanchor: "left", yref: "paper", y, yanchor: "bottom", showarrow: false,
    font: { size: 11, color: colour("faint") },
  };
}

function saidTraces(side) {
  const traced = scene.sides[side].traced[state.example], { wanted } = scene.examples[state.example];
  const steps = [...Array(traced.rows).keys()], name = plain(tracedName());
  const own = {
    type: "scatter", mode: modeOf(steps.length), x: steps, y: steps.map((step) => traced.at(step, 0)), yaxis: "y3", showlegend: false,
    line: { color: colour("one"), width: 2 }, hovertemplate: `${name}: %{y:.3f}<extra></extra>`,
  };
  if (!wanted) return [own];
  const asked = steps.map((step) => wanted.at(wanted.rows > 1 ? step : 0, 0));
  const goal = { color: colour("two"), width: 1.5, dash: "dash" };
  return [own, { ...own, y: asked, line: goal, hovertemplate: "asked: %{y:.3f}<extra></extra>" }];
}

/** The current step, the marked span and the chosen units, drawn over a heat map. */
function heatShapes(side, watched) {
  const across = { type: "rect", xref: "x", yref: "paper", y0: 0, y1: 1 };
  const shapes = [{ ...across, x0: state.step - 0.5, x1: state.step + 0.5, line: { color: colour("ink"), width: 1.5 } }];
  if (state.span) {
    shapes.push({ ...across, x0: state.span.begin - 0.5, x1: state.span.end - 0.5, fillcolor: colour("mark"), line: { color: colour("one"), width: 2, dash: "dot" } });
  }
  const columns = columnsOf(watched);
  for (const column of chosenColumns(side, watched)) {
    const row = columns.indexOf(column);
    shapes.push({ type: "rect", xref: "paper", x0: 0, x1: 1, yref: "y", y0: row - 0.5, y1: row + 0.5, line: { color: colour("two"), width: 2 } });
  }
  return shapes;
}

/** The channels by their dashes, between the heading and the panel of what is read. */
function channelLegend(where) {
  return {
    orientation: "h", x: 0, xanchor: "left", y: where.read?.[1] ?? 0, yanchor: "bottom", font: { size: 10 },
    itemclick: false, itemdoubleclick: false,
  };
}

function drawHeat(figure, side) {
  const watched = watchedOf(side, state.key), columns = columnsOf(watched);
  const { room, ...ticks } = stepLabels(state.example), where = panels(), steps = [...Array(stepsOf(state.example)).keys()];
  const every = Math.ceil(columns.length / 24), named = columns.map((_, row) => row).filter((row) => row % every === 0);
  const { wanted } = scene.examples[state.example];
  const traces = [unitTrace(watched, columns), catchTrace(steps, columns.length), ...readTraces(), ...saidTraces(side)];
  const below = where.read ? { yaxis2: axis({ domain: where.read, showticklabels: scene.kind === "values", nticks: 3, autorange: scene.kind === "rows" ? "reversed" : true, showgrid: false }) } : {};
  Plotly.react(figure, traces, layout(where.whole + TOP + room, {
    margin: { ...MARGIN, t: TOP, b: room }, dragmode: "select", selectdirection: "h", shapes: heatShapes(side, watched), ...below,
    annotations: [heading(`${watched.key} by unit`, 1), ...(where.read ? [{ ...heading(readName(), where.read[1]), yshift: channelsOf() > 1 ? LEGEND : 0 }] : []), heading(tracedName() + (wanted ? "; dashed: asked" : ""), where.said[1])],
    showlegend: channelsOf() > 1, legend: channelLegend(where),
    selections: [], newselection: { line: { color: colour("one"), width: 2, dash: "dot" } },
    xaxis: axis({ range: [-0.5, steps.length - 0.5], showgrid: false, zeroline: false, anchor: "y3", ...ticks }),
    yaxis: axis({ domain: where.units, range: [columns.length - 0.5, -0.5], showgrid: false, zeroline: false, tickmode: "array", tickvals: named, ticktext: named.map((row) => watched.units[columns[row]]) }),
    yaxis3: axis({ domain: where.said, nticks: 3, zeroline: false, ...(scene.classes ? { range: [-0.05, 1.05], tickvals: [0, 0.5, 1] } : {}) }),
  }), CONFIG);
  listenToHeat(figure, side);
}

function listenToHeat(figure, side) {
  if (figure.dataset.heard) return;
  figure.dataset.heard = "yes";
  figure.on("plotly_click", ({ points }) => {
    change({ step: points[0].x });
    const watched = watchedOf(side, state.key);
    if (points[0].data.type === "heatmap" && points[0].data.yaxis !== "y2") toggleUnit(side, watched.units[columnsOf(watched)[points[0].y]]);
  });
  figure.on("plotly_selected", (event) => {
    if (!event?.range) return;
    const [low, high] = event.range.x, most = stepsOf(state.example);
    const begin = Math.max(0, Math.round(low)), end = Math.min(most, Math.round(high) + 1);
    if (begin < end) change({ span: { begin, end }, side, step: begin });
  });
}
