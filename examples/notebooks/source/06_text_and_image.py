# %% [markdown] tags=["en"]
# # Text and image
#
# A catalogue has a description beside each photograph. Eyebright reads both into one sealed file, reports what the text
# adds, and warns where it gives the answer away.
# %% [markdown] tags=["zh"]
# # 文本与图像
#
# 商品目录里每张照片旁都有说明文字。Eyebright 把两者读入同一个封装文件，报告文本带来多少提升，并在文本直接泄露答案时发出警告。
# %% tags=["parameters"]
EXTRAS = "demo"  # @param {type:"string"}
# %% tags=["include:_begin"]
# %% [markdown] tags=["en"]
# ## A table
#
# One ZIP file with images and a `labels.csv` with `path`, `label` and one or more columns of text. Without one, textile
# photographs get made-up notes of an inspector, who is right in two of three cases.
# %% [markdown] tags=["zh"]
# ## 表格
#
# 一个 ZIP 文件，内含图像和 `labels.csv`（列为 `path`、`label` 以及一列或多列文本）。没有时，为织物照片配上虚构的检验员备注，三次中有两次正确。
# %% tags=["parameters"]
ARCHIVE = ""  # @param {type:"string"}
TEXT = "note"  # @param {type:"string"}
IMAGES_PER_CLASS = 300  # @param {type:"integer"}
SIZE = "auto"  # @param ["auto", "96", "224", "320", "448"]
LAYERS = "auto"  # @param ["auto", "stages", "texture", "all"]
# %%
import csv
import random

size = SIZE if SIZE == "auto" else int(SIZE)
NOTES = {
    "global": ["weave uneven over the whole piece", "loose threads everywhere"],
    "local": ["a small spot near the edge", "one thread pulled"],
    "nominal": ["nothing to see", "even weave, as ordered"],
}


def note(label, draw, classes):
    """Return what an inspector writes, who is right in two of three cases; no two pieces have the same roll."""
    seen = label if draw.random() < 2 / 3 else draw.choice(classes)
    return f"roll {draw.randrange(10**6):06}: {draw.choice(NOTES[seen])}"


if ARCHIVE:
    data = work.data(ARCHIVE)
else:
    photos = colab.demo_photos(work.local / "data" / f"notes-{IMAGES_PER_CLASS}", IMAGES_PER_CLASS)
    draw, classes = random.Random(0), sorted(path.name for path in photos.iterdir() if path.is_dir())
    data = photos / "labels.csv"
    with data.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", TEXT])
        for label in classes:
            for image in sorted((photos / label).glob("*.jpg")):
                table.writerow([image.relative_to(photos), label, note(label, draw, classes)])
data
# %%
run = work.train("text-and-image", data, text=[TEXT], val=0.25, size=size, layers=LAYERS)
run
# %% [markdown] tags=["en"]
# ## What each adds
#
# The same model on images alone, on texts alone, and on both.
# %% [markdown] tags=["zh"]
# ## 各自的贡献
#
# 同一模型：只看图像、只看文本、两者都看。
# %%
run.metrics.get("modalities")
# %%
colab.download(run.model, run.report, lang=LANG)
work.sync()
work
