// What every page does beyond its forms: the job's progress, files that are dropped, and photographs to try.
"use strict";
document.documentElement.classList.add("scripted");
const byId = (id) => document.getElementById(id);

// A page without a script would work, too: all that changes something is a form.
async function post(path, body, accept = "application/json") {
  const answer = await fetch(path, { method: "POST", body, headers: { Accept: accept } });
  if (!answer.ok) {
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    throw new Error(page.querySelector(".alarm")?.textContent || answer.statusText);
  }
  return answer;
}

async function followJob() {
  const place = byId("job");
  let before = place?.firstElementChild?.dataset.state;
  while (place && before === "running") {
    await new Promise((done) => setTimeout(done, 1000));
    try {
      const text = await (await fetch("/job")).text();
      const open = place.querySelector("details")?.open;
      place.innerHTML = text;  // from this studio, escaped where it was made
      if (open && place.querySelector("details")) place.querySelector("details").open = true;
      before = place.firstElementChild?.dataset.state;
    } catch { /* the studio is being restarted: ask again */ }
    if (before && before !== "running") {
      const result = place.firstElementChild.dataset.result;
      if (before === "done" && (result === location.pathname || document.querySelector("[data-wait]"))) location.reload();
      document.querySelectorAll("button.primary:disabled").forEach((button) => { button.disabled = false; });
    }
  }
}
followJob();

