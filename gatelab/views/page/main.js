/* The parts of the page, and which of them are drawn anew when something changes. */

/** The card of one model: its equations, its figures and its answers. */
function sideCard(side, place) {
  const parts = {
    equations: element("table", { class: "equations" }), values: element("p", { class: "about" }),
    heat: element("div", { class: "figure heat", role: "img", "aria-label": `Units over steps, ${side.title}` }),
    lines: element("div", { class: "figure lines", role: "img", "aria-label": `Chosen units over steps, ${side.title}` }),
    units: element("input", { type: "text", inputmode: "numeric", size: "14", "aria-label": `Chosen units of ${side.title}` }),
    missing: element("p", { class: "hint", "aria-live": "polite" }),
    note: element("p", { class: "hint" }), answers: element("div", { class: "said" }), answersNote: element("p", { class: "hint" }),
  };
  parts.units.addEventListener("change", () => chooseByText(place, parts.units.value));
  const shown = element("div", {}, parts.heat, element("label", {}, "Chosen units ", parts.units), parts.missing, parts.lines);
  const card = element("section", { class: "side" },
    element("h2", {}, side.title), element("p", { class: "about" }, side.about),
    element("details", { open: true }, element("summary", {}, "Equations"), parts.equations, parts.values),
    parts.note, shown,
    element("h3", {}, "What it would say after this step"), parts.answersNote, parts.answers);
  return { ...parts, shown, card };
}

/** Chooses the units that are listed, as far as the model has kept them. */
function chooseByText(side, text) {
  const watched = watchedOf(side, state.key) ?? scene.sides[side].watched[0];
  const wanted = [...new Set((text.match(/\d+/g) ?? []).map(Number))], known = wanted.filter((unit) => watched.units.includes(unit));
  change({ chosen: state.chosen.map((own, place) => (place === side ? known : own)) });
  cards[side].units.value = known.join(", ");
  cards[side].missing.textContent = missingUnits(side, watched, wanted);
}

function noteOn(watched) {
  if (!watched) return `This model has no ${state.key}.`;
  const { length } = watched.units;
  return length < watched.width ? `The ${length} most varied of ${watched.width} units.` : "";
}

/** In words which units there are, where none is chosen or some of those that were asked for are not there. */
function missingUnits(side, watched, wanted = []) {
  const { units, width } = watched, strangers = wanted.filter((unit) => !units.includes(unit));
  const said = strangers.length ? `There is no unit ${strangers.join(", ")} here. ` : "";
  const none = chosenColumns(side, watched).length ? "" : "No unit is chosen. ";
  const there = units.length < width ? `the ${units.length} of the heat map` : width > 1 ? `0 to ${width - 1}` : "0 alone";
  return said || none ? `${said}${none}Units to choose: ${there}.` : "";
}

function drawSide(side, changed) {
  const parts = cards[side], watched = watchedOf(side, state.key);
  const isNew = ["example", "key", "order", "colours", "dark"].some((name) => changed.has(name));
  parts.shown.hidden = !watched;
  parts.note.textContent = noteOn(watched);
  if (watched) {
    if (isNew) drawHeat(parts.heat, side);
    else Plotly.relayout(parts.heat, { shapes: heatShapes(side, watched), selections: [] });
    if (isNew || changed.has("chosen")) drawLines(parts.lines, side);
    else Plotly.relayout(parts.lines, { shapes: lineShapes() });
  }
  parts.units.value = state.chosen[side].join(", ");
  parts.missing.textContent = watched ? missingUnits(side, watched) : "";
  writeValues(parts.equations, parts.values, side);
  drawAnswers(parts.answers, parts.answersNote, side);
}

function draw(changed) {
  writeControls(changed);
  if (changed.has("example") || changed.has("dark")) drawReading();
  else if (["chosen", "key", "colours"].some((name) => changed.has(name))) shadeTokens();
  markStep();
  scene.sides.forEach((_, side) => drawSide(side, changed));
  if (["key", "example", "chosen", "dark"].some((name) => changed.has(name))) drawSpread();
  if (changed.has("span") || changed.has("example") || (changed.has("step") && !state.span)) writeSpan();
}

function drawTables() {
  byId("tables").hidden = !scene.tables.length;
  byId("tables").replaceChildren(...scene.tables.flatMap((table) => {
    const cells = (row, tag) => element("tr", {}, ...row.map((text) => element(tag, { class: table.is_words ? "words" : "number" }, text)));
    const bodies = table.sections.map((rows) => element("tbody", {}, ...rows.map((row) => cells(row, "td"))));
    const head = element("thead", {}, cells(table.headings, "th"));
    const grid = element("table", { class: "reading" }, head, ...bodies);
    return [element("h2", {}, table.title), element("div", { class: "wide" }, grid), ...table.caption.map((text) => element("p", { class: "hint" }, text))];
  }));
}

function drawFoot() {
  const equations = scene.sides.map((side) => ({ title: `the equations of ${side.title}`, rows: [["cell", side.lines.map((line) => line.text).join("\n")]] }));
  byId("foot").replaceChildren(element("h2", {}, "To make it again"), ...[...scene.foot, ...equations].map((facts) => {
    const rows = facts.rows.map(([name, text]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, text)));
    return element("details", {}, element("summary", {}, facts.title), element("table", { class: "facts" }, ...rows));
  }));
}

const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
byId("lead").textContent = `Every gate and state of ${counted(scene.sides.length, "model")} at every step of ${counted(scene.examples.length, "input")}. ` +
  "Click a unit to choose it, drag over steps to mark them; the keys ← → Home End go through the steps, P plays.";
const cards = scene.sides.map(sideCard);
byId("sides").replaceChildren(...cards.map((parts) => parts.card));
cards.forEach((parts, side) => drawEquations(parts.equations, side));
setUpControls();
drawFinds();
drawTables();
drawFoot();
onChange(draw);
dark.addEventListener("change", () => draw(new Set(["dark"])));
