/* The equations of a model, with the value that each name has at this step in the unit that is looked at. */

/** The key of another name in the layer of the one that is shown. */
function keyBeside(side, name) {
  const shown = watchedOf(side, state.key);
  const suffix = shown ? shown.key.slice(shown.name.length) : scene.sides[side].watched[0].key.slice(scene.sides[side].watched[0].name.length);
  return name + suffix;
}

function drawEquations(table, side) {
  const rows = scene.sides[side].lines.map((line) => {
    const button = element("button", { type: "button", title: `Show ${line.name}` }, line.name);
    button.addEventListener("click", () => change({ key: keyBeside(side, line.name) }));
    const typeset = element("td");
    typeset.innerHTML = line.mathml; // Made from names that the language allows, and nothing else.
    typeset.title = line.text;
    return element("tr", { "data-name": line.name }, element("td", {}, button), typeset, element("td", { class: "number" }));
  });
  table.replaceChildren(...rows);
}

/** Writes the values of one unit at this step; the unit is the last one chosen. */
function writeValues(table, caption, side) {
  const unit = state.chosen[side].at(-1);
  for (const row of table.querySelectorAll("tr")) {
    const key = keyBeside(side, row.dataset.name), watched = watchedOf(side, key);
    const column = watched ? watched.units.indexOf(unit) : -1;
    row.querySelector(".number").textContent = column < 0 ? "" : few(watched.values[state.example].at(state.step, column));
    row.querySelector("button").setAttribute("aria-pressed", String(key === state.key));
  }
  caption.textContent = unit === undefined ? "Choose a unit to see its values here." : `Values of unit ${unit} at step ${state.step + 1}.`;
}
