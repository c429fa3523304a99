// Labelling with the keyboard: a whole group with one key, one image with two, several of a class with one more
// than there are, and everything can be undone.
"use strict";
(() => {
  const place = document.getElementById("group");
  const keysOn = () => document.getElementById("keys-on")?.checked ?? true;
  let last = null, brush = null;  // the image touched last; the class that images get which are touched
  let chosen = "";  // the labels of a group, where an image may have several

  const section = () => place.querySelector(".group");
  const tiles = () => [...place.querySelectorAll(".tile-button")];
  const suggested = () => section().dataset.suggested === "1";
  const guesses = (tile) => JSON.parse(tile.dataset.guesses);
  const isOut = (tile) => tile.getAttribute("aria-pressed") === "false";
  // Where an image may have several labels, they are one text; no label has a semicolon.
  const none = () => section().dataset.several;
  const several = () => none() !== undefined;
  const parted = (text) => (text ? text.split("; ") : []);
  function toggled(text, label) {
    const names = new Set(parted(text));
    if (!names.delete(label)) names.add(label);
    return [...names].sort().join("; ");
  }

  function show(tile, label) {
    tile.dataset.label = label ?? "";
    tile.setAttribute("aria-pressed", String(label !== null));
    const first = guesses(tile)[0];
    const corrected = label !== null && label !== undefined && (label !== "" || several()) && label !== first;
    tile.classList.toggle("changed", suggested() && corrected);
    const words = label === null ? tile.dataset.out : label || (several() ? none() : "");
    tile.querySelector("bdi").textContent = words;
    tile.setAttribute("aria-label", [tile.dataset.words, words, tile.title].filter(Boolean).join(": "));
  }

  // The next likely class, then out, then the first again; without suggestions in or out.
  function touch(tile) {
    if (last) last.classList.remove("last");
    const first = last !== tile;
    last = tile;
    tile.classList.add("last");
    const known = [...guesses(tile), null];
    if (!suggested()) { show(tile, isOut(tile) ? chosen : null); return; }
    if (several() && brush !== null) { show(tile, toggled(isOut(tile) ? "" : tile.dataset.label, brush)); return; }
    if (brush !== null) { show(tile, tile.dataset.label === brush ? null : brush); return; }
    if (several() && first) return;  // what is pressed next adds a label to it or takes one away
    const now = known.indexOf(isOut(tile) ? null : tile.dataset.label);
    show(tile, known[(now + 1) % known.length]);
  }

  function name(label) {
    if (suggested()) {
      if (last && brush === null && several()) {
        show(last, toggled(isOut(last) ? "" : last.dataset.label, label));
      } else if (last && brush === null) {
        show(last, label);
        last.classList.remove("last");
        last = null;
      } else take(brush === label ? null : label);
      return;
    }
    if (several()) {
      chosen = toggled(chosen, label);
      for (const tile of tiles()) if (!isOut(tile)) show(tile, chosen);
      press(parted(chosen));
      return;
    }
    send(() => label);
  }

  function press(labels) {
    for (const button of place.querySelectorAll("[data-class]")) button.setAttribute("aria-pressed", String(labels.includes(button.dataset.class)));
  }

  function take(label) {
    brush = label;
    press([label]);
  }

  function accept() {
    if (!suggested() && !several()) return;
    send((tile) => tile.dataset.label);
  }

  let busy = false;
  async function swap(path, body) {
    if (busy) return;
    busy = true;
    try {
      place.innerHTML = await (await post(path, body, "text/x-fragment")).text();
      set();
    } catch (error) {
      const said = document.getElementById("said");
      if (said) said.textContent = error.message;
    }
    busy = false;
  }
  const second = () => section().dataset.second === "1";
  function send(labelOf) {
    const labels = Object.fromEntries(tiles().filter((tile) => !isOut(tile)).map((tile) => [tile.dataset.sha, labelOf(tile)]));
    const later = tiles().filter(isOut).map((tile) => tile.dataset.sha);
    swap("/label", JSON.stringify({ labels, later, second: second() }));
  }
  const undo = () => swap(`/label/undo${second() ? "?second=1" : ""}`, "");

  // A class that no image has yet; where an image may have several labels, nothing was sent so far.
  function offer(label) {
    if ([...place.querySelectorAll("[data-class]")].some((one) => one.dataset.class === label)) return;
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.dataset.class = label;
    button.append(Object.assign(document.createElement("bdi"), { textContent: label }));
    button.addEventListener("click", () => name(label));
    place.querySelector("#new").before(button);
    place.querySelector("#new-name").blur();
  }

  function set() {
    last = null;
    chosen = "";
    if (suggested()) take(null);
    else if (several()) press([]);
    for (const tile of tiles()) {
      show(tile, guesses(tile)[0] ?? "");
      tile.addEventListener("click", () => touch(tile));
    }
    for (const button of place.querySelectorAll("[data-class]")) button.addEventListener("click", () => name(button.dataset.class));
    place.querySelector("#accept")?.addEventListener("click", accept);
    place.querySelector("#undo")?.addEventListener("click", undo);
    place.querySelector("#later")?.addEventListener("click", () => {
      for (const tile of tiles()) show(tile, null);
      send(() => null);
    });
    place.querySelector("#new")?.addEventListener("submit", (event) => {
      event.preventDefault();
      const label = place.querySelector("#new-name").value.trim();
      if (!label) return;
      if (several()) place.querySelector("#new-name").value = "";
      if (several()) offer(label);
      name(label);
    });
    window.scrollTo({ top: 0 });
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input:not([type=checkbox]), select, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !keysOn()) return;
    const reviewing = document.querySelector(`#reviewing [data-key="${CSS.escape(event.key)}"]`);
    const done = () => event.preventDefault();
    if (reviewing) { done(); reviewing.click(); return; }
    if (event.key === "Enter" && document.querySelector("#confirm") && !event.target.matches?.("a, button, summary")) { done(); document.getElementById("confirm").click(); return; }
    if (event.key === "ArrowRight" && document.querySelector("#reviewing")) { document.getElementById("later").click(); return; }
    if (!place || !tiles().length) return;
    const onControl = event.target.matches?.("button, a, summary, input");
    const tile = tiles().find((one) => one.querySelector("kbd")?.textContent === event.key);
    const button = /^[1-9]$/.test(event.key) && place.querySelectorAll("[data-class]")[event.key - 1];
    if (button) { done(); button.click(); }
    else if (tile) { done(); touch(tile); tile.scrollIntoView({ block: "nearest" }); }
    else if (event.key === "Enter" && (!onControl || event.target === last)) { done(); accept(); }
    else if (event.key === "Escape" && brush !== null) { done(); take(null); }
    else if (event.key === "Backspace") { done(); undo(); }
    else if (event.key === "+") { done(); place.querySelector("#new-name").focus(); }
  });
  if (place && section()) set();
})();
