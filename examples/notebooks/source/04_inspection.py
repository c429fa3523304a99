# %% [markdown] tags=["en"]
# # Inspection: EfficientNet-B4, and a rate of false alarms
#
# On a line, each false alarm costs a look. You name the share of good parts that may be stopped; the model finds as many
# defects as it can within it. If you have no defects yet, good parts alone are enough to begin.
# %% [markdown] tags=["zh"]
# # 质检：EfficientNet-B4 与误报率
#
# 在生产线上，每次误报都要人工查看。由您指定允许误停的合格品比例，模型在此限度内尽量多找出缺陷。若还没有缺陷样本，只有合格品也可以开始。
# %% tags=["parameters"]
EXTRAS = "demo,torch"  # @param {type:"string"}
# %% tags=["include:_begin"]
# %% tags=["include:_photos"]
# %% tags=["parameters"]
BACKBONE = "efficientnet_b4"  # @param {type:"string"}
GOOD = "nominal"  # @param {type:"string"}
DEFECT = "local"  # @param {type:"string"}
FALSE_ALARMS = 0.02  # @param {type:"number"}
# %% [markdown] tags=["en"]
# ## With defects
#
# `false_positive_rate(CLASS) <= 0.02`: at most 2 % of the parts without this defect are stopped for it.
# %% [markdown] tags=["zh"]
# ## 有缺陷样本时
#
# `false_positive_rate(类别) <= 0.02`：没有该缺陷的部件中最多有 2 % 因它被误停。
# %%
backbone = colab.backbone_or_embedded(BACKBONE, lang=LANG)
target = f"false_positive_rate({DEFECT}) <= {FALSE_ALARMS}"
run = work.train(
    f"inspection-{backbone}", data, val=0.25, target=[target], backbone=backbone, size=size, layers=LAYERS
)
run
# %% [markdown] tags=["en"]
# ## From good parts alone
#
# An image that is unlike the good ones is an anomaly, and a map says where. The limit is chosen for the same rate of
# false alarms.
# %% [markdown] tags=["zh"]
# ## 只有合格品时
#
# 与合格品不相像的图像就是异常，并有图指出位置。界限按同样的误报率选定。
# %%
import shutil

good = work.local / "data" / "good-parts" / "good"
good.mkdir(parents=True, exist_ok=True)
source = (work.folder(ARCHIVE) if ARCHIVE else data) / GOOD
for image in sorted(path for path in source.iterdir() if path.is_file()):
    shutil.copyfile(image, good / image.name)
anomalies = work.train(
    "anomalies",
    good.parent,
    task="anomaly",
    target=[f"false_positive_rate(anomaly) <= {FALSE_ALARMS}"],
    size=size,
)
anomalies
# %% [markdown] tags=["en"]
# ## On the line
#
# `eyebright serve RUN` answers over HTTP and refuses what it could not answer in time;
# `eyebright monitor` says when parts no longer look as they did.
# %% [markdown] tags=["zh"]
# ## 上线
#
# `eyebright serve RUN` 通过 HTTP 作答，来不及回答的请求会被拒绝；`eyebright monitor` 会在部件外观发生变化时告知。
# %%
colab.download(run.model, run.report, lang=LANG)
work.sync()
work
