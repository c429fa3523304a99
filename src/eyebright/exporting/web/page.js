// The page itself: how images come in, who answers, and which language is spoken.

const facts = JSON.parse(document.getElementById("facts").textContent);
const part = (id) => document.getElementById(id);
const items = []; // every image that was given, the newest first
const waiting = []; // those without an answer
let ready = false;
let busy = false;
let stopped = null; // why the model could not start
let lang = facts.lang === "zh" || /^zh\b/i.test(navigator.language) ? "zh" : "en";

const say = (key, values = {}) =>
  facts.texts[lang][key].replace(/\{(\w+)\}/g, (whole, value) => values[value] ?? whole);

// --- The worker that holds the model ---------------------------------------------------------------------

const calls = new Map();
const worker = (() => {
  const address = URL.createObjectURL(new Blob([part("worker").textContent], { type: "text/javascript" }));
  const started = new Worker(address);
  started.onmessage = ({ data: { id, result, error } }) => {
    const { resolve, reject } = calls.get(id);
    calls.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(error));
  };
  started.onerror = (event) => calls.forEach(({ reject }) => reject(new Error(event.message)));
  return started;
})();

const ask = (task, content, transfer = []) =>
  new Promise((resolve, reject) => {
    const id = crypto.getRandomValues(new Uint32Array(1))[0];
    calls.set(id, { resolve, reject });
    worker.postMessage({ id, task, content }, transfer);
  });

const classify = async (source) => {
  const { pixels, width, height, full } = await readPixels(source, facts.side);
  const answer = await ask("answer", { pixels, width, height }, [pixels.buffer]);
  answer.unknown = answer.decided[0] < 0;
  return { answer, full };
};

const best = (answer) => {
  if (answer.unknown) return say("unknown");
  return facts.several ? named(answer) : `${named(answer)}  ${percent(answer.probabilities[answer.decided[0]])}`;
};

// --- Images, one after the other -------------------------------------------------------------------------

const tell = (text) => { part("status").textContent = text; };
const announce = (text) => { part("spoken").textContent = text; }; // for those who do not see the card

const show = () => {
  part("tools").hidden = items.length === 0;
  document.body.classList.toggle("has-results", items.length > 0);
};

const give = (files) => {
  for (const file of [...files].reverse()) {
    const item = { file, name: file.name || say("pasted"), address: URL.createObjectURL(file) };
    item.card = make("li", { className: "card" });
    items.unshift(item);
    waiting.unshift(item);
    if (stopped !== null) Object.assign(item, { error: "stopped", reason: stopped });
    draw(item);
    part("results").prepend(item.card);
  }
  show();
  work();
};

const answerNext = async (item) => {
  try {
    const { answer, full } = await classify(item.file);
    Object.assign(item, { answer, size: full });
    announce(`${item.name}: ${best(answer)}`);
  } catch (error) {
    const kind = error.name === "deep" ? "deep" : error instanceof DOMException ? "unreadable" : "failed";
    Object.assign(item, { error: kind, reason: error.message });
    announce(`${item.name}: ${say(item.error, item)}`);
  }
};

const work = async () => {
  if (!ready || busy) return;
  busy = true;
  while (waiting.length) {
    const item = waiting.shift();
    await answerNext(item);
    if (items.includes(item)) draw(item);
  }
  busy = false;
};

const forget = (list, item) => { if (list.includes(item)) list.splice(list.indexOf(item), 1); };

const dismiss = (item) => {
  const next = item.card.nextElementSibling ?? item.card.previousElementSibling;
  [items, waiting].forEach((list) => forget(list, item));
  URL.revokeObjectURL(item.address);
  item.card.remove();
  show();
  (next?.querySelector(".remove") ?? part("choose")).focus();
};

// --- Ways in ---------------------------------------------------------------------------------------------

