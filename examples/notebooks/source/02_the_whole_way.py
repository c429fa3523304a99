# %% [markdown] tags=["en"]
# # The whole way, step by step
#
# Most tutorials on transfer learning in Colab take these steps in plain PyTorch. Here each snippet stands beside the line
# of Eyebright that does the same, and both run: *PyTorch* first, *Eyebright* below it.
# %% [markdown] tags=["zh"]
# # 完整流程，逐步对照
#
# 大多数 Colab 迁移学习教程都用纯 PyTorch 完成以下步骤。这里每段代码旁边都有完成同一件事的 Eyebright 语句，两者都会运行：先 *PyTorch*，后 *Eyebright*。
# %% tags=["parameters"]
EXTRAS = "demo,torch"  # @param {type:"string"}
# %% tags=["include:_begin"]
# %% tags=["parameters"]
ARCHIVE = ""  # @param {type:"string"}
IMAGES_PER_CLASS = 200  # @param {type:"integer"}
SIZE = 224  # @param {type:"integer"}
EPOCHS = 3  # @param {type:"integer"}
STEPS_PER_EPOCH = 20  # @param {type:"integer"}
BATCH = 32  # @param {type:"integer"}
FINETUNE = "last"  # @param ["last", "full", "auto"]
BACKBONE = "resnet50"  # @param {type:"string"}
# %% [markdown] tags=["en"]
# ## 1. Which device?
# %% [markdown] tags=["zh"]
# ## 1. 用什么设备？
# %%
import torch

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print(device)
# %% [markdown] tags=["en"]
# Eyebright says where it is, what there is, and what would be fastest.
# %% [markdown] tags=["zh"]
# Eyebright 会说明所处环境、可用资源，以及最快的方式。
# %%
facts = {fact.key: fact for fact in eb.doctor(lang=LANG)}
for key in ("place", "cores", "memory", "gpu", "tpu", "disk", "drive", "fastest"):
    if key in facts:
        print(f"{facts[key].title}: {facts[key].text}")
# %% [markdown] tags=["en"]
# ## 2. Drive
#
# Tutorials mount Drive and read images from it one by one:
#
# ```python
# from google.colab import drive
# drive.mount("/content/drive")
# dataset = datasets.ImageFolder("/content/drive/MyDrive/photos")  # hours for many files, and it breaks off
# ```
#
# `colab.workspace` above has mounted it. `work.folder` copies one archive and unpacks it on the local disk.
# %% [markdown] tags=["zh"]
# ## 2. 云端硬盘
#
# 教程通常挂载云端硬盘并逐个读取图像：
#
# ```python
# from google.colab import drive
# drive.mount("/content/drive")
# dataset = datasets.ImageFolder("/content/drive/MyDrive/photos")  # 文件多时要数小时，而且会中断
# ```
#
# 上面的 `colab.workspace` 已经挂载。`work.folder` 复制一个压缩包并在本地磁盘上解压。
# %%
if ARCHIVE:
    data = work.folder(ARCHIVE)
else:
    data = colab.demo_photos(work.local / "data" / f"textile-{IMAGES_PER_CLASS}", IMAGES_PER_CLASS)
data
# %% [markdown] tags=["en"]
# ## 3. ImageFolder, and a split
# %% [markdown] tags=["zh"]
# ## 3. ImageFolder 与划分
# %%
from torch.utils.data import DataLoader, random_split
from torchvision import datasets, transforms

plain = datasets.ImageFolder(str(data))
held_out = len(plain) // 5
train_set, val_set = random_split(
    plain, [len(plain) - held_out, held_out], generator=torch.Generator().manual_seed(0)
)
print(len(train_set), len(val_set), plain.classes)
# %% [markdown] tags=["en"]
# Eyebright takes the folder itself (or an archive, a table, a DataFrame, COCO …). Copies and near duplicates never land in
# two splits, which `random_split` does not prevent. `eb.audit` says what else is wrong with the data.
# %% [markdown] tags=["zh"]
# Eyebright 直接接受文件夹（或压缩包、表格、DataFrame、COCO 等）。完全或近似重复的图像不会落入两个划分，`random_split` 做不到这一点。
# `eb.audit` 会指出数据的其他问题。
# %% tags=["parameters"]
AUDIT = True  # @param {type:"boolean"}
# %%
if AUDIT:
    display(eb.audit(data, out=work.local / "audit", lang=LANG))
