#!/usr/bin/env python3
"""Train a small digit classifier and store it as safetensors, or check such a file.

    python train.py                 train, then write digits.safetensors beside this script
    python train.py --check FILE    measure FILE on the test split; exit 1 if its accuracy
                                    is lower than the one stated in its metadata

Needs numpy and scikit-learn (scikit-learn only for its bundled data and the split).
"""

import argparse
import json
import os
import sys
from pathlib import Path

# Sums split over several threads round differently; one thread repeats exactly.
# These variables only count when set before numpy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 2024
EPOCHS = 40
BATCH = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-4
TEST_SHARE = 0.2
OUTPUT = Path(__file__).with_name("digits.safetensors")

# numpy has no bfloat16, so a BF16 tensor is held as its 16-bit patterns.
STORED_AS = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "I8": "i1", "I64": "<i8", "BOOL": "?"}


# ---- data ----------------------------------------------------------------------------


def load_split():
    digits = load_digits()
    return train_test_split(
        digits.images.astype(np.float32),
        digits.target,
        test_size=TEST_SHARE,
        stratify=digits.target,
        random_state=SEED,
    )


def to_input(images, mask):
    """Pixels 0..16 to a [n, 1, 8, 8] array in 0..1, without the pixels outside the mask."""
    return (images * mask / np.float32(16))[:, None]


def shift_sideways(images, rng):
    """Move each image by -1, 0 or 1 columns; the digits fill all rows, so not up or down."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1)))
    columns = rng.integers(0, 3, len(images))[:, None, None] + np.arange(8)
    return np.take_along_axis(padded, np.broadcast_to(columns, images.shape), axis=2)


# ---- network -------------------------------------------------------------------------


def init_params(rng):
    def he_normal(*shape):
        fan_in = np.prod(shape[1:])
        return (rng.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)

    return {
        "conv1.weight": he_normal(16, 1, 3, 3),
        "conv1.bias": np.zeros(16, np.float32),
        "conv2.weight": he_normal(32, 16, 3, 3),
        "conv2.bias": np.zeros(32, np.float32),
        "fc1.weight": he_normal(64, 512),
        "fc1.bias": np.zeros(64, np.float32),
        "fc2.weight": he_normal(10, 64),
        "fc2.bias": np.zeros(10, np.float32),
    }


def patches(x):
    """Every zero-padded 3x3 neighbourhood: [n, c, h, w] to [n*h*w, c*9]."""
    n, c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * w, c * 9)


def conv(columns, weight, bias, n, h, w):
    out = columns @ weight.reshape(len(weight), -1).T + bias
    return out.reshape(n, h, w, -1).transpose(0, 3, 1, 2)


def forward(params, x):
    """Return the class scores and what backward() needs."""
    n, _, h, w = x.shape
    columns1 = patches(x)
    act1 = np.maximum(conv(columns1, params["conv1.weight"], params["conv1.bias"], n, h, w), 0)
    columns2 = patches(act1)
    act2 = np.maximum(conv(columns2, params["conv2.weight"], params["conv2.bias"], n, h, w), 0)
    blocks = act2.reshape(n, -1, h // 2, 2, w // 2, 2)
    pooled = blocks.max(axis=(3, 5), keepdims=True)
    flat = pooled.reshape(n, -1)
    hidden = np.maximum(flat @ params["fc1.weight"].T + params["fc1.bias"], 0)
    scores = hidden @ params["fc2.weight"].T + params["fc2.bias"]
    return scores, (columns1, act1, columns2, act2, blocks, pooled, flat, hidden)


def conv_grads(d_out, columns, weight):
    """Gradients of the weight, the bias and the patches of one convolution."""
    d_rows = d_out.transpose(0, 2, 3, 1).reshape(-1, len(weight))
    d_weight = (d_rows.T @ columns).reshape(weight.shape)
    return d_weight, d_rows.sum(axis=0), d_rows @ weight.reshape(len(weight), -1)


def add_up_patches(d_columns, shape):
    """The transpose of patches(): sum each pixel's share in its nine neighbourhoods."""
    n, c, h, w = shape
    d_windows = d_columns.reshape(n, h, w, c, 3, 3).transpose(0, 3, 4, 5, 1, 2)
    padded = np.zeros((n, c, h + 2, w + 2), np.float32)
    for i in range(3):
        for j in range(3):
            padded[:, :, i : i + h, j : j + w] += d_windows[:, :, i, j]
    return padded[:, :, 1:-1, 1:-1]


