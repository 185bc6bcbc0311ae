/* Search for patterns, as in LSTMVis (Strobelt et al. 2018): spans in which units do much the same as in a marked one. */

const MOST_ACTIVE = 10, MOST_HITS = 20;

/** The columns whose mean over the span is furthest from their mean over all steps, in their own deviations. */
function mostActive(watched, example, span) {
  const moments = momentsOf(watched), table = watched.values[example];
  const away = watched.units.map((_, column) => {
    let sum = 0;
    for (let step = span.begin; step < span.end; step++) sum += table.at(step, column);
    const { mean, deviation } = moments[column];
    return Math.abs(sum / (span.end - span.begin) - mean) / Math.max(deviation, 1e-12);
  });
  const order = away.map((_, column) => column).sort((a, b) => away[b] - away[a] || a - b);
  return order.slice(0, MOST_ACTIVE).sort((a, b) => a - b);
}

/** The root of the mean squared difference between the marked span and the one that begins at `begin` elsewhere. */
function distance(watched, marked, span, columns, other, begin) {
  let sum = 0;
  for (let step = 0; step < span.end - span.begin; step++) {
    for (const column of columns) sum += (marked.at(span.begin + step, column) - other.at(begin + step, column)) ** 2;
  }
  return Math.sqrt(sum / ((span.end - span.begin) * columns.length));
}

/** Spans {example, begin, end, score}, the most alike first, none of which overlaps the marked one or a better one. */
function findSimilar(watched, example, span, columns) {
  const length = span.end - span.begin, marked = watched.values[example], found = [];
  watched.values.forEach((table, place) => {
    for (let begin = 0; begin + length <= table.rows; begin++) {
      if (place === example && begin < span.end && begin + length > span.begin) continue;
      const apart = distance(watched, marked, span, columns, table, begin);
      if (Number.isFinite(apart)) found.push({ example: place, begin, end: begin + length, score: 1 / (1 + apart) });
    }
  });
  found.sort((a, b) => b.score - a.score || a.example - b.example || a.begin - b.begin);
  const kept = [];
  for (const one of found) {
    if (kept.length === MOST_HITS) break;
    if (!kept.some((hit) => hit.example === one.example && hit.begin < one.end && one.begin < hit.end)) kept.push(one);
  }
  return kept;
}
