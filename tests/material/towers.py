"""Small towers with random weights, in the layouts of Hugging Face and OpenCLIP; they recognise nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SIDE = 64
_WORDS = (
    "<pad>",
    "<unk>",
    "<s>",
    "</s>",
    "a",
    "photo",
    "of",
    "this",
    "is",
    ".",
    "coat",
    "shirt",
    "hat",
    "bag",
)
_LAYERS = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}


def tokenizer(folder: Path, extra_words: int = 0) -> None:
    """Write a tokenizer of whole words, with as many more as asked for."""
    words = [*_WORDS, *(f"word{i}" for i in range(extra_words))]
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    fast: Any = transformers.PreTrainedTokenizerFast
    fast(tokenizer_object=inner, **names).save_pretrained(folder)


def clip(folder: Path) -> Path:
    """Write a CLIP of three layers."""
    torch.manual_seed(0)
    config = transformers.CLIPConfig(
        text_config=_text_config(), vision_config=_vision_config(), projection_dim=24
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SIDE).save_pretrained(folder)
    tokenizer(folder)
    return folder


def siglip(folder: Path) -> Path:
    """Write a SigLIP of three layers, with a scale and a bias that count."""
    torch.manual_seed(1)
    config = transformers.SiglipConfig(text_config=_text_config(), vision_config=_vision_config())
    model = transformers.SiglipModel(config)
    model.logit_scale.data.fill_(2.3)
    model.logit_bias.data.fill_(-1.0)
    model.save_pretrained(folder)
    transformers.SiglipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    tokenizer(folder)
    return folder


def open_clip(folder: Path) -> Path:
    """Write an OpenCLIP of three layers; its tokenizer is the real one, which the package brings."""
    import open_clip as library

    folder.mkdir(parents=True)
    vision = {"image_size": SIDE, "layers": 3, "width": 32, "patch_size": 16, "head_width": 16}
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    content = {
        "model_cfg": {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    torch.manual_seed(2)
    model = library.create_model(f"local-dir:{folder}", load_weights=False)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


def _text_config() -> dict[str, int]:
    numbers = {"eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0}
    return {
        "vocab_size": len(_WORDS),
        "num_hidden_layers": 2,
        "max_position_embeddings": 16,
        **numbers,
        **_LAYERS,
    }


def _vision_config() -> dict[str, int]:
    return {"num_hidden_layers": 3, "image_size": SIDE, "patch_size": 16, **_LAYERS}
