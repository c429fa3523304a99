# %% [markdown] tags=["en"]
# # A shop: ViT-Base and 2,000 classes
#
# With thousands of products and a handful of photographs of each, what counts is a strong backbone, a head that is
# solved instead of trained, and the five likeliest answers. The products here are made up: each is a place in a real
# photograph, seen in slightly different crops. They show size and speed; their accuracy says nothing about your shop.
# %% [markdown] tags=["zh"]
# # 商店：ViT-Base 与 2,000 个类别
#
# 商品成千上万、每种只有几张照片时，重要的是强大的骨干网络、直接求解（而非训练）的分类头，以及最可能的五个答案。这里的商品是虚构的：
# 每个都是真实照片中的一处，以略有不同的方式裁剪。它们只展示规模与速度，准确率与您的商店无关。
# %% tags=["parameters"]
EXTRAS = "demo,torch"  # @param {type:"string"}
# %% tags=["include:_begin"]
# %% tags=["parameters"]
ARCHIVE = ""  # @param {type:"string"}
BACKBONE = "vit_base_patch16_224"  # @param {type:"string"}
CLASSES = 2000  # @param {type:"integer"}
IMAGES_PER_CLASS = 6  # @param {type:"integer"}
SIZE = "auto"  # @param ["auto", "96", "224"]
LAYERS = "auto"  # @param ["auto", "stages", "texture", "all"]
# %%
import numpy as np
from PIL import Image

size = SIZE if SIZE == "auto" else int(SIZE)


def make_products(folder, classes, each, crop=96):
    """Cut products out of real photographs, unless they are there."""
    photos = sorted(colab.demo_photos(work.local / "data" / "textile", 200).rglob("*.jpg"))
    for number in range(classes):
        product = folder / f"product-{number:04}"
        if product.is_dir() and len(list(product.iterdir())) == each:
            continue
        product.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(number)
        image = Image.open(photos[number % len(photos)]).convert("RGB")
        # A colour of its own tells a product from its neighbours in the same photograph.
        tint = Image.new("RGB", image.size, tuple(int(value) for value in random.integers(0, 256, 3)))
        image = Image.blend(image, tint, 0.4)
        left, top = (int(random.integers(8, max(9, side - crop - 8))) for side in image.size)
        for view in range(each):
            x, y = (int(value) for value in random.integers(-8, 9, 2))
            box = (left + x, top + y, left + x + crop, top + y + crop)
            image.crop(box).save(product / f"{view}.jpg", quality=90)
    return folder


data = (
    work.data(ARCHIVE)
    if ARCHIVE
    else make_products(
        work.local / "data" / f"products-{CLASSES}-{IMAGES_PER_CLASS}", CLASSES, IMAGES_PER_CLASS
    )
)
data
# %%
backbone = colab.backbone_or_embedded(BACKBONE, lang=LANG)
run = work.train(f"shop-{backbone}-{CLASSES}", data, val=0.34, backbone=backbone, size=size, layers=LAYERS)
run
# %% [markdown] tags=["en"]
# ## The likeliest five
# %% [markdown] tags=["zh"]
# ## 最可能的五个
# %%
answer = next(iter(eb.predict(run.model, data, top=5)))
list(zip(answer.labels[:5], answer.probabilities[:5], strict=True))
# %% [markdown] tags=["en"]
# ## A new product tomorrow
#
# `eb.update(run, more, out=…)` adds classes in seconds: only the new images pass through the backbone.
# %% [markdown] tags=["zh"]
# ## 明天上新
#
# `eb.update(run, more, out=…)` 几秒内加入新类别：只有新图像需要经过骨干网络。
# %%
colab.download(run.model, run.report, lang=LANG)
work.sync()
work
