/* The search for patterns: its form, what it found, and what was found before the page was made. */

function goTo(example, begin, end) {
  change({ example, span: { begin, end }, step: begin });
  byId("reading-title").scrollIntoView({ block: "nearest" });
}

function words(example, begin, end) {
  const text = joined(scene.examples[example].labels.slice(begin, end));
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function hitButton(text, example, begin, end) {
  const button = element("button", { type: "button" }, text);
  if (example === null) button.disabled = true;
  else button.addEventListener("click", () => goTo(example, begin, end));
  return element("li", {}, button);
}

function search(event) {
  event.preventDefault();
  const watched = watchedOf(state.side, state.key);
  const begin = Number(byId("begin").value) - 1, end = Number(byId("end").value), most = stepsOf(state.example);
  byId("hits").replaceChildren();
  if (!watched) return say(`${scene.sides[state.side].title} has no ${state.key}. Choose another name, or the other model.`);
  if (!(begin >= 0 && begin < end && end <= most)) return say(`A span lies within the steps 1 to ${most}, and begins before it ends.`);
  change({ span: { begin, end } });
  const columns = byId("by").value === "chosen" ? chosenColumns(state.side, watched) : mostActive(watched, state.example, state.span);
  if (!columns.length) return say("No unit is chosen. Choose some on the heat map, or search by the most active ones.");
  const hits = findSimilar(watched, state.example, state.span, columns);
  const units = columns.map((column) => watched.units[column]).join(", ");
  say(`${hits.length} spans, compared by ${state.key} in unit${columns.length > 1 ? "s" : ""} ${units}. Alike: 1 where nothing differs.`);
  byId("hits").replaceChildren(...hits.map((hit) => {
    const steps = hit.end > hit.begin + 1 ? `steps ${hit.begin + 1} to ${hit.end}` : `step ${hit.end}`;
    const where = `${scene.examples[hit.example].title}, ${steps}`;
    return hitButton(`${hit.score.toFixed(3)}  ${where}: ${words(hit.example, hit.begin, hit.end)}`, hit.example, hit.begin, hit.end);
  }));
}

function say(text) {
  byId("about-hits").textContent = text;
}

function drawFinds() {
  byId("finds").replaceChildren(...scene.finds.flatMap((find) => [
    element("h3", {}, find.title),
    element("ol", { class: "hits" }, ...find.hits.map((hit) => hitButton(`${few(hit.score)}  ${hit.text}`, hit.example, hit.begin, hit.end))),
  ]));
}

function writeSpan() {
  const span = state.span ?? { begin: state.step, end: state.step + 1 };
  byId("begin").value = span.begin + 1;
  byId("end").value = span.end;
  byId("begin").max = byId("end").max = stepsOf(state.example);
}
