# %% [markdown] tags=["en"]
# # A first model in five minutes
#
# A folder of labelled images becomes one sealed ONNX file, with a report that says how far it can be trusted. No GPU
# is needed.
# %% [markdown] tags=["zh"]
# # 五分钟得到第一个模型
#
# 把一个带标签的图像文件夹变成一个封装好的 ONNX 文件，并附上报告，说明它在多大程度上可信。不需要 GPU。
# %% tags=["parameters"]
EXTRAS = "demo"  # @param {type:"string"}
# %% tags=["include:_begin"]
# %% tags=["include:_photos"]
# %% [markdown] tags=["en"]
# ## Train
#
# Run this cell as often as you like: under one name it trains once.
# %% [markdown] tags=["zh"]
# ## 训练
#
# 这个单元格可以反复运行：同一个名称只训练一次。
# %%
run = work.train("first", data, val=0.25, size=size, layers=LAYERS)
run
# %% [markdown] tags=["en"]
# Each metric has its 95 % interval: with few images it is wide, and says so. The report shows the confusion matrix, the
# most confident mistakes, calibration, and what to do next.
# %% [markdown] tags=["zh"]
# 每个指标都带有 95 % 区间：图像少时区间就宽，并会如实说明。报告里有混淆矩阵、最有把握的错误、校准情况，以及下一步建议。
# %%
colab.download(run.model, run.report, lang=LANG)
# %% [markdown] tags=["en"]
# ## Use it
#
# `unknown` means: unlike all images that the model learned from.
# %% [markdown] tags=["zh"]
# ## 使用模型
#
# `unknown` 表示：与模型学过的图像都不相似。
# %%
from itertools import islice

for answer in islice(eb.predict(run.model, data), 5):
    print(answer.label, f"{answer.confidence:.3f}", "unknown" if answer.unknown else "")
# %% [markdown] tags=["en"]
# ## Label, review and try on a page
#
# The studio shows the images in this notebook; it needs a place whose browser reaches the machine's ports (Colab or
# your own computer).
# %% [markdown] tags=["zh"]
# ## 在页面上标注、复查和试用
#
# studio 会在本笔记本中显示这些图像；它要求浏览器能访问这台机器的端口（Colab 或自己的电脑）。
# %% tags=["parameters"]
SHOW_STUDIO = False  # @param {type:"boolean"}
# %%
if SHOW_STUDIO:
    studio = colab.show_studio(work.folder(ARCHIVE) if ARCHIVE else data, lang=LANG)
# %% [markdown] tags=["en"]
# ## Before you leave
# %% [markdown] tags=["zh"]
# ## 离开之前
# %%
work.sync()
work
