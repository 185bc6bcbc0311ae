/* The colours of values, those of the pictures: from white to dark blue where a value lies from 0 to 1, and from yellow by
 * grey to dark blue where it has a sign. Both go evenly from light to dark, so that they read in grey. */

const BLUES = ["#f7fbff", "#deebf7", "#c6dbef", "#9dcae1", "#6aaed6", "#4191c6", "#2070b4", "#08509b", "#08306b"];
const SIGNED = ["#fee838", "#ddc858", "#bbad6d", "#9a9376", "#7c7b78", "#60646f", "#424e6c", "#18376f", "#00224e"];

/** What the first and the last colour stand for, and the colours between: {low, high, colours}. */
function scaleOf(watched) {
  const here = [...watched.values[state.example].values].filter(Number.isFinite);
  if (watched.gate) {
    const low = here.reduce((a, b) => Math.min(a, b), 1), high = here.reduce((a, b) => Math.max(a, b), 0);
    return { colours: BLUES, ...(state.colours === "here" && low < high ? { low, high } : { low: 0, high: 1 }) };
  }
  const every = state.colours === "here" ? [here] : watched.values.map((table) => table.values.filter(Number.isFinite));
  const most = every.flatMap((values) => [...values]).reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1;
  return { colours: SIGNED, low: -most, high: most };
}

/** The red, green and blue of a value, each up to 255. */
function colourAt({ low, high, colours }, value) {
  const place = (colours.length - 1) * Math.max(0, Math.min(1, (value - low) / (high - low)));
  const first = Math.min(Math.floor(place), colours.length - 2);
  const [before, after] = [colours[first], colours[first + 1]].map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return before.map((part, channel) => Math.round(part + (place - first) * (after[channel] - part)));
}

/** Black or white, whichever stands out more from a colour. */
function inkOn([red, green, blue]) {
  return 0.299 * red + 0.587 * green + 0.114 * blue > 117 ? "#000000" : "#ffffff";
}
