/* What is looked at, and who is told when that changes. */

/** The first name to show: a gate of the first model, a forget gate if it has one. */
function firstKey() {
  const gates = scene.sides[0].watched.filter((watched) => watched.gate);
  return (gates.find((watched) => watched.name === "f") ?? gates[0] ?? scene.sides[0].watched[0]).key;
}

const state = {
  example: 0,
  step: 0,
  key: firstKey(),
  order: "variation",
  colours: "whole",
  span: null, // {begin, end}, the end not included
  side: 0, // whose values are searched
  chosen: [], // of each model the numbers of its chosen units
};
const listeners = [];

/** Has a function called with the names of what has changed; once now, with all of them. */
function onChange(listener) {
  listeners.push(listener);
  listener(new Set(Object.keys(state)));
}

/** Changes what is looked at; the step stays within the example. */
function change(part) {
  const before = { ...state };
  Object.assign(state, part);
  state.step = Math.max(0, Math.min(state.step, stepsOf(state.example) - 1));
  if (before.example !== state.example && !("span" in part)) state.span = null;
  const changed = new Set(Object.keys(state).filter((name) => state[name] !== before[name]));
  if (changed.size) for (const listener of listeners) listener(changed);
}

function stepsOf(example) {
  return scene.examples[example].labels.length;
}

/** The columns of a name's values in the order in which they are drawn. */
function columnsOf(watched) {
  const columns = watched.units.map((_, column) => column);
  if (state.order === "index") return columns;
  const moments = momentsOf(watched);
  return columns.sort((a, b) => moments[b].deviation - moments[a].deviation || a - b);
}

/** The columns of the chosen units of a model, as far as they are kept. */
function chosenColumns(side, watched) {
  return state.chosen[side].map((unit) => watched.units.indexOf(unit)).filter((column) => column >= 0);
}

/** Chooses a unit of a model, or lets it go. */
function toggleUnit(side, unit) {
  const own = state.chosen[side];
  const changed = own.includes(unit) ? own.filter((one) => one !== unit) : [...own, unit];
  change({ chosen: state.chosen.map((before, place) => (place === side ? changed : before)) });
}

function chooseFirstUnits() {
  state.chosen = scene.sides.map((side, place) => {
    const watched = watchedOf(place, state.key) ?? side.watched[0];
    return [watched.units[columnsOf(watched)[0]]];
  });
}

chooseFirstUnits();