def softmax_grad(scores, labels):
    """Gradient of the mean cross-entropy with respect to the scores."""
    probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    probabilities[np.arange(len(labels)), labels] -= 1
    return probabilities / np.float32(len(labels))


def backward(params, saved, d_scores):
    columns1, act1, columns2, act2, blocks, pooled, flat, hidden = saved
    grads = {"fc2.weight": d_scores.T @ hidden, "fc2.bias": d_scores.sum(axis=0)}
    d_hidden = (d_scores @ params["fc2.weight"]) * (hidden > 0)
    grads |= {"fc1.weight": d_hidden.T @ flat, "fc1.bias": d_hidden.sum(axis=0)}

    d_pooled = (d_hidden @ params["fc1.weight"]).reshape(pooled.shape)
    # In blank areas all four values of a block tie; they share its gradient.
    winners = blocks == pooled
    d_blocks = winners * (d_pooled / winners.sum(axis=(3, 5), keepdims=True, dtype=np.float32))
    d_act2 = d_blocks.reshape(act2.shape) * (act2 > 0)
    grads["conv2.weight"], grads["conv2.bias"], d_columns2 = conv_grads(
        d_act2, columns2, params["conv2.weight"]
    )
    d_act1 = add_up_patches(d_columns2, act1.shape) * (act1 > 0)
    grads["conv1.weight"], grads["conv1.bias"], _ = conv_grads(
        d_act1, columns1, params["conv1.weight"]
    )
    return grads


# ---- training ------------------------------------------------------------------------


def adam_step(params, grads, moments, step, rate):
    """One AdamW update, in place."""
    for name, grad in grads.items():
        mean, square = moments[name]
        mean += np.float32(0.1) * (grad - mean)
        square += np.float32(0.001) * (grad * grad - square)
        update = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        params[name] -= np.float32(rate) * (update + WEIGHT_DECAY * params[name])


def train(images, labels, mask):
    """Return the float32 parameters and the number of updates made."""
    rng = np.random.default_rng(SEED)
    params = init_params(rng)
    moments = {name: (np.zeros_like(p), np.zeros_like(p)) for name, p in params.items()}
    total_steps = EPOCHS * -(-len(images) // BATCH)
    step = 0
    for _ in range(EPOCHS):
        order = rng.permutation(len(images))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            x = to_input(shift_sideways(images[batch], rng), mask)
            scores, saved = forward(params, x)
            grads = backward(params, saved, softmax_grad(scores, labels[batch]))
            rate = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * step / total_steps))
            step += 1
            adam_step(params, grads, moments, step, rate)
    return params, step


def count_correct(params, mask, classes, images, labels):
    scores, _ = forward(params, to_input(images, mask))
    return int((classes[scores.argmax(axis=1)] == labels).sum())


# ---- stored form: tensors are {name: (safetensors dtype, array)} ------------------------


