"""Writes gateway/core/src/detect/anomaly/golden.json: the reference on a made-up recording, for the Rust code's test.

900 quarters of an hour: a daily wave, half as high at weekends, with noise; a spike at 400, a stuck sensor from 520, a
shift that stays at 650, a drop at 800. Values in 64ths, so that 32-bit floats hold them exactly. A plain formula stands
in for the network, here and there.
"""
import json, pathlib
import numpy as np
import reference

OUT = pathlib.Path(__file__).resolve().parents[2] / "gateway/core/src/detect/anomaly/golden.json"
N, FIRST, EVERY = 900, 1_700_000_000, 900

def network(x):
    middle = np.float32(x[31]) + np.float32(x[33])
    return [float(np.float32(middle + np.float32(0.4 * k))) for k in (-3, -2, -1.5, -.75, 0, .75, 1.5, 2, 3)]

rng = np.random.default_rng(7)
t = FIRST + EVERY * np.arange(N)
weekend = (t // 86400 + 3) % 7 >= 5
v = 20 + 6 * np.sin(2 * np.pi * (t % 86400) / 86400) * np.where(weekend, .5, 1) + rng.normal(0, .4, N)
v[400] += 15; v[520:540] = v[520]; v[650:] += 8; v[800] -= 20
values = np.round(v * 64)

detector = reference.Detector(network); y, opened = [], []
for i, (at, value) in enumerate(zip(t.tolist(), (values / 64).tolist())):
    _, alarm = detector.step(at, value); y.append(round(detector.y, 6))
    if alarm: opened.append(i)
golden = {"first": FIRST, "every": EVERY, "values": [int(v) for v in values], "abnormality": y, "opened": opened}
OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
