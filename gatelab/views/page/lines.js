/* The values of chosen units over the steps, one below the heat map of each model. */

const LINES = 150;

function drawLines(figure, side) {
  const watched = watchedOf(side, state.key), table = watched.values[state.example];
  const steps = [...Array(table.rows).keys()];
  const traces = chosenColumns(side, watched).map((column, place) => ({
    type: "scatter", mode: table.rows < 60 ? "lines+markers" : "lines", x: steps, y: steps.map((step) => table.at(step, column)),
    line: lineStyle(place), marker: { size: 5 }, name: `unit ${watched.units[column]}`,
    hovertemplate: `unit ${watched.units[column]}: %{y:.3f}<extra></extra>`,
  }));
  const { room, ...ticks } = stepLabels(state.example);
  Plotly.react(figure, traces, layout(LINES + room, {
    margin: { ...MARGIN, t: 24, b: room }, showlegend: true, hovermode: "x", dragmode: false, shapes: lineShapes(),
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom" },
    xaxis: axis({ range: [-0.5, steps.length - 0.5], showgrid: false, zeroline: false, ...ticks }),
    yaxis: axis({ nticks: 5, ...(watched.gate ? { range: [-0.05, 1.05] } : {}) }),
  }), CONFIG);
  if (figure.dataset.heard) return;
  figure.dataset.heard = "yes";
  figure.on("plotly_click", ({ points }) => change({ step: points[0].x }));
}

/** The current step and the marked span. */
function lineShapes() {
  const across = { type: "rect", xref: "x", yref: "paper", y0: 0, y1: 1 };
  const now = { ...across, x0: state.step - 0.5, x1: state.step + 0.5, line: { color: colour("ink"), width: 1.5 } };
  if (!state.span) return [now];
  return [now, { ...across, x0: state.span.begin - 0.5, x1: state.span.end - 0.5, fillcolor: colour("mark"), line: { width: 0 } }];
}
