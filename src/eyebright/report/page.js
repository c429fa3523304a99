"use strict";
(() => {
  const form = document.getElementById("filter");
  const cards = [...document.querySelectorAll("#gallery > li")];
  if (form) {
    const truth = document.getElementById("filter-true");
    const named = document.getElementById("filter-named");
    const shown = document.getElementById("shown");
    const fits = (select, label) => select.selectedIndex === 0 || select.value === label;
    const update = () => {
      let count = 0;
      for (const card of cards) {
        card.hidden = !(fits(truth, card.dataset.true) && fits(named, card.dataset.named));
        count += card.hidden ? 0 : 1;
      }
      shown.textContent = shown.dataset.text.replace("{shown}", count).replace("{count}", cards.length);
    };
    // The first option stands for all, whatever a class is called.
    const choose = (select, label) => {
      select.selectedIndex = [...select.options].findIndex((option, i) => i > 0 && option.value === label);
      if (select.selectedIndex < 0) select.selectedIndex = 0;
    };
    for (const link of document.querySelectorAll("a[data-true]")) {
      link.addEventListener("click", () => {
        choose(truth, link.dataset.true);
        choose(named, link.dataset.named);
        update();
      });
    }
    form.addEventListener("change", update);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    update();
  }

  const viewer = document.getElementById("viewer");
  if (viewer) {
    const place = document.getElementById("viewed");
    let current = null;
    const view = (card) => {
      current = card;
      const figure = card.querySelector("figure").cloneNode(true);
      const button = figure.querySelector("button");
      button.replaceWith(...button.childNodes);
      place.replaceChildren(figure);
    };
    const walk = (by) => {
      const visible = cards.filter((card) => !card.hidden);
      view(visible[(visible.indexOf(current) + by + visible.length) % visible.length]);
    };
    const deeds = { previous: () => walk(-1), next: () => walk(1), close: () => viewer.close() };
    for (const card of cards) {
      card.querySelector("button").addEventListener("click", () => {
        view(card);
        viewer.showModal();
      });
    }
    viewer.addEventListener("click", (event) => {
      if (event.target === viewer) viewer.close();
      deeds[event.target.dataset.do]?.();
    });
    viewer.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") walk(-1);
      if (event.key === "ArrowRight") walk(1);
    });
    viewer.addEventListener("close", () => current.querySelector("button").focus());
  }

  // What is folded away on screen is wanted on paper.
  window.addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });
})();
