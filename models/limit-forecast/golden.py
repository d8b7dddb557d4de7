"""Writes gateway/core/src/detect/warning/golden.json: inputs and probabilities on a made-up recording, for the Rust code's test.

340 hours: a daily wave that walks, with noise, a stretch that does not move and a steep rise; some below zero. Values
in 64ths, so that floats hold them exactly. A plain formula stands in for the network, here and there.
"""
import json, pathlib
import numpy as np
from train import HOR, W, longrun, prepare, prob

OUT = pathlib.Path(__file__).resolve().parents[2] / "gateway/core/src/detect/warning/golden.json"
STEPS = np.array([-4, -5, -3, -2, -1, 0, 1, 2, 3, 5, 4], np.float32)

def network(x):
    middle = np.float32(.3) * (x[30] + x[34]) - np.float32(.1) * x[15]
    return np.concatenate([middle + np.float32(.5 * g + .2) * STEPS for g in HOR])

rng = np.random.default_rng(7); n = 340; t = np.arange(n)
v = 12 + 9 * np.sin(2 * np.pi * t / 24) + np.cumsum(rng.normal(0, 1.2, n)) + rng.normal(0, .5, n)
v[150:190] = v[150]; v[230:236] += np.arange(6) * 15; v[236:260] += 75; v = np.round(v * 64) / 64
long, rows = longrun(v), []
for i in range(W - 1, n):
    sign = 1. if i % 3 else -1.; hour = float(i % 24) if i % 5 else None
    x, last, s = prepare(sign * v[None, i - W + 1:i + 1], long[None, i] * [sign, 1, 1], np.array([np.nan if hour is None else hour]))
    scaled = (-6, -2, -.5, .3, 1, 2.5, 5, 12)[i % 8]; limit = round(float(sign * (last[0] + scaled * s[0])), 3)
    p = prob(network(x[0])[None], (sign * limit - last) / s)[0]
    rows.append({"at": i, "sign": sign, "limit": limit, "hour": hour, "inputs": [round(float(a), 5) for a in x[0][[0, 15, 30, *range(W, W + 7)]]], "probabilities": [round(float(a), 6) for a in p]})
OUT.write_text(json.dumps({"values": [int(a * 64) for a in v], "rows": rows}, separators=(",", ":")) + "\n")