def to_bf16(values):
    """Round float32 to the nearest bfloat16, ties to even, as 16-bit patterns."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bf16(patterns):
    return (patterns.astype(np.uint32) << 16).view(np.float32)


def quantise_rows(weight):
    """Symmetric int8, one scale for each output channel."""
    scale = np.abs(weight).max(axis=1) / np.float32(127)
    return np.rint(weight / scale[:, None]).astype(np.int8), scale


def pack(params, mask, steps):
    fc1_int8, fc1_scale = quantise_rows(params["fc1.weight"])
    return {
        "input_mask": ("BOOL", mask),
        "conv1.weight": ("F32", params["conv1.weight"]),
        "conv1.bias": ("F32", params["conv1.bias"]),
        "conv2.weight": ("BF16", to_bf16(params["conv2.weight"])),
        "conv2.bias": ("BF16", to_bf16(params["conv2.bias"])),
        "fc1.weight": ("I8", fc1_int8),
        "fc1.weight_scale": ("F32", fc1_scale),
        "fc1.bias": ("F16", params["fc1.bias"].astype(np.float16)),
        "fc2.weight": ("F16", params["fc2.weight"].astype(np.float16)),
        "fc2.bias": ("F32", params["fc2.bias"]),
        "classes": ("I64", np.arange(10)),
        "train_steps": ("I64", np.array(steps)),
    }


def unpack(tensors):
    """Return float32 parameters, input mask and class labels from stored tensors."""

    def as_float32(name):
        dtype, array = tensors[name]
        return from_bf16(array) if dtype == "BF16" else array.astype(np.float32)

    layers = ("conv1", "conv2", "fc1", "fc2")
    params = {f"{layer}.{kind}": as_float32(f"{layer}.{kind}")
              for layer in layers for kind in ("weight", "bias")}
    params["fc1.weight"] *= as_float32("fc1.weight_scale")[:, None]
    return params, tensors["input_mask"][1], tensors["classes"][1]


# ---- safetensors file ------------------------------------------------------------------


def write_safetensors(path, tensors, metadata):
    """Header length (u64, little-endian), JSON header, then the data without gaps."""
    header = {"__metadata__": metadata}
    data = b""
    for name, (dtype, array) in tensors.items():
        # The format allows no gaps, so every tensor is aligned only if all sizes are
        # multiples of 8 bytes.
        assert len(data) % 8 == 0, f"{name} would not be aligned"
        raw = array.astype(STORED_AS[dtype]).tobytes()
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": offsets}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def read_safetensors(path):
    """Return (tensors, metadata)."""
    content = path.read_bytes()
    data_start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:data_start])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = content[data_start + begin : data_start + end]
        array = np.frombuffer(raw, STORED_AS[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = (entry["dtype"], array)
    return tensors, metadata


# ---- commands ------------------------------------------------------------------------


def report(label, correct, total):
    print(f"{label}: {correct}/{total} = {correct / total:.4f}")


def train_and_store():
    train_images, test_images, train_labels, test_labels = load_split()
    mask = train_images.any(axis=0)
    params, steps = train(train_images, train_labels, mask)
    tensors = pack(params, mask, steps)

    test = (test_images, test_labels)
    correct_float32 = count_correct(params, mask, np.arange(10), *test)
    correct_stored = count_correct(*unpack(tensors), *test)
    report("test accuracy in float32", correct_float32, len(test_labels))
    report("test accuracy as stored ", correct_stored, len(test_labels))

    metadata = {
        "name": "digits",
        "accuracy": repr(correct_stored / len(test_labels)),
        "dataset": "UCI Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, 1998), "
        "test part of 1797 images, from sklearn.datasets.load_digits",
        "dataset_licence": "CC BY 4.0",
        "script": "examples/digits/train.py",
    }
    write_safetensors(OUTPUT, tensors, metadata)
    print(f"wrote {OUTPUT.name}, {OUTPUT.stat().st_size} bytes")


def check(path):
    """Return whether the file is at least as accurate as it says."""
    tensors, metadata = read_safetensors(path)
    _, test_images, _, test_labels = load_split()
    correct = count_correct(*unpack(tensors), test_images, test_labels)
    report(f"test accuracy of {path.name}", correct, len(test_labels))
    stated = float(metadata["accuracy"])
    print(f"stated in its metadata: {stated:.4f}")
    return correct / len(test_labels) >= stated


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", metavar="FILE", type=Path, help="measure FILE, do not train")
    arguments = parser.parse_args()
    if arguments.check is None:
        train_and_store()
        return
    try:
        accurate = check(arguments.check)
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"{arguments.check} is not a whole digits model: {error}")
    if not accurate:
        sys.exit("accuracy is lower than stated")


if __name__ == "__main__":
    main()
