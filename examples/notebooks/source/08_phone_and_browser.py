# %% [markdown] tags=["en"]
# # Phone and browser
#
# Each export is loaded by its own runtime, run on your validation images and compared with the original. What does not
# agree is not kept.
# %% [markdown] tags=["zh"]
# # 手机与浏览器
#
# 每个导出文件都由各自的运行时加载，在您的验证图像上运行，并与原模型比较。不一致的不予保留。
# %% tags=["parameters"]
EXTRAS = "demo"  # @param {type:"string"}
# %% tags=["include:_begin"]
# %% tags=["include:_photos"]
# %%
run = work.train("first", data, val=0.25, size=size, layers=LAYERS)
run
# %% [markdown] tags=["en"]
# ## Browser
#
# `html` is one page that classifies images offline, in any browser; nothing leaves the person's machine.
#
# ## Phone
#
# | phone | format | extra |
# |---|---|---|
# | Android, iOS | `onnx --int8` with ONNX Runtime Mobile | none |
# | Android | `litert`, `ncnn` | `litert`, `ncnn` |
# | iOS | `coreml` (predicts on macOS and iOS only) | `coreml` |
# | both | `executorch` | `executorch` |
# %% [markdown] tags=["zh"]
# ## 浏览器
#
# `html` 是一个可离线分类图像的网页，任何浏览器都能打开；数据不离开使用者的机器。
#
# ## 手机
#
# | 手机 | 格式 | 附加包 |
# |---|---|---|
# | Android、iOS | `onnx --int8`，配合 ONNX Runtime Mobile | 无 |
# | Android | `litert`、`ncnn` | `litert`、`ncnn` |
# | iOS | `coreml`（只能在 macOS 和 iOS 上预测） | `coreml` |
# | 两者 | `executorch` | `executorch` |
# %% tags=["parameters"]
FORMATS = "onnx,html"  # @param {type:"string"}
INT8 = True  # @param {type:"boolean"}
# %%
exports = eb.export(run.model, FORMATS.split(","), out=work.local / "exports", lang=LANG)
exports
# %%
if INT8:
    display(eb.export(run.model, ["onnx"], int8=True, out=work.local / "exports-int8", lang=LANG))
# %% [markdown] tags=["en"]
# The folders hold the file, the labels, an example and `certificate.json` with agreement, speed and versions.
# %% [markdown] tags=["zh"]
# 文件夹中有模型文件、标签、示例，以及记录一致性、速度和版本的 `certificate.json`。
# %%
pages = sorted(exports.directory.rglob("*.html"))
colab.download(*pages[:1], lang=LANG)
work.sync()
work
