"""Every type of block becomes the numbers that the Python package gguf makes of it."""
import subprocess
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, dequantize, quantize

TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
# Where the halves of a block stand: scales of every size must be right.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2],
          "Q6_K": [208]}
HALVES = np.array([0, -0.0, 2**-24, -2**-24, 6e-5, 1, -1, 0.1, 65504, -65504, np.inf, -np.inf, np.nan], np.float16)
N_BLOCKS = 3000


def ours(name, blocks):
    done = subprocess.run([sys.argv[1], name], input=blocks.tobytes(), stdout=subprocess.PIPE, check=True)
    return np.frombuffer(done.stdout, np.float32)


def compare(name, blocks):
    theirs = dequantize(blocks, Type[name]).astype(np.float32).ravel()
    found = ours(name, blocks)
    assert found.shape == theirs.shape, name
    # not bit by bit: a processor may join a product and a sum into one rounding
    np.testing.assert_allclose(found, theirs, rtol=1e-6, atol=1e-30, equal_nan=True, err_msg=name)


random = np.random.default_rng(7)
np.seterr(all="ignore")
for name in TYPES:
    numbers, size = GGML_QUANT_SIZES[Type[name]]
    blocks = random.integers(0, 256, (N_BLOCKS, size), dtype=np.uint8)  # also scales that are no number
    if name in ("F32", "F16"):  # gguf reads these as numpy does
        theirs = blocks.view({"F32": np.float32, "F16": np.float16}[name]).astype(np.float32).ravel()
        np.testing.assert_array_equal(ours(name, blocks), theirs)
        continue
    compare(name, blocks)
    for at in SCALES.get(name, []):
        blocks[:, at:at + 2] = random.choice(HALVES, N_BLOCKS).view(np.uint8).reshape(-1, 2)
    compare(name, blocks)
    for at in SCALES.get(name, []):
        blocks[:, at:at + 2] = random.normal(size=N_BLOCKS).astype(np.float16).view(np.uint8).reshape(-1, 2)
    compare(name, blocks)
    if not name.endswith("_K"):  # gguf quantises no others
        blocks = quantize(random.normal(size=(64, 8 * numbers)).astype(np.float32), Type[name])
        compare(name, blocks)
