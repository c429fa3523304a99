"use strict";
(() => {
  const form = document.getElementById("filter");
  if (form) {
    const truth = document.getElementById("filter-true");
    const named = document.getElementById("filter-named");
    const shown = document.getElementById("shown");
    const cards = [...document.querySelectorAll("#gallery > li")];
    const fits = (select, label) => select.selectedIndex === 0 || select.value === label;
    const update = () => {
      let count = 0;
      for (const card of cards) {
        card.hidden = !(fits(truth, card.dataset.true) && fits(named, card.dataset.named));
        count += card.hidden ? 0 : 1;
      }
      shown.textContent = shown.dataset.text.replace("{shown}", count).replace("{count}", cards.length);
    };
    form.addEventListener("change", update);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    update();
  }
  // What is folded away on screen is wanted on paper.
  window.addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });
})();
