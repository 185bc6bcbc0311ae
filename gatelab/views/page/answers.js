/* What a model would answer if it stopped at this step. */

/** In the order of the classes where there are few, so that they keep their places from step to step. */
function inOrder(said) {
  return scene.answers ? [...said].sort(([a], [b]) => scene.answers.indexOf(a) - scene.answers.indexOf(b)) : said;
}

function drawAnswers(place, side) {
  const said = inOrder(scene.sides[side].says[state.example][state.step]), { targets } = scene.examples[state.example];
  const right = targets.length > 1 ? targets[state.step] : targets[0];
  const most = scene.classes ? 1 : Math.max(1e-6, ...said.map(([, number]) => Math.abs(number ?? 0)));
  const rows = said.flatMap(([name, number]) => {
    const isRight = scene.classes && name === right;
    const fill = element("i");
    fill.style.width = `${(100 * Math.abs(number ?? 0)) / most}%`;
    return [
      element("span", { class: isRight ? "right" : "" }, isRight ? `${name} ✓` : name),
      element("span", { class: "bar", "aria-hidden": "true" }, fill),
      element("span", { class: "number" }, scene.classes ? `${few(100 * (number ?? NaN))} %` : few(number)),
    ];
  });
  place.replaceChildren(...rows);
}
