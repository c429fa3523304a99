import numpy as np
from PIL import Image, ImageOps


def load_image(path, white_level=None):
    """Return RGB pixels (H, W, 3): upright, 8 bits, transparency on white, as Eyebright reads them.

    Grey of more than 8 bits is scaled from 0 to white_level, which the metadata of a model trained on such
    images holds. None is the fewest bits that hold the image's values.
    """
    with open(path, "rb") as file:  # given the path, Pillow does not turn every TIFF
        image = ImageOps.exif_transpose(Image.open(file))
    if image.mode == "F" or image.mode.startswith("I"):
        values = np.asarray(image, np.float64)
        low, high = min(values.min(), 0), values.max()
        levels = [white_level] if white_level else [2**bits - 1 for bits in range(8, 33)]
        levels = [1, *levels] if image.mode == "F" else levels
        top = high - low if low < 0 else next((level for level in levels if high <= level), levels[-1])
        if np.mean(values - low > top) > 0.01:
            raise ValueError(f"{path} has grey values up to {high}, the model knows 0 to {top}")
        image = Image.fromarray(np.rint(np.clip((values - low) * (255 / top), 0, 255)).astype(np.uint8))
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
        rgba = image.convert("RGBA")
        image = rgba.convert("RGB")
        if rgba.getextrema()[3][1] > 0:  # where everything is transparent, the colours are meant
            image = Image.new("RGB", rgba.size, "white")
            image.paste(rgba, mask=rgba.getchannel("A"))
    return np.asarray(image.convert("RGB"))