// Files that are dropped, with the folders that they lie in.
async function filesOf(items) {
  const found = [];
  const walk = async (entry) => {
    if (entry.isFile) {
      const file = await new Promise((done, failed) => entry.file(done, failed));
      found.push([file, entry.fullPath.replace(/^\//, "")]);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return;
      for (const one of some) await walk(one);
    }
  };
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  for (const entry of entries) await walk(entry);
  return found;
}

// The text of name.jpg lies beside it in name.txt: both are sent together, or neither.
function withTexts(files) {
  const stem = ([, name]) => name.replace(/\.[^./]*$/, ""), isText = ([, name]) => /\.txt$/i.test(name);
  const texts = new Map(files.filter(isText).map((one) => [stem(one), one[0]]));
  const images = files.filter((one) => !isText(one)).map((one) => [...one, texts.get(stem(one))]);
  const stems = new Set(images.map(stem));
  return [...images, ...files.filter((one) => isText(one) && !stems.has(stem(one)))];
}

async function digest(file) {
  const hash = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// A hash is no secret, but browsers compute it only where the page is safe: elsewhere all files are sent.
async function onlyMissing(files, show) {
  if (!globalThis.crypto?.subtle) return files;
  const wanted = [];
  for (let start = 0; start < files.length; start += 50) {
    const some = files.slice(start, start + 50);
    const hashes = await Promise.all(some.map(([file, , text]) => digest(text ? new Blob([file, text]) : file)));
    const missing = new Set(await (await post("/images/missing", JSON.stringify(hashes))).json());
    wanted.push(...some.filter((_, place) => missing.has(hashes[place])));
    show(start + some.length, files.length);
  }
  return wanted;
}

function setUpDrop(form) {
  const bar = byId("sent"), said = byId("sending"), refused = byId("refused");
  const say = (template, values) => { said.textContent = template.replace(/\{(\w+)\}/g, (_, key) => values[key]); };
  const show = (done, total) => { bar.hidden = false; bar.max = total; bar.value = done; };
  async function send(files) {
    const zips = files.filter(([file]) => file.name.toLowerCase().endsWith(".zip"));
    const images = withTexts(files.filter((one) => !zips.includes(one)));
    const sum = { new: 0, known: 0, refused: 0, texts: 0 };
    const count = (answer) => {
      sum.new += answer.new; sum.texts += answer.texts; sum.known += answer.known; sum.refused += answer.refused_count;
      for (const text of answer.refused) refused.append(Object.assign(document.createElement("li"), { textContent: text }));
    };
    try {
      say(form.dataset.looking, {});
      const wanted = await onlyMissing(images, show);
      sum.known += images.length - wanted.length;
      for (let start = 0; start < wanted.length;) {
        const body = new FormData();
        let bytes = 0, end = start;
        for (; end < wanted.length && end - start < 50 && bytes < 32e6; end += 1) {
          const [file, name, text] = wanted[end];
          body.append("files", file, name);
          if (text) body.append("files", text, name.replace(/\.[^./]*$/, ".txt"));
          bytes += wanted[end][0].size;
        }
        count(await (await post("/images", body)).json());
        start = end;
        show(end, wanted.length);
        say(form.dataset.sending, { done: end, total: wanted.length });
      }
      for (const [file] of zips) await post(`/images/zip?name=${encodeURIComponent(file.name)}`, file);
      say(sum.texts ? `${form.dataset.done}, ${form.dataset.texts}` : form.dataset.done, sum);
      if (zips.length || ((sum.new || sum.texts) && !sum.refused && !byId("camera").open)) location.reload();
    } catch (error) {
      say(`${form.dataset.failed} ${error.message}`, {});
    }
  }
  form.addEventListener("change", (event) => {
    const files = [...event.target.files].map((file) => [file, file.webkitRelativePath || file.name]);
    if (files.length) send(files);
  });
  onDrop(form, async (transfer) => send(await filesOf(transfer.items)));
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files].map((file) => [file, file.name]);
    if (files.length) send(files);
  });
  setUpCamera(form, (file) => send([[file, file.name]]));
}

function setUpTry(form) {
  const place = byId("answer");
  const text = byId("asked-text");
  let last = null;  // the photograph, so that it can be asked about with another text
  async function ask(file) {
    last = file;
    const body = new FormData();
    body.append("file", file);
    if (text) body.append("text", text.value);
    place.setAttribute("aria-busy", "true");
    try {
      place.innerHTML = await (await post("/try", body, "text/x-fragment")).text();
    } catch (error) {
      place.textContent = `${form.dataset.failed} ${error.message}`;
    }
    place.removeAttribute("aria-busy");
  }
  form.addEventListener("change", (event) => { if (event.target.files?.[0]) ask(event.target.files[0]); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (last) ask(last); else form.querySelector("input[type=file]").click();
  });
  onDrop(form, async (transfer) => { if (transfer.files[0]) ask(transfer.files[0]); });
  setUpCamera(form, (file) => { byId("camera").close(); return ask(file); });
  document.addEventListener("paste", (event) => { if (event.clipboardData.files[0]) ask(event.clipboardData.files[0]); });
}

// Phones open their own camera for such an input; elsewhere it is shown here. Where the page is not safe
// (http from another machine), browsers have no camera, and the input asks for a file.
function setUpCamera(form, take) {
  const dialog = byId("camera"), video = dialog?.querySelector("video");
  if (!dialog || !navigator.mediaDevices?.getUserMedia || matchMedia("(pointer: coarse)").matches) return;
  const said = byId("shot");
  let count = 0;
  form.querySelector("input[capture]").addEventListener("click", async (event) => {
    event.preventDefault();
    said.textContent = "";
    dialog.showModal();
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } } });
    } catch {
      said.textContent = dialog.dataset.failed;
    }
  });
  byId("shoot").addEventListener("click", async () => {
    if (!video.videoWidth) return;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
    count += 1;
    await take(new File([blob], `camera-${Date.now()}.jpg`, { type: "image/jpeg" }));
    said.textContent = String(count);
  });
  byId("camera-off").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
    if (count && byId("drop")) location.reload();
  });
}

function onDrop(form, take) {
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      form.classList.toggle("over", kind === "dragover");
      if (kind === "drop") take(event.dataTransfer);
    });
  }
}

document.querySelector(".way [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
if (byId("drop")) setUpDrop(byId("drop"));
if (byId("try")) setUpTry(byId("try"));
