(() => {
  const figure = document.getElementById("map-figure");
  if (!figure) return;
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const svg = figure.querySelector("svg");
  const card = document.getElementById("map-card");
  const picture = card.querySelector("img");
  const words = card.querySelector("p");
  const circles = [...svg.querySelectorAll("circle")];
  const byNumber = new Map(circles.map((circle) => [Number(circle.dataset.i), circle]));
  const by = document.getElementById("map-by");
  const alone = document.getElementById("map-class");
  const legend = document.getElementById("map-legend");
  const REACH_PX = 16;
  let marked = null;

  const fill = (template, values) => template.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const wrong = (point) => point[0] !== point[1];

  const hide = () => {
    card.hidden = true;
    if (marked) marked.classList.remove("marked");
    marked = null;
  };

  const show = (number) => {
    const point = data.points[number];
    const circle = byNumber.get(number);
    if (marked !== circle) {
      hide();
      marked = circle;
      circle.classList.add("marked");
      svg.append(circle);
      const values = { label: data.labels[point[0]], predicted: data.labels[point[1]], sure: point[2] };
      words.textContent = fill(wrong(point) ? data.texts.wrong : data.texts.right, values);
      words.append(Object.assign(document.createElement("small"), { textContent: point[3] }));
      picture.parentElement.hidden = number >= data.pictured;
      const column = number % data.across;
      picture.style.width = `${100 * data.across}%`;
      picture.style.left = `${-100 * column}%`;
      picture.style.top = `${-100 * ((number - column) / data.across)}%`;
    }
    card.hidden = false;
    const frame = figure.getBoundingClientRect();
    const spot = circle.getBoundingClientRect();
    const x = spot.left - frame.left;
    const y = spot.top - frame.top;
    const left = x + 18 + card.offsetWidth > frame.width ? x - 10 - card.offsetWidth : x + 18;
    card.style.left = `${Math.max(0, Math.min(left, frame.width - card.offsetWidth))}px`;
    card.style.top = `${Math.max(0, Math.min(y - 20, frame.height - card.offsetHeight))}px`;
  };

  const nearest = (event) => {
    let best = null;
    let reach = REACH_PX ** 2;
    const matrix = svg.getScreenCTM();
    for (const circle of circles) {
      if (circle.classList.contains("away")) continue;
      const x = matrix.a * circle.cx.baseVal.value + matrix.e - event.clientX;
      const y = matrix.d * circle.cy.baseVal.value + matrix.f - event.clientY;
      if (x * x + y * y < reach) {
        reach = x * x + y * y;
        best = circle;
      }
    }
    return best;
  };

  const point = (event) => {
    const circle = nearest(event);
    if (circle) show(Number(circle.dataset.i));
    else hide();
  };

  const colour = () => {
    const chosen = alone.selectedIndex - 1;
    legend.hidden = by.value === "error";
    for (const circle of circles) {
      const [label, named] = data.points[Number(circle.dataset.i)];
      const shown = by.value === "named" ? named : label;
      const kind = by.value === "error" ? (label === named ? "right" : "said") : `c${shown % data.colours}`;
      const away = chosen >= 0 && label !== chosen && named !== chosen;
      circle.setAttribute("class", `${kind}${label === named ? "" : " wrong"}${away ? " away" : ""}`);
    }
    hide();
  };

  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") hide();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  for (const button of document.querySelectorAll("#map-list button")) {
    button.addEventListener("focus", () => show(Number(button.dataset.i)));
    button.addEventListener("click", () => show(Number(button.dataset.i)));
    button.addEventListener("blur", hide);
  }
  const form = document.getElementById("map-form");
  form.addEventListener("change", colour);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
})();
