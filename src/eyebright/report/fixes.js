"use strict";
(() => {
  const form = document.getElementById("fixes-form");
  if (!form) return;
  const rows = JSON.parse(document.getElementById("fixes-data").textContent);
  const choices = [...document.querySelectorAll("select.fix")];
  const key = (image, reason) => `${image}\n${reason}`;
  const quoted = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  for (const choice of choices) choice.hidden = false;
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = new Map();
    for (const { dataset, value, selectedOptions } of choices) {
      const row = [dataset.image, value, selectedOptions[0].dataset.value, dataset.reason];
      chosen.set(key(dataset.image, dataset.reason), row);
    }
    const known = new Set(rows.map(([image, , , reason]) => key(image, reason)));
    const proposed = rows.map((row) => chosen.get(key(row[0], row[3])) ?? row);
    const added = [...chosen].filter(([name, row]) => !known.has(name) && row[1]).map(([, row]) => row);
    const lines = [["image", "action", "value", "reason"], ...proposed, ...added];
    const text = lines.map((cells) => `${cells.map(quoted).join(",")}\n`).join("");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = "fixes.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  });
})();
