# %% [markdown] tags=["en"]
# # X-rays: DenseNet-121, patients, and a sensitivity
#
# Three things decide whether a result on medical images means anything: all images of a patient lie in one split, the
# threshold was chosen for a sensitivity that you name, and the report says whether it was *shown*, not only measured.
# This notebook makes no medical device, and nothing here has been tested clinically.
# %% [markdown] tags=["zh"]
# # X 光片：DenseNet-121、患者分组与灵敏度
#
# 医学图像的结果是否有意义取决于三点：同一患者的图像只出现在一个划分中；阈值按您指定的灵敏度选定；报告说明这一目标是否得到*证实*，
# 而不只是测得。本笔记本不会产生医疗器械，其中的内容也未经临床检验。
# %% tags=["parameters"]
EXTRAS = "demo,torch"  # @param {type:"string"}
# %% tags=["include:_begin"]
# %% [markdown] tags=["en"]
# ## Images and patients
#
# Bring one ZIP file with the images (PNG, JPEG or DICOM) and a `labels.csv` with the columns `path`, `label` and
# `patient`. Without one, photographs of textile stand in, with five images for each invented patient: they show the
# steps, and say nothing about X-rays.
# %% [markdown] tags=["zh"]
# ## 图像与患者
#
# 请准备一个 ZIP 文件，内含图像（PNG、JPEG 或 DICOM）和 `labels.csv`，列为 `path`、`label` 和 `patient`。没有时用织物照片代替，
# 每五张图像对应一位虚构的患者：只用来演示步骤，与 X 光片无关。
# %% tags=["parameters"]
ARCHIVE = ""  # @param {type:"string"}
GROUP = "patient"  # @param {type:"string"}
TARGET = "recall(abnormal) >= 0.95"  # @param {type:"string"}
BACKBONE = "densenet121"  # @param {type:"string"}
IMAGES_PER_CLASS = 300  # @param {type:"integer"}
SIZE = "auto"  # @param ["auto", "96", "224", "320", "448"]
# %%
import csv

size = SIZE if SIZE == "auto" else int(SIZE)
if ARCHIVE:
    data = work.data(ARCHIVE)
else:
    photos = colab.demo_photos(work.local / "data" / f"stand-in-{IMAGES_PER_CLASS}", IMAGES_PER_CLASS)
    data = photos / "labels.csv"
    with data.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "patient"])
        for folder in sorted(path for path in photos.iterdir() if path.is_dir()):
            label = "normal" if folder.name == "nominal" else "abnormal"
            for number, image in enumerate(sorted(folder.glob("*.jpg"))):
                table.writerow([image.relative_to(photos), label, f"{folder.name}-{number // 5}"])
data
# %% [markdown] tags=["en"]
# ## Look before training
#
# The audit finds copies, patients in two splits, wrong labels, and shortcuts such as one scanner for each class.
# %% [markdown] tags=["zh"]
# ## 训练前先检查
#
# 审查会找出重复图像、跨划分的患者、错误标签，以及“每个类别用不同扫描仪”之类的捷径。
# %% tags=["parameters"]
AUDIT = True  # @param {type:"boolean"}
# %%
if AUDIT:
    display(eb.audit(data, group=GROUP, out=work.local / "audit", lang=LANG))
# %% [markdown] tags=["en"]
# ## Train
#
# `target` chooses the threshold on images that are not reported; the report says *met*, *not shown* or *missed*. Where
# the published weights cannot be had, the embedded backbone takes their place, and the next line says so.
# %% [markdown] tags=["zh"]
# ## 训练
#
# `target` 在不计入报告的图像上选定阈值；报告给出*达到*、*未证实*或*未达到*。无法取得公开权重时改用内置骨干网络，下一行会说明。
# %%
backbone = colab.backbone_or_embedded(BACKBONE, lang=LANG)
run = work.train(
    f"x-rays-{backbone}", data, group=GROUP, val=0.2, test=0.2, target=[TARGET], backbone=backbone, size=size
)
run
# %%
for point in run.metrics.get("operating_points") or []:
    print(point)
# %% [markdown] tags=["en"]
# ## Where does it look?
#
# A model that looks at the letters in a corner has learned the hospital.
# %% [markdown] tags=["zh"]
# ## 它看的是哪里？
#
# 如果模型看的是角落里的字母，它学到的是哪家医院。
# %%
colab.download(run.report, lang=LANG)
work.sync()
work
