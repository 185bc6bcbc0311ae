/* What is read: a text whose tokens can be clicked and are shaded by a unit, or a picture. */

const PICTURE = 140;

function drawReading() {
  const example = scene.examples[state.example], place = byId("reading");
  place.replaceChildren(...(scene.kind === "tokens" ? [tokensOf(example)] : scene.kind === "rows" ? [pictureOf(example)] : []));
  const { targets } = example, last = targets.length === 1 ? `Asked for: ${targets[0]}${scene.classes ? "" : ` (${scene.traced})`}.` : "";
  byId("asked").textContent = [`${example.title}, ${example.labels.length} steps.`, last].join(" ");
  shadeTokens();
  markStep();
}

function tokensOf(example) {
  const buttons = example.labels.map((label, step) => {
    const button = element("button", { type: "button", title: `step ${step + 1}` }, label);
    button.addEventListener("click", () => change({ step }));
    return button;
  });
  return element("div", { class: "tokens", role: "group", "aria-label": "Steps" }, ...buttons);
}

function pictureOf(example) {
  const { inputs } = example, wide = inputs.columns, canvas = element("canvas", { role: "img", "aria-label": example.title });
  // A point a step is no picture until its points are laid out in rows, as many as there are points in a row.
  const side = wide === 1 && Number.isInteger(Math.sqrt(inputs.rows)) ? Math.sqrt(inputs.rows) : wide;
  [canvas.width, canvas.height] = [side, inputs.values.length / side];
  const most = inputs.values.reduce((a, b) => Math.max(a, b), 1e-6), context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  inputs.values.forEach((value, point) => {
    const grey = Math.round(255 * Math.max(0, value / most));
    picture.data.set(dark.matches ? [grey, grey, grey, 255] : [255 - grey, 255 - grey, 255 - grey, 255], 4 * point);
  });
  context.putImageData(picture, 0, 0);
  canvas.style.height = `${PICTURE}px`;
  return canvas;
}

/** Shades each token by the first chosen unit of the first model: a gate from its least value to its most, others from nothing. */
function shadeTokens() {
  const watched = watchedOf(0, state.key), column = watched ? chosenColumns(0, watched)[0] : undefined;
  const buttons = byId("reading").querySelectorAll(".tokens button");
  byId("shading").textContent = column === undefined || !buttons.length ? "" : `Shaded by ${state.key} of unit ${watched.units[column]} in ${scene.sides[0].title}.`;
  const values = column === undefined ? [] : gather(watched, [state.example], [column]);
  const low = watched?.gate ? values.reduce((a, b) => Math.min(a, b), 1) : 0;
  const most = values.reduce((a, b) => Math.max(a, Math.abs(b - low)), 1e-6);
  buttons.forEach((button, step) => {
    const share = column === undefined ? 0 : (values[step] - low) / most;
    const hue = share >= 0 ? "31, 136, 201" : "213, 94, 0";
    button.style.background = `rgba(${hue}, ${(0.55 * Math.abs(share)).toFixed(3)})`;
  });
}

/** Marks the current step and the span. */
function markStep() {
  byId("reading").querySelectorAll(".tokens button").forEach((button, step) => {
    button.toggleAttribute("aria-current", false);
    if (step === state.step) button.setAttribute("aria-current", "step");
    button.classList.toggle("marked", Boolean(state.span && step >= state.span.begin && step < state.span.end));
  });
}