for (const id of ["files", "shot"]) {
  part(id).addEventListener("change", () => { give(part(id).files); part(id).value = ""; });
}
part("choose").addEventListener("click", () => part("files").click());
part("clear").addEventListener("click", () => { [...items].forEach(dismiss); tell(""); });

let depth = 0; // how many elements a dragged file is over
const mark = (change) => {
  depth = Math.max(0, depth + change);
  part("inlet").classList.toggle("over", depth > 0);
};
const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
document.addEventListener("dragenter", (event) => { if (carriesFiles(event)) mark(1); });
document.addEventListener("dragleave", (event) => { if (carriesFiles(event)) mark(-1); });
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  mark(-depth);
  give(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length) { event.preventDefault(); give(files); }
});

// --- Camera ----------------------------------------------------------------------------------------------

let stream = null;

const live = async () => {
  const video = part("video");
  while (stream) {
    if (video.videoWidth && !busy) {
      const shown = await classify(video).then(({ answer }) => best(answer), () => "");
      if (stream) part("live").textContent = shown;
    }
    await new Promise((resolve) => { setTimeout(resolve, 150); });
  }
};

const leave = () => {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  part("booth").close();
};

const openCamera = async () => {
  // A telephone's own camera program takes better pictures, and pages from files may not ask for the camera there.
  if (!navigator.mediaDevices?.getUserMedia || matchMedia("(pointer: coarse)").matches) {
    part("shot").click();
    return;
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
  } catch (error) {
    tell(say("noCamera", { reason: error.message }));
    return;
  }
  part("live").textContent = "";
  part("booth").showModal();
  part("video").srcObject = stream;
  await part("video").play();
  live();
};

const takePicture = () => {
  const video = part("video");
  const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => { give([new File([blob], say("photo"), { type: "image/png" })]); leave(); });
};

part("camera").addEventListener("click", openCamera);
part("take").addEventListener("click", takePicture);
part("leave").addEventListener("click", leave);
part("booth").addEventListener("cancel", leave);

// --- Heat map, language, start ---------------------------------------------------------------------------

const showHeat = () => {
  const wanted = part("heat").checked;
  document.body.classList.toggle("with-heat", wanted);
  part("legend").hidden = !wanted;
};
part("heat").addEventListener("change", showHeat);

const speak = (language) => {
  lang = language;
  document.documentElement.lang = lang === "zh" ? "zh-Hans" : "en";
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = say(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
  }
  for (const button of document.querySelectorAll("[data-lang]")) {
    button.setAttribute("aria-pressed", String(button.dataset.lang === lang));
  }
  const count = facts.labels.length;
  part("lead").textContent = facts.several ? say("leadSeveral", { count }) : say("lead", { count });
  part("terms").replaceChildren(...facts.terms[lang].map(([term, value]) =>
    make("div", {}, make("dt", { textContent: term }), make("dd", {}, name(value)))));
  if (!ready) tell(stopped === null ? say("loading") : say("stopped", { reason: stopped }));
  items.forEach(draw);
};
for (const button of document.querySelectorAll("[data-lang]")) {
  button.addEventListener("click", () => { speak(button.dataset.lang); if (ready) tell(""); });
}

const stop = (error) => {
  stopped = error.message;
  tell(say("stopped", { reason: stopped }));
  waiting.splice(0).forEach((item) => { draw(Object.assign(item, { error: "stopped", reason: stopped })); });
};

const start = async () => {
  const stored = {};
  for (const block of document.querySelectorAll("script[data-block]")) {
    stored[block.dataset.block] = block.textContent.trim();
    block.remove(); // from now on the worker holds it
  }
  try {
    const { heat } = await ask("load", stored);
    part("heat-choice").hidden = !heat;
  } catch (error) {
    stop(error);
    return;
  }
  ready = true;
  tell("");
  document.body.classList.add("ready");
  work();
};

speak(lang);
part("choose").disabled = false;
part("camera").disabled = false;
start();
