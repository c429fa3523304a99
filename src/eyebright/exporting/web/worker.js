"use strict";
// Runs the model beside the page, so that the page never stands still. Nothing here asks a network.

const CHARACTERS = 2 ** 20; // of base64 at a time: a multiple of 4

const bytesOf = (base64) => {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
};

/** What was stored: base64 of gzip. */
const unpack = async (base64) => {
  let place = 0;
  const packed = new ReadableStream({
    pull(stream) {
      if (place >= base64.length) return stream.close();
      stream.enqueue(bytesOf(base64.slice(place, place + CHARACTERS)));
      place += CHARACTERS;
    },
  });
  return new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
};

const scriptAddress = (bytes) => URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));

let session;

const tasks = {
  async load({ library, loader, wasm, model }) {
    const parts = await Promise.all([library, loader, wasm, model].map(unpack));
    importScripts(scriptAddress(parts[0]));
    // Several threads would need headers that no file has.
    Object.assign(ort.env.wasm, {
      numThreads: 1,
      wasmPaths: { mjs: scriptAddress(parts[1]) },
      wasmBinary: parts[2],
    });
    const settings = { executionProviders: ["wasm"], graphOptimizationLevel: "all", logSeverityLevel: 3 };
    session = await ort.InferenceSession.create(new Uint8Array(parts[3]), settings);
    return { heat: session.outputNames.includes("heat") };
  },

  async answer({ pixels, width, height }) {
    const start = performance.now();
    const images = new ort.Tensor("uint8", pixels, [1, height, width, 3]);
    const found = await session.run({ images });
    return {
      probabilities: Array.from(found.probabilities.data),
      decided: Array.from(found.answer.data, Number), // a class, or 0 and 1 of each label; -1 for unknown
      heat: found.heat ? { cells: found.heat.dims[1], shares: found.heat.data } : null,
      milliseconds: performance.now() - start,
    };
  },
};

self.onmessage = async ({ data: { id, task, content } }) => {
  try {
    self.postMessage({ id, result: await tasks[task](content) });
  } catch (error) {
    self.postMessage({ id, error: String(error.message ?? error) });
  }
};
