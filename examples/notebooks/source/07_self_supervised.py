# %% [markdown] tags=["en"]
# # Self-supervised: images without labels
#
# If your images look like nothing that a backbone has seen, let it look at thousands of them first. No label is
# needed; what was gained is measured with few labels. On a CPU this takes an hour for some thousand images, so a GPU is
# worth having here.
# %% [markdown] tags=["zh"]
# # 自监督：没有标签的图像
#
# 如果您的图像与骨干网络见过的完全不同，可以先让它看上几千张。无需标签；收益用少量标签来衡量。在 CPU 上几千张图像约需一小时，因此这里值得用 GPU。
# %% tags=["parameters"]
EXTRAS = "demo,torch"  # @param {type:"string"}
# %% tags=["include:_begin"]
# %% tags=["include:_photos"]
# %% tags=["parameters"]
EPOCHS = 5  # @param {type:"integer"}
PRETRAIN_SIZE = "auto"  # @param ["auto", "64", "128", "224"]
BATCH = "auto"  # @param ["auto", "16", "64", "256"]
# %% [markdown] tags=["en"]
# ## Adapt the backbone
#
# The labels are not read. If the machine goes away, this cell continues where it was.
# %% [markdown] tags=["zh"]
# ## 调整骨干网络
#
# 不读取标签。机器被回收后，再运行此单元格会从中断处继续。
# %%
folder = work.folder(ARCHIVE) if ARCHIVE else data
backbone = work.pretrain(
    "own",
    folder,
    epochs=EPOCHS,
    size=PRETRAIN_SIZE if PRETRAIN_SIZE == "auto" else int(PRETRAIN_SIZE),
    batch=BATCH if BATCH == "auto" else int(BATCH),
)
backbone
# %% [markdown] tags=["en"]
# ## Was it worth it?
#
# The same labels, once with the backbone as it was and once adapted. `compare` names a winner only where the difference is
# significant.
# %% [markdown] tags=["zh"]
# ## 值得吗？
#
# 同样的标签，一次用原来的骨干网络，一次用调整后的。只有差异显著时 `compare` 才给出胜者。
# %%
before = work.train("before", data, val=0.25, size=size, layers=LAYERS)
after = work.train("after", data, val=0.25, size=size, layers=LAYERS, backbone=backbone)
eb.compare([before, after], out=work.local / "comparison", lang=LANG)
# %%
colab.download(after.model, after.report, lang=LANG)
work.sync()
work
