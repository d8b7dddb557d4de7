#!/usr/bin/env python3
"""Trains the one-step-ahead forecaster `window-forecast` on synthetic series and exports it.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python train.py

Writes model.onnx, model.toml and the figures in card.md beside this file. Everything is seeded; the
same numpy on the same kind of processor gives the same bytes, another one gives the same figures to
two digits. Takes about a minute on one core.
"""

import hashlib
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

VERSION = "0.1.0"
WINDOW = 32
CLAMP = 20.0
QUANTILES = np.array([0.05, 0.5, 0.95], dtype=np.float32)
HIDDEN = (32, 16)
TOLERANCE = 0.1
SEED = 20260101
HERE = pathlib.Path(__file__).resolve().parent


# --- series ------------------------------------------------------------------------------------


def noise(rng, n):
    """Measurement noise of one of several kinds, of scale 1."""
    kind = rng.integers(4)
    if kind == 0:
        return rng.standard_normal(n)
    if kind == 1:
        return rng.laplace(0, 0.7, n)
    if kind == 2:
        return rng.standard_t(3, n) * 0.6
    return rng.uniform(-1.7, 1.7, n)


def waves(rng, n):
    """A day of people: two harmonics, sampled every 10 s, 1 min, 5 min, 15 min or hour."""
    period = 86_400 / rng.choice([10, 60, 300, 900, 3_600])
    at = np.arange(n) + rng.uniform(0, period)
    base = np.sin(2 * np.pi * at / period) + rng.uniform(0, 0.6) * np.sin(
        4 * np.pi * at / period + rng.uniform(0, 6.3)
    )
    return base * 10 ** rng.uniform(-0.3, 1.5) + noise(rng, n) * 10 ** rng.uniform(-1.5, 0.3)


def walk(rng, n):
    return np.cumsum(noise(rng, n)) * rng.uniform(0.1, 1) + noise(rng, n) * rng.uniform(0, 0.5)


def ar1(rng, n):
    phi = rng.uniform(0.3, 0.99)
    step = noise(rng, n)
    out = np.zeros(n)
    for i in range(1, n):
        out[i] = phi * out[i - 1] + step[i]
    return out


def plateaus(rng, n):
    """Something that is switched: a pump, a door, a load. Levels hold for a while."""
    levels = rng.uniform(-5, 5, rng.integers(2, 4))
    out = np.empty(n)
    i = 0
    while i < n:
        hold = int(rng.exponential(rng.uniform(5, 80))) + 1
        out[i : i + hold] = rng.choice(levels)
        i += hold
    return out + noise(rng, n) * rng.choice([0, 0.02, 0.2])


def level(rng, n):
    """Nothing happens but noise and perhaps a drift."""
    return noise(rng, n) + np.arange(n) * rng.uniform(-0.05, 0.05)


KINDS = {"daily wave": waves, "random walk": walk, "AR(1)": ar1, "plateaus": plateaus, "noise": level}


def series(rng, make, n, contaminated):
    x = make(rng, n) * 10 ** rng.uniform(-1, 2) + rng.choice([0.0, rng.uniform(-50, 500)])
    if contaminated and rng.random() < 0.3:
        spikes = rng.random(n) < 0.01
        x = np.where(spikes, x + rng.standard_normal(n) * 10 * np.std(x), x)
    if rng.random() < 0.5:
        # What a sensor sends has a last digit.
        digit = 10.0 ** np.floor(np.log10(np.std(np.diff(x)) + 1e-9) + rng.uniform(-1, 0.7))
        x = np.round(x / digit) * digit
    return x


def normalise(x, window):
    """As gatehouse does it: the window's own median and median absolute deviation, then a clamp."""
    centre = np.median(window, axis=1, keepdims=True)
    spread = 1.4826 * np.median(np.abs(window - centre), axis=1, keepdims=True)
    scale = np.maximum(spread, 1e-3 * np.abs(centre) + 1e-9)
    return np.clip((x - centre) / scale, -CLAMP, CLAMP).astype(np.float32)


