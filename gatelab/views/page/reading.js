/* What is read: a text whose tokens can be clicked and are shaded by a unit, or a picture. */

const PICTURE = 140;

function drawReading() {
  const example = scene.examples[state.example], place = byId("reading");
  place.replaceChildren(...(scene.kind === "tokens" ? [tokensOf(example)] : scene.kind === "rows" ? [pictureOf(example)] : []));
  const { targets } = example, last = targets.length === 1 ? `Asked for: ${targets[0]}${scene.classes ? "" : ` (${withUnit(scene.traced)})`}.` : "";
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

/** Shades each token by the first chosen unit of the first model, in the colours of the heat map. */
function shadeTokens() {
  const watched = watchedOf(0, state.key), column = watched ? chosenColumns(0, watched)[0] : undefined;
  const buttons = byId("reading").querySelectorAll(".tokens button"), isShaded = column !== undefined && buttons.length > 0;
  const scale = isShaded ? scaleOf(watched) : null;
  byId("shading").replaceChildren(...(isShaded ? shadingKey(watched, column, scale) : []));
  buttons.forEach((button, step) => {
    const value = isShaded ? watched.values[state.example].at(step, column) : NaN;
    const shade = Number.isFinite(value) ? colourAt(scale, value) : null;
    button.style.background = shade ? `rgb(${shade})` : "";
    button.style.color = shade ? inkOn(shade) : "";
  });
}

/** What the tokens are shaded by, with the colours between their ends. */
function shadingKey(watched, column, { low, high, colours }) {
  const bar = element("span", { class: "key", "aria-hidden": "true" });
  bar.style.background = `linear-gradient(to right, ${colours})`;
  const text = `Shaded by ${watched.key} of unit ${watched.units[column]} in ${scene.sides[0].title}, from ${few(low)}`;
  return [`${text} `, bar, ` to ${few(high)}.`];
}

/** Marks the current step and the span. */
function markStep() {
  byId("reading").querySelectorAll(".tokens button").forEach((button, step) => {
    button.toggleAttribute("aria-current", false);
    if (step === state.step) button.setAttribute("aria-current", "step");
    button.classList.toggle("marked", Boolean(state.span && step >= state.span.begin && step < state.span.end));
  });
}
