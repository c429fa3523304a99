// What is seen of an answer: class, bars, and the heat map over the picture. Everything from outside is text.

const BARS = 5; // shown at once; one more is shown rather than folded away
const FOR = [255, 106, 0];
const AGAINST = [40, 110, 255];

const make = (tag, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
};

const name = (text) => make("bdi", { textContent: text });

/** A share as per cent; what is not quite 1 never reads as 100. */
const percent = (share) => {
  const rounded = Math.round(1000 * share) / 10;
  return `${(rounded >= 100 && share < 1 ? 99.9 : rounded).toFixed(1)}${lang === "zh" ? "%" : "\u00a0%"}`;
};

/** A light blur, for the eye alone: maxima make single cells stand out. */
const soften = (values, cells) => {
  const at = (list, x, y) => list[Math.min(cells - 1, Math.max(0, y)) * cells + Math.min(cells - 1, Math.max(0, x))];
  const pass = (list, dx, dy) => list.map((value, i) => {
    const [x, y] = [i % cells, Math.floor(i / cells)];
    return value / 2 + (at(list, x - dx, y - dy) + at(list, x + dx, y + dy)) / 4;
  });
  return pass(pass(values, 1, 0), 0, 1);
};

/** Paints each cell's share of the logit: orange speaks for the class, blue against. */
const paint = (canvas, { cells, shares }) => {
  const smooth = soften(shares, cells);
  const sizes = smooth.map(Math.abs).sort();
  const strongest = sizes[Math.floor(0.98 * (sizes.length - 1))] || 1; // a few cells would darken the rest
  const image = new ImageData(cells, cells);
  smooth.forEach((share, i) => {
    const strength = Math.min(1, Math.abs(share) / strongest);
    image.data.set([...(share > 0 ? FOR : AGAINST), 200 * strength], 4 * i);
  });
  [canvas.width, canvas.height] = [cells, cells];
  canvas.getContext("2d").putImageData(image, 0, 0);
};

const bars = (ranked, from, to) =>
  make("ol", { className: "bars", start: from + 1 }, ...ranked.slice(from, to).map(([label, share]) => {
    const fill = make("i");
    fill.style.width = `${100 * share}%`;
    const bar = make("span", { className: "bar" }, fill);
    bar.setAttribute("aria-hidden", "true");
    return make("li", {}, name(label), make("span", { className: "share", textContent: percent(share) }), bar);
  }));

/** What the model answers: one class, or the labels that hold where several may. */
const named = ({ decided }) => {
  if (!facts.several) return facts.labels[decided[0]];
  const held = facts.labels.filter((_, i) => decided[i] === 1);
  return held.join(", ") || say("none");
};

const answerOf = (item) => {
  const { answer } = item;
  const ranked = facts.labels.map((label, i) => [label, answer.probabilities[i]]).sort((a, b) => b[1] - a[1]);
  const parts = answer.unknown
    ? [make("h2", { className: "unknown", textContent: say("unknown") }),
       make("p", { className: "note", textContent: say("unlike") })]
    : [make("h2", {}, name(named(answer)))];
  const folded = ranked.length > BARS + 1;
  parts.push(bars(ranked, 0, folded ? BARS : BARS + 1));
  if (folded) {
    const rest = make("details", {}, make("summary", { textContent: say("all", { count: ranked.length }) }));
    rest.addEventListener("toggle", () => rest.append(bars(ranked, BARS)), { once: true });
    parts.push(rest);
  }
  return parts;
};

/** One image with its answer, as it stands now; called again when anything of it changes. */
const draw = (item) => {
  const picture = make("figure", { className: "picture" });
  if (item.size) {
    picture.classList.add("sized");
    picture.style.setProperty("--ratio", item.size[0] / item.size[1]);
  }
  if (item.error === "unreadable") picture.classList.add("none");
  else picture.append(make("img", { src: item.address, alt: "", decoding: "async" }));
  if (item.answer?.heat) {
    const canvas = make("canvas", { className: "heat" });
    paint(canvas, item.answer.heat);
    picture.append(canvas);
  }
  const figures = [item.size?.join(" × "), item.answer && `${Math.round(item.answer.milliseconds)} ms`];
  const line = make("p", { className: "file" }, name(item.name), ...figures.filter(Boolean).map((f) => ` · ${f}`));
  const remove = make("button", { type: "button", className: "remove", textContent: "×" });
  remove.setAttribute("aria-label", say("remove", { name: item.name }));
  remove.addEventListener("click", () => dismiss(item));
  const told = item.answer
    ? answerOf(item)
    : [make("p", { className: item.error ? "alarm" : "note",
      textContent: item.error ? say(item.error, { reason: item.reason }) : say("waiting") })];
  const content = make("div", { className: "content" }, ...told, line);
  item.card.classList.toggle("is-unknown", Boolean(item.answer?.unknown));
  item.card.replaceChildren(make("div", { className: "frame" }, picture), content, remove);
};
