/* What a model would answer if it stopped at this step. */

/** In the order of the classes where there are few, so that they keep their places from step to step. */
function inOrder(said) {
  return scene.answers ? [...said].sort(([a], [b]) => scene.answers.indexOf(a) - scene.answers.indexOf(b)) : said;
}

/** Where a bar begins and how long it is, in percent: a share of its whole length, or a number from the line of nothing. */
function barOf(number, low, high) {
  const [begin, end] = [Math.min(number, 0), Math.max(number, 0)].map((edge) => (100 * (edge - low)) / (high - low));
  return { left: `${begin}%`, width: `${end - begin}%` };
}

/** The ends of the bars of a model: 0 and 1 for classes; for numbers as far as any of this input goes, on both sides if any is negative. */
function barEnds(side) {
  if (scene.classes) return [0, 1];
  const numbers = scene.sides[side].says[state.example].flat().map(([, number]) => number ?? 0);
  const most = numbers.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-6);
  return [numbers.some((number) => number < 0) ? -most : 0, most];
}

/** In words what is left out, and what the numbers are in. */
function answersNote(said) {
  const isPart = said.length < scene.outputs, part = scene.classes ? `The ${said.length} likeliest` : `The first ${said.length}`;
  const parts = [isPart ? `${part} of ${scene.outputs}` : "", scene.unit].filter(Boolean).join(", ");
  return parts && `${parts[0].toUpperCase()}${parts.slice(1)}.`;
}

function drawAnswers(place, note, side) {
  const said = inOrder(scene.sides[side].says[state.example][state.step]), { targets } = scene.examples[state.example];
  const right = targets.length > 1 ? targets[state.step] : targets[0];
  const [low, high] = barEnds(side);
  const rows = said.flatMap(([name, number]) => {
    const isRight = scene.classes && name === right;
    const fill = element("i"), bar = element("span", { class: low < 0 ? "bar signed" : "bar", "aria-hidden": "true" }, fill);
    Object.assign(fill.style, barOf(number ?? 0, low, high));
    return [
      element("span", { class: isRight ? "right" : "" }, isRight ? `${name} ✓` : name),
      bar,
      element("span", { class: "number" }, scene.classes ? `${few(100 * (number ?? NaN))} %` : few(number)),
    ];
  });
  place.replaceChildren(...rows);
  note.textContent = answersNote(said);
}
