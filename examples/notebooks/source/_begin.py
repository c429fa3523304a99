# %% [markdown] tags=["en"]
# `SOURCE` is what pip installs: a name on the package index, the path of a wheel, or the address of a
# repository (`git+https://…`). What is installed already stays as it is.
# %% [markdown] tags=["zh"]
# `SOURCE` 是 pip 要安装的内容：软件包索引中的名称、wheel 文件的路径，或代码仓库的地址（`git+https://…`）。已安装的保持不变。
# %% tags=["parameters"]
SOURCE = "eyebright"  # @param {type:"string"}
# %%
from importlib.util import find_spec

requirement = f"eyebright[{EXTRAS}] @ {SOURCE}" if "://" in SOURCE else f"{SOURCE}[{EXTRAS}]"
if find_spec("eyebright") is None:
    pass  # %pip install --quiet "{requirement}"
# %% tags=["en"]
LANG = "en"
# %% tags=["zh"]
LANG = "zh"
# %%
import eyebright as eb
from eyebright import colab

colab.check_install()
# %% [markdown] tags=["en"]
# ## A place that outlives this machine
#
# Everything is computed on the local disk. Every few minutes, and when a training ends, its few files are copied
# to `DRIVE_FOLDER` on Google Drive. If the machine goes away, run all cells again on another one: what was
# finished is read, what was begun goes on. An empty name means: without Drive.
# %% [markdown] tags=["zh"]
# ## 不怕机器被回收的工作区
#
# 所有计算都在本地磁盘上进行。每隔几分钟以及每次训练结束时，少量结果文件会被复制到 Google 云端硬盘的 `DRIVE_FOLDER`。
# 机器被回收后，在新机器上重新运行全部单元格即可：已完成的直接读取，未完成的接着进行。名称留空表示不使用云端硬盘。
# %% tags=["parameters"]
DRIVE_FOLDER = "eyebright"  # @param {type:"string"}
MINUTES = 5  # @param {type:"number"}
# %%
work = colab.workspace(DRIVE_FOLDER, minutes=MINUTES, lang=LANG)
work
