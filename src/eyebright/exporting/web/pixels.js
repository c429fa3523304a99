// From a file or a camera to the raw pixels that the model takes. The model resizes by itself: a canvas would
// do it otherwise than training did.

const STRIP_PIXELS = 2 ** 20; // drawn at once; telephones refuse large canvases
const MOST_PIXELS = 2 ** 24; // that the model is given; its resize holds them as floats

const isJpeg = async (file) => {
  const [first, second, third] = new Uint8Array(await file.slice(0, 3).arrayBuffer());
  return first === 0xff && second === 0xd8 && third === 0xff;
};

/** Whether a PNG has 16 bits a channel: canvases keep 8, whatever range the values have. */
const isDeep = async (file) => {
  const head = new Uint8Array(await file.slice(0, 25).arrayBuffer());
  return [0x89, 0x50, 0x4e, 0x47].every((byte, place) => head[place] === byte) && head[24] === 16;
};

/** By how much an image is made smaller: JPEGs as in training, while twice the model's side remains. */
const reduction = (width, height, side, jpeg) => {
  let factor = jpeg ? [8, 4, 2, 1].find((f) => f <= Math.max(1, Math.min(width, height) / (2 * side))) : 1;
  while (width * height > MOST_PIXELS * factor * factor) factor *= 2;
  return factor;
};

/** Means of squares of pixels, without alpha, written from `start` on. */
const shrink = ({ data, width, height }, factor, pixels, start) => {
  let place = start;
  for (let top = 0; top < height; top += factor) {
    for (let left = 0; left < width; left += factor) {
      const right = Math.min(left + factor, width);
      const bottom = Math.min(top + factor, height);
      const count = (right - left) * (bottom - top);
      for (let channel = 0; channel < 3; channel += 1) {
        let sum = 0;
        for (let y = top; y < bottom; y += 1) {
          for (let x = left; x < right; x += 1) sum += data[4 * (y * width + x) + channel];
        }
        pixels[place] = Math.floor(sum / count + 0.5);
        place += 1;
      }
    }
  }
};

/** An upright image's RGB bytes, transparency on white, as Eyebright reads them in Python. */
const readPixels = async (source, side) => {
  if (source instanceof Blob && (await isDeep(source))) {
    throw Object.assign(new Error("16 bits"), { name: "deep" });
  }
  const jpeg = source instanceof Blob && (await isJpeg(source));
  // Training reads the numbers in the file, whatever colour profile it carries.
  const settings = { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(source, settings);
  try {
    const factor = reduction(bitmap.width, bitmap.height, side, jpeg);
    const [width, height] = [bitmap.width, bitmap.height].map((length) => Math.ceil(length / factor));
    const pixels = new Uint8Array(3 * width * height);
    const rows = factor * Math.max(1, Math.floor(STRIP_PIXELS / bitmap.width / factor));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [bitmap.width, Math.min(rows, bitmap.height)];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#fff";
    for (let top = 0; top < bitmap.height; top += rows) {
      const count = Math.min(rows, bitmap.height - top);
      context.fillRect(0, 0, bitmap.width, count);
      context.drawImage(bitmap, 0, -top);
      shrink(context.getImageData(0, 0, bitmap.width, count), factor, pixels, (3 * width * top) / factor);
    }
    return { pixels, width, height, full: [bitmap.width, bitmap.height] };
  } finally {
    bitmap.close();
  }
};
