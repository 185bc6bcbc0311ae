/* The controls above the page, and the keys that do the same. */

const PLAY_EVERY = 350; // ms
let playing = null;

function fill(select, options) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value: String(value) }, text)));
}

/** Every name of every model, the gates marked. */
function allKeys() {
  const found = new Map();
  for (const side of scene.sides) for (const watched of side.watched) {
    if (!found.has(watched.key)) found.set(watched.key, `${watched.key}${watched.gate ? " (gate)" : ""}`);
  }
  return [...found];
}

function stopPlaying() {
  clearInterval(playing);
  playing = null;
  byId("play").textContent = "Play";
}

function togglePlay() {
  if (playing) return stopPlaying();
  if (state.step === stepsOf(state.example) - 1) change({ step: 0 });
  byId("play").textContent = "Pause";
  playing = setInterval(() => {
    if (state.step === stepsOf(state.example) - 1) stopPlaying();
    else change({ step: state.step + 1 });
  }, PLAY_EVERY);
}

const KEYS = {
  ArrowLeft: () => change({ step: state.step - 1 }),
  ArrowRight: () => change({ step: state.step + 1 }),
  Home: () => change({ step: 0 }),
  End: () => change({ step: stepsOf(state.example) - 1 }),
  p: togglePlay,
};

function onKey(event) {
  const isTaken = event.target.closest("input, select, textarea") || event.ctrlKey || event.altKey || event.metaKey;
  if (isTaken || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
}

function writeControls(changed) {
  byId("example").value = state.example;
  byId("key").value = state.key;
  byId("order").value = state.order;
  byId("colours").value = state.colours;
  byId("side").value = state.side;
  byId("step").max = stepsOf(state.example) - 1;
  byId("step").value = state.step;
  byId("place").textContent = `step ${state.step + 1} of ${stepsOf(state.example)}: ${scene.examples[state.example].labels[state.step]}`;
  if (changed.has("example")) stopPlaying();
}

function setUpControls() {
  fill(byId("example"), scene.examples.map((example, place) => [place, exampleName(example)]));
  fill(byId("key"), allKeys());
  fill(byId("side"), scene.sides.map((side, place) => [place, side.title]));
  byId("searched").hidden = scene.sides.length < 2;
  byId("example").addEventListener("change", (event) => change({ example: Number(event.target.value), step: 0 }));
  byId("key").addEventListener("change", (event) => change({ key: event.target.value }));
  byId("order").addEventListener("change", (event) => change({ order: event.target.value }));
  byId("colours").addEventListener("change", (event) => change({ colours: event.target.value }));
  byId("side").addEventListener("change", (event) => change({ side: Number(event.target.value) }));
  byId("step").addEventListener("input", (event) => change({ step: Number(event.target.value) }));
  byId("play").addEventListener("click", togglePlay);
  byId("first").addEventListener("click", KEYS.Home);
  byId("previous").addEventListener("click", KEYS.ArrowLeft);
  byId("next").addEventListener("click", KEYS.ArrowRight);
  for (const id of ["scope", "whose"]) byId(id).addEventListener("change", drawSpread);
  byId("search").addEventListener("submit", search);
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", onKey);
}

function exampleName(example) {
  const start = scene.kind === "tokens" ? `: ${joined(example.labels.slice(0, 12)).slice(0, 24)}` : "";
  const asked = example.targets.length === 1 && !scene.unit ? ` (${example.targets[0]})` : "";
  return `${example.title}${start}${asked}`;
}