# %% [markdown] tags=["en"]
# ## 4. Augmentation
# %% [markdown] tags=["zh"]
# ## 4. 数据增强
# %%
augmented = transforms.Compose(
    [
        transforms.RandomResizedCrop(SIZE, scale=(0.7, 1.0)),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(0.2, 0.2, 0.2),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)
train_set.dataset = datasets.ImageFolder(str(data), transform=augmented)
loader = DataLoader(train_set, batch_size=BATCH, shuffle=True)
# %% [markdown] tags=["en"]
# In Eyebright: `augment="auto"`, which takes the strongest that the network still recognises. Mirror images harm where
# orientation tells classes apart, and colour where colour does; nobody has to know that beforehand.
# %% [markdown] tags=["zh"]
# Eyebright 中写作 `augment="auto"`：选取网络仍能识别的最强增强。方向能区分类别时镜像有害，颜色能区分类别时改变颜色有害；无需事先知道。
# %% [markdown] tags=["en"]
# ## 5. A frozen ResNet-50
# %% [markdown] tags=["zh"]
# ## 5. 冻结的 ResNet-50
# %%
from torchvision import models

try:
    network = models.resnet50(weights=models.ResNet50_Weights.DEFAULT)
except OSError as error:  # no network: the steps are the same, the accuracy means nothing
    print("Random weights:", error)
    network = models.resnet50(weights=None)
for parameter in network.parameters():
    parameter.requires_grad = False
network.fc = torch.nn.Linear(network.fc.in_features, len(plain.classes))
network = network.to(device)
# %% [markdown] tags=["en"]
# Eyebright runs each image through the frozen backbone **once**, keeps the features, and solves the head instead of
# training it. `embedded` weights take the place of published ones that cannot be had.
# %% [markdown] tags=["zh"]
# Eyebright 让每张图像**只**经过冻结的骨干网络一次，保存特征，并直接求解分类头而不是训练它。无法取得公开权重时改用内置权重。
# %%
backbone = colab.backbone_or_embedded(BACKBONE, lang=LANG)
frozen = work.train(f"frozen-{backbone}", data, val=0.2, backbone=backbone, size=SIZE)
frozen
# %% [markdown] tags=["en"]
# ## 6. Mixed precision, and 7. ReduceLROnPlateau
# %% [markdown] tags=["zh"]
# ## 6. 混合精度，以及 7. ReduceLROnPlateau
# %%
from itertools import islice

optimizer = torch.optim.AdamW(network.fc.parameters(), lr=1e-3, weight_decay=1e-2)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=1)
scaler = torch.amp.GradScaler(enabled=device.type == "cuda")
for epoch in range(EPOCHS):
    network.train()
    losses = []
    for images, labels in islice(loader, STEPS_PER_EPOCH):
        optimizer.zero_grad()
        with torch.autocast(device.type, enabled=device.type == "cuda"):
            loss = torch.nn.functional.cross_entropy(network(images.to(device)), labels.to(device))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    scheduler.step(sum(losses) / len(losses))
    print(epoch, sum(losses) / len(losses), optimizer.param_groups[0]["lr"])
# %% [markdown] tags=["en"]
# In Eyebright both are options of fine-tuning. `precision="auto"` measures what is fastest here without harming the loss. An
# interrupted training goes on where it was: run the cell again. The embedded backbone is fine-tuned here, since its
# weights are always at hand.
# %% [markdown] tags=["zh"]
# 在 Eyebright 中两者都是微调的选项。`precision="auto"` 会实测此处最快且不损害损失的精度。训练中断后，再次运行单元格即可从中断处继续。
# 这里微调内置骨干网络，因为它的权重随时可用。
# %%
tuned = work.train(
    "tuned",
    data,
    val=0.2,
    finetune=FINETUNE,
    epochs=EPOCHS,
    size=SIZE,
    augment="auto",
    precision="auto",
    schedule="plateau",
)
tuned
# %% [markdown] tags=["en"]
# ## 8. TorchScript
#
# PyTorch has deprecated it since 2.11; a runtime that only reads TorchScript still needs it.
# %% [markdown] tags=["zh"]
# ## 8. TorchScript
#
# PyTorch 自 2.11 起已将其弃用；只能读取 TorchScript 的运行时仍然需要它。
# %%
import warnings

