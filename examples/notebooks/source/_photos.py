# %% [markdown] tags=["en"]
# ## The images
#
# Upload **one** ZIP file with a folder for each class to your Drive, and write its name into `ARCHIVE`, such as
# `photos.zip`. It is copied to the local disk in one piece: reading thousands of images from Drive one by one
# takes hours. Without an archive, real photographs of woven textile are used, with defects and without.
# %% [markdown] tags=["zh"]
# ## 图像
#
# 把**一个** ZIP 文件（每个类别一个文件夹）上传到云端硬盘，并把名称写入 `ARCHIVE`，例如 `photos.zip`。它会被整个复制到本地磁盘：
# 从云端硬盘逐个读取数千张图像要花数小时。不填时使用真实的织物照片（有瑕疵和无瑕疵）。
# %% tags=["parameters"]
ARCHIVE = ""  # @param {type:"string"}
IMAGES_PER_CLASS = 500  # @param {type:"integer"}
SIZE = "auto"  # @param ["auto", "96", "224", "320", "448"]
LAYERS = "auto"  # @param ["auto", "stages", "texture", "all"]
# %%
size = SIZE if SIZE == "auto" else int(SIZE)
data = (
    work.data(ARCHIVE)
    if ARCHIVE
    else colab.demo_photos(work.local / "data" / f"textile-{IMAGES_PER_CLASS}", IMAGES_PER_CLASS)
)
data