def windows(rng, make, count, contaminated=True):
    per_series = 25
    rows = []
    for _ in range(count // per_series):
        x = series(rng, make, 400, contaminated)
        starts = rng.integers(0, len(x) - WINDOW - 1, per_series)
        rows.append(x[starts[:, None] + np.arange(WINDOW + 1)])
    rows = np.concatenate(rows)
    scaled = normalise(rows, rows[:, :WINDOW])
    return scaled[:, :WINDOW], scaled[:, WINDOW]


# --- model -------------------------------------------------------------------------------------


def softplus(x):
    return np.logaddexp(0, x)


def pinball(quantiles, y):
    error = y[:, None] - quantiles
    return np.maximum(QUANTILES * error, (QUANTILES - 1) * error)


class Model:
    """tanh 32 -> 32 -> 16 -> 3, beside a straight line from the window to the median."""

    def __init__(self, rng):
        sizes = (WINDOW, *HIDDEN, 3)
        self.p = {}
        for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
            self.p[f"w{i}"] = (rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32)
            self.p[f"b{i}"] = np.zeros(b, np.float32)
        line = np.zeros((WINDOW, 1), np.float32)
        line[-1] = 1.0  # persistence: the best guess to begin with
        self.p["line"] = line

    def forward(self, x):
        p = self.p
        self.x = x
        # Inputs reach 20; a tenth keeps tanh out of its flat ends.
        self.h0 = np.tanh(x @ p["w0"] * np.float32(0.1) + p["b0"])
        self.h1 = np.tanh(self.h0 @ p["w1"] + p["b1"])
        self.o = self.h1 @ p["w2"] + p["b2"]
        middle = (x @ p["line"])[:, 0] + self.o[:, 1]
        low = middle - softplus(self.o[:, 0])
        high = middle + softplus(self.o[:, 2])
        return np.stack([low, middle, high], axis=1)

    def gradients(self, y):
        q = self.forward(self.x)
        dq = np.where(y[:, None] > q, -QUANTILES, 1 - QUANTILES).astype(np.float32) / len(y)
        gap = 1 / (1 + np.exp(-self.o[:, [0, 2]]))
        do = np.empty_like(self.o)
        do[:, 0] = -dq[:, 0] * gap[:, 0]
        do[:, 1] = dq.sum(axis=1)
        do[:, 2] = dq[:, 2] * gap[:, 1]
        g = {"line": self.x.T @ do[:, 1:2], "w2": self.h1.T @ do, "b2": do.sum(0)}
        d1 = (do @ self.p["w2"].T) * (1 - self.h1**2)
        g["w1"], g["b1"] = self.h0.T @ d1, d1.sum(0)
        d0 = (d1 @ self.p["w1"].T) * (1 - self.h0**2)
        g["w0"], g["b0"] = self.x.T @ d0 * np.float32(0.1), d0.sum(0)
        return g


def train(x, y, rng, epochs=36, batch=1024, rate=4e-3):
    model = Model(rng)
    first = {k: np.zeros_like(v) for k, v in model.p.items()}
    second = {k: np.zeros_like(v) for k, v in model.p.items()}
    step, total = 0, epochs * (len(x) // batch)
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        for at in range(0, len(x) - batch + 1, batch):
            rows = order[at : at + batch]
            model.forward(x[rows])
            step += 1
            now = np.float32(rate * 0.5 * (1 + np.cos(np.pi * step / total)))
            for k, g in model.gradients(y[rows]).items():
                first[k] = 0.9 * first[k] + 0.1 * g
                second[k] = 0.999 * second[k] + 0.001 * g * g
                m = first[k] / (1 - 0.9**step)
                v = second[k] / (1 - 0.999**step)
                model.p[k] = (model.p[k] - now * m / (np.sqrt(v) + 1e-8)).astype(np.float32)
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1}: pinball {pinball(model.forward(x), y).mean():.4f}", flush=True)
    return model


# --- figures -----------------------------------------------------------------------------------


def measure(model, x, y, band):
    q = model.forward(x)
    last = x[:, -1:]
    # Switched and rounded series sit exactly on a quantile; a hair beside it is not a miss.
    inside = (y >= q[:, 0] - TOLERANCE) & (y <= q[:, 2] + TOLERANCE)
    return {
        "coverage": float(inside.mean()),
        "pinball": float(pinball(q, y).mean()),
        "persistence": float(pinball(np.repeat(last, 3, axis=1), y).mean()),
        "persistence-band": float(pinball(last + band, y).mean()),
    }


# --- export ------------------------------------------------------------------------------------


def export(model):
    p = dict(model.p)
    p["w0"] = p["w0"] * np.float32(0.1)
    nodes = [
        helper.make_node("Gemm", ["window", "w0", "b0"], ["a0"]),
        helper.make_node("Tanh", ["a0"], ["h0"]),
        helper.make_node("Gemm", ["h0", "w1", "b1"], ["a1"]),
        helper.make_node("Tanh", ["a1"], ["h1"]),
    ]
    parts = {}
    for i, part in enumerate(("low_gap", "shift", "high_gap")):
        parts[f"w_{part}"], parts[f"b_{part}"] = p["w2"][:, i : i + 1], p["b2"][i : i + 1]
        nodes.append(helper.make_node("Gemm", ["h1", f"w_{part}", f"b_{part}"], [part]))
    nodes += [
        helper.make_node("MatMul", ["window", "line"], ["straight"]),
        helper.make_node("Add", ["straight", "shift"], ["middle"]),
        helper.make_node("Softplus", ["low_gap"], ["below"]),
        helper.make_node("Softplus", ["high_gap"], ["above"]),
        helper.make_node("Sub", ["middle", "below"], ["low"]),
        helper.make_node("Add", ["middle", "above"], ["high"]),
        helper.make_node("Concat", ["low", "middle", "high"], ["quantiles"], axis=1),
    ]
    weights = {k: p[k] for k in ("w0", "b0", "w1", "b1", "line")} | parts
    graph = helper.make_graph(
        nodes,
        "window-forecast",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["N", WINDOW])],
        [helper.make_tensor_value_info("quantiles", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in weights.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    proto.producer_name = "train.py"
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString()


def manifest(data, figures, vectors):
    def numbers(values):
        return ", ".join(f"{v:.6g}" if v != int(v) else f"{v:.1f}" for v in map(float, values))

    tests = "\n".join(
        f'''
[[test]]
why = "{why}"
input = [{numbers(x)}]
output = [{numbers(y)}]
tolerance = 1e-4'''
        for why, x, y in vectors
    )
    return f'''# Written by train.py. What it is and is not good for: card.md.
name = "window-forecast"
version = "{VERSION}"
title = {{ en = "Next sample of one point", zh = "单点下一采样预测" }}
file = "model.onnx"
sha256 = "{hashlib.sha256(data).hexdigest()}"
licence = "Apache-2.0"
training-data = "synthetic series only, made by train.py with seed {SEED}: daily waves, random walks, AR(1), on/off plateaus, noise with drift; no recording of any real place"

# Consecutive samples of one point in, numbers out.
window = {WINDOW}
outputs = 3

# What the caller does to a window before it asks.
[normalisation]
kind = "median-mad"
centre = "the median of the window"
scale = "max(1.4826 * median(|x - centre|), 1e-3 * |centre| + 1e-9)"
clamp = {CLAMP:.1f}

[[input]]
name = "window"
shape = ["N", {WINDOW}]
type = "f32"
unit = "clamp((x - centre) / scale), oldest sample first"

[[output]]
name = "quantiles"
shape = ["N", 3]
type = "f32"
unit = "5 %, 50 % and 95 % of the next sample, in the same units; never decreasing from left to right"

# On held-out synthetic series; lower is better except coverage, which should be 0.9.
[figures]
coverage = {figures["coverage"]:.3f}
pinball = {figures["pinball"]:.4f}
pinball-persistence = {figures["persistence"]:.4f}
pinball-persistence-band = {figures["persistence-band"]:.4f}
{tests}
'''


def card(figures):
    rows = "\n".join(
        f"| {kind} | {100 * f['coverage']:.1f} % | {f['pinball']:.3f} | {f['persistence']:.3f} | {f['persistence-band']:.3f} |"
        for kind, f in figures.items()
    )
    table = (
        "| held-out series | inside the 5-95 % band | pinball | persistence | persistence with a fixed band |\n"
        f"| --- | --- | --- | --- | --- |\n{rows}\n"
    )
    path = HERE / "card.md"
    before, rest = path.read_text(encoding="utf-8").split("<!-- figures -->\n", 1)
    after = rest.split("<!-- /figures -->\n", 1)[1]
    path.write_text(
        f"{before}<!-- figures -->\n{table}<!-- /figures -->\n{after}", encoding="utf-8"
    )
    print(table)


def main():
    rng = np.random.default_rng(SEED)
    parts = [windows(rng, make, 120_000) for make in KINDS.values()]
    x, y = (np.concatenate(side) for side in zip(*parts))
    x, y = x.astype(np.float32), y.astype(np.float32)
    print(f"{len(x)} training windows", flush=True)
    model = train(x, y, rng)

    band = np.quantile(y - x[:, -1], QUANTILES).astype(np.float32)[None, :]
    held_out = np.random.default_rng(SEED + 1)
    tests = {kind: windows(held_out, make, 20_000) for kind, make in KINDS.items()}
    figures = {kind: measure(model, *part, band) for kind, part in tests.items()}
    everything = tuple(np.concatenate(side) for side in zip(*tests.values()))
    figures["all"] = measure(model, *everything, band)

    def one(why, window):
        window = normalise(np.array([window], np.float64), np.array([window], np.float64))
        # As written down: six digits, so that the file alone tells what goes in.
        window = np.array([[float(f"{v:.6g}") for v in window[0]]], np.float32)
        return why, window[0], model.forward(window)[0]

    steps = np.arange(WINDOW)
    vectors = [
        one("a sensor that does not move", [21.5] * WINDOW),
        one("a steady rise", 10 + 0.25 * steps),
        one("a step half way", np.where(steps < 16, 3.0, 7.0)),
        one("a wave with a spike", 35 + 8 * np.sin(steps / 3) + np.where(steps == 20, 90.0, 0.0)),
    ]

    data = export(model)
    (HERE / "model.onnx").write_bytes(data)
    (HERE / "model.toml").write_text(manifest(data, figures["all"], vectors), encoding="utf-8")
    card(figures)


if __name__ == "__main__":
    main()