network = network.to("cpu").eval()
example = torch.zeros(1, 3, SIZE, SIZE)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch.jit.trace(network, example).save(str(work.local / "tutorial.pt"))
# %%
eb.export(tuned.model, ["torchscript"], out=work.local / "exports", lang=LANG)
# %% [markdown] tags=["en"]
# ## 9. ONNX with a dynamic batch
# %% [markdown] tags=["zh"]
# ## 9. 批量大小可变的 ONNX
# %%
torch.onnx.export(
    network,
    (example,),
    str(work.local / "tutorial.onnx"),
    input_names=["images"],
    output_names=["logits"],
    dynamic_shapes={"x": {0: torch.export.Dim("batch")}},
    external_data=False,
    verbose=False,
)
# %% [markdown] tags=["en"]
# A sealed model **is** an ONNX file with a dynamic batch: raw pixels of any size in, calibrated probabilities out.
# Preprocessing is inside, so it cannot be reproduced wrongly. The export is compared with the original.
# %% [markdown] tags=["zh"]
# 封装模型**本身就是**批量大小可变的 ONNX 文件：输入任意尺寸的原始像素，输出校准过的概率。预处理包含在内，不会被错误复现。导出结果会与原模型比较。
# %%
import onnxruntime

for name, path in {"PyTorch": work.local / "tutorial.onnx", "Eyebright": tuned.model}.items():
    for value in onnxruntime.InferenceSession(str(path)).get_inputs():
        print(name, value.name, value.type, value.shape)
# %% [markdown] tags=["en"]
# ## 10. Memory
#
# ```python
# for number, (images, labels) in enumerate(loader):          # gradient accumulation by hand
#     (loss(network(images), labels) / 4).backward()
#     if number % 4 == 3: optimizer.step(); optimizer.zero_grad()
# torch.cuda.empty_cache()
# ```
#
# In Eyebright: `batch="auto"`, and when memory runs out all the same, the micro-batch is halved and the step repeated, with
# the same result. `save_memory=True` recomputes activations.
# %% [markdown] tags=["zh"]
# ## 10. 内存
#
# ```python
# for number, (images, labels) in enumerate(loader):          # 手动梯度累积
#     (loss(network(images), labels) / 4).backward()
#     if number % 4 == 3: optimizer.step(); optimizer.zero_grad()
# torch.cuda.empty_cache()
# ```
#
# 在 Eyebright 中：`batch="auto"`；内存仍不足时，微批量减半并重做这一步，结果不变。`save_memory=True` 会重新计算激活值。
# %% [markdown] tags=["en"]
# ## 11. Overfitting
#
# ```python
# network.fc = nn.Sequential(nn.Dropout(0.5), nn.Linear(2048, classes))   # dropout
# CrossEntropyLoss(label_smoothing=0.1)                                  # label smoothing
# if val_loss > best: waited += 1                                        # early stopping by hand
# ```
#
# In Eyebright: `dropout=`, `label_smoothing=`, `mixup=`, `patience=`, `weight_decay=`. Holdout images of the training part
# decide when to stop; the images that are reported are never chosen by. Whether fine-tuning was worth it is tested:
# %% [markdown] tags=["zh"]
# ## 11. 过拟合
#
# ```python
# network.fc = nn.Sequential(nn.Dropout(0.5), nn.Linear(2048, classes))   # dropout
# CrossEntropyLoss(label_smoothing=0.1)                                  # 标签平滑
# if val_loss > best: waited += 1                                        # 手动提前停止
# ```
#
# 在 Eyebright 中：`dropout=`、`label_smoothing=`、`mixup=`、`patience=`、`weight_decay=`。何时停止由训练部分留出的图像决定；
# 计入报告的图像从不用于选择。微调是否值得则通过检验得出：
# %%
eb.compare([frozen, tuned], out=work.local / "comparison", lang=LANG)
# %% [markdown] tags=["en"]
# ## 12. Deployment
#
# ```python
# @app.post("/predict")                                        # Flask, and preprocessing written once more
# def predict(): return model(preprocess(Image.open(request.files["image"])))
# ```
#
# In Eyebright, `eyebright serve RUN` is a service with admission, tokens and metrics. Here the same model answers in this
# process:
# %% [markdown] tags=["zh"]
# ## 12. 部署
#
# ```python
# @app.post("/predict")                                        # Flask，并且要再写一遍预处理
# def predict(): return model(preprocess(Image.open(request.files["image"])))
# ```
#
# 在 Eyebright 中，`eyebright serve RUN` 就是一个带准入控制、令牌和指标的服务。这里由同一模型在本进程中作答：
# %%
model = eb.load(tuned.model)
photo = next(iter(sorted(data.rglob("*.jpg"))))
answer = model.predict(photo)
print(answer.label, answer.confidence)
# %%
colab.download(tuned.model, tuned.report, lang=LANG)
work.sync()
work
