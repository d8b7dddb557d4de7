"""Trains `model.onnx`: the next sample of any one point, nine quantiles, its own scale removed.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python train.py FOLDER

FOLDER holds the recordings in folders of their own: beijing_pm25, ampds_gas_water, airquality_uci and occupancy_uci,
as their publishers hand them out. Trained on the first 70 % of each by time, and on synthetic series; measured on the
rest. Never NAB, never SKAB: those judge the detector. Writes model.onnx, model.toml and the figures in card.md beside
this file. Everything is seeded; the same numpy on the same kind of processor gives the same bytes, another one the same
figures to two digits. A few minutes on one core.
"""
import csv, datetime as dt, hashlib, pathlib, sys, time
import numpy as np
from reference import Profile, RING, MED_EVERY, model_input

VERSION = "1.0.0"
DATA = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
HERE = pathlib.Path(__file__).resolve().parent
WINDOW = 32          # samples the network sees
EXTRA = 3            # profile now, profile at the next sample, reliability of the profile
CLAMP = 20.0         # normalised values are held within this
Q = np.array([.01, .05, .1, .25, .5, .75, .9, .95, .99], np.float32)
MID = 4
HIDDEN = (32, 16)
SEED = 20260101
TRAIN_PART = 0.7     # of each recording, by time; the rest is never trained on
DAY = 86_400.0
# ------------------------------------------------------------------ recordings

def unix(*a): return dt.datetime(*a, tzinfo=dt.timezone.utc).timestamp()
def num(s, bad=()):
    try: v = float(s)
    except ValueError: return np.nan
    return np.nan if v in bad else v

def recordings():
    """(set, name, times, values) at the recording's own step and coarser ones"""
    out = []
    rows = list(csv.DictReader(open(f"{DATA}/beijing_pm25/PRSA_data_2010.1.1-2014.12.31.csv")))
    t = np.array([unix(int(r["year"]), int(r["month"]), int(r["day"]), int(r["hour"])) for r in rows])
    for c in ("pm2.5", "DEWP", "TEMP", "PRES", "Iws"):
        out.append(("beijing_pm25", c, t, np.array([num(r[c]) for r in rows])))
    for f in ("NaturalGas_FRG-1", "Water_WHW-1"):
        rows = list(csv.DictReader(open(f"{DATA}/ampds_gas_water/{f}.csv")))
        rows = [r for r in rows if r["unix_ts"] and r["counter"] and r["inst_rate"]]
        t = np.array([float(r["unix_ts"]) for r in rows])[1:]
        v = np.diff([num(r["counter"]) for r in rows])   # what was used in the minute: the rate columns of the gas meter are empty
        for step in (1, 5, 15, 60):
            n = len(v) // step * step
            out.append(("ampds_gas_water", f"{f}@{step}min", t[:n].reshape(-1, step)[:, 0], v[:n].reshape(-1, step).mean(1)))
    rows = [r for r in csv.reader(open(f"{DATA}/airquality_uci/AirQualityUCI.csv"))]
    head, rows = rows[0], [r for r in rows[1:] if r[0]]
    def when(r):
        m, d, y = map(int, r[0].split("/")); h = int(r[1].split(":")[0]); return unix(y, m, d, h)
    t = np.array([when(r) for r in rows])
    for i in range(2, 15):
        if head[i].startswith("NMHC"): continue
        out.append(("airquality_uci", head[i], t, np.array([num(r[i], (-200.0,)) for r in rows])))
    rows = []
    for f in ("datatest", "datatraining", "datatest2"):   # in order of time
        rows += [r for r in csv.reader(open(f"{DATA}/occupancy_uci/{f}.txt"))][1:]
    t = np.array([dt.datetime.fromisoformat(r[-7]).replace(tzinfo=dt.timezone.utc).timestamp() for r in rows])
    for i, c in ((-6, "Temperature"), (-5, "Humidity"), (-4, "Light"), (-3, "CO2")):
        v = np.array([num(r[i]) for r in rows])
        for step in (1, 5):
            n = len(v) // step * step
            out.append(("occupancy_uci", f"{c}@{step}min", t[:n].reshape(-1, step)[:, 0], v[:n].reshape(-1, step).mean(1)))
    return [(a, b, t[~np.isnan(v)], v[~np.isnan(v)]) for a, b, t, v in out]

# ------------------------------------------------------------------ synthetic

def noise(rng, n):
    k = rng.integers(4)
    if k == 0: return rng.standard_normal(n)
    if k == 1: return rng.laplace(0, .7, n)
    if k == 2: return rng.standard_t(3, n) * .6
    return rng.uniform(-1.7, 1.7, n)

def synthetic(rng, n):
    """one series: times and values"""
    step = float(rng.choice([60, 300, 600, 1800, 3600])); t = 1.4e9 + np.arange(n) * step
    k = rng.integers(6)
    at = 2 * np.pi * ((t % DAY) / DAY) + rng.uniform(0, 6.3); wk = (t // DAY) % 7 >= 5
    if k == 0:
        x = (np.sin(at) + rng.uniform(0, .6) * np.sin(2 * at + rng.uniform(0, 6.3))) * 10 ** rng.uniform(-.3, 1.3) * np.where(wk, rng.uniform(.3, 1), 1) + noise(rng, n) * 10 ** rng.uniform(-1.5, .3)
    elif k == 1: x = np.cumsum(noise(rng, n)) * rng.uniform(.1, 1) + noise(rng, n) * rng.uniform(0, .5)
    elif k == 2:
        phi = rng.uniform(.3, .99); e = noise(rng, n); x = np.zeros(n)
        for i in range(1, n): x[i] = phi * x[i - 1] + e[i]
    elif k == 3:
        lv = rng.uniform(-5, 5, rng.integers(2, 4)); x = np.empty(n); i = 0
        while i < n:
            h = int(rng.exponential(rng.uniform(5, 80))) + 1; x[i:i + h] = rng.choice(lv); i += h
        x = x + noise(rng, n) * rng.choice([0, .02, .2])
    elif k == 4: x = noise(rng, n) + np.arange(n) * rng.uniform(-.01, .01)
    else:   # counts with a daily rate: people, clicks, litres
        x = rng.poisson(np.exp(rng.uniform(-1, 4) + rng.uniform(0, 1.5) * np.sin(at))).astype(float)
    x = x * 10 ** rng.uniform(-1, 2) + rng.choice([0., rng.uniform(-50, 500)])
    if rng.random() < .3: x = np.where(rng.random(n) < .01, x + rng.standard_normal(n) * 10 * np.std(x), x)
    if rng.random() < .5:
        d = 10. ** np.floor(np.log10(np.std(np.diff(x)) + 1e-9) + rng.uniform(-1, .7)); x = np.round(x / d) * d
    return t, x

# ------------------------------------------------------------------ the same features as on the box

def profile(t, v):
    """causal, exactly as Detector keeps it: (profile value at i, at the next sample's time, reliability), after sample i"""
    p = Profile(); n = len(v); now = np.zeros(n); nxt = np.zeros(n); rho = np.zeros(n); med = float(v[0]); dtm = float(np.median(np.diff(t)))
    for i in range(n):
        if i and i % MED_EVERY == 0: med = float(np.median(v[max(0, i - RING):i]))
        p.step(t[i], float(v[i]) - med)
        now[i] = med + p.mean[p.at(t[i])]; nxt[i] = med + p.mean[p.at(t[i] + dtm)]; rho[i] = p.rho()
    return now, nxt, rho

def windows(t, v, starts, pr):
    """inputs, targets, seasonal naive (same window scale); the vector form of detector.model_input"""
    now, nxt, rho = pr
    w = v[starts[:, None] + np.arange(WINDOW)]; y = v[starts + WINDOW]; last = starts + WINDOW - 1
    c = np.median(w, axis=1, keepdims=True); a = np.abs(w - c)
    s = np.maximum(np.maximum(1.4826 * np.median(a, axis=1, keepdims=True), a.mean(axis=1, keepdims=True)), 1e-3 * np.abs(c) + 1e-9)
    f = lambda x: np.clip((x - c) / s, -CLAMP, CLAMP); r = rho[last][:, None]
    x = np.concatenate([f(w), f(now[last][:, None]) * r, np.clip((nxt[last] - now[last])[:, None] / s, -CLAMP, CLAMP) * r, r], axis=1)
    day = np.searchsorted(t, t[starts + WINDOW] - DAY).clip(0, len(t) - 1)   # yesterday, same time; the last value where there was none
    naive = np.where(day < starts + WINDOW, v[np.minimum(day, last)], v[last]); naive = np.where(t[starts + WINDOW] - DAY < t[0], v[last], naive)
    return x.astype(np.float32), f(y[:, None])[:, 0].astype(np.float32), f(naive[:, None])[:, 0].astype(np.float32)

# ------------------------------------------------------------------ model

def softplus(x): return np.logaddexp(0, x)
TRI = np.zeros((len(Q), len(Q)), np.float32)       # gaps -> offsets from the median
for _j in range(len(Q)):
    for _g in range(len(Q)):
        if _j < MID and _j <= _g < MID: TRI[_g, _j] = -1
        if _j > MID and MID < _g <= _j: TRI[_g, _j] = 1

class Model:
    def __init__(self, rng):
        sizes = (WINDOW + EXTRA, *HIDDEN, len(Q)); self.p = {}
        for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
            self.p[f"w{i}"] = (rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32); self.p[f"b{i}"] = np.zeros(b, np.float32)
        self.p["line"] = np.zeros((WINDOW + EXTRA, 1), np.float32); self.p["line"][WINDOW - 1] = 1
    def forward(self, x):
        p = self.p; self.x = x
        self.h0 = np.tanh(x @ p["w0"] * np.float32(.1) + p["b0"]); self.h1 = np.tanh(self.h0 @ p["w1"] + p["b1"])
        self.o = self.h1 @ p["w2"] + p["b2"]
        return softplus(self.o) @ TRI + (x @ p["line"] + self.o[:, MID:MID + 1])
    def grad(self, y):
        q = self.forward(self.x)
        dq = np.where(y[:, None] > q, -Q, 1 - Q).astype(np.float32) / len(y)
        do = (dq @ TRI.T) / (1 + np.exp(-self.o)); do[:, MID] = dq.sum(1)
        g = {"line": self.x.T @ dq.sum(1, keepdims=True), "w2": self.h1.T @ do, "b2": do.sum(0)}
        d1 = (do @ self.p["w2"].T) * (1 - self.h1 ** 2); g["w1"], g["b1"] = self.h0.T @ d1, d1.sum(0)
        d0 = (d1 @ self.p["w1"].T) * (1 - self.h0 ** 2); g["w0"], g["b0"] = self.x.T @ d0 * np.float32(.1), d0.sum(0)
        return g

def train(x, y, rng, epochs=14, batch=1024, rate=4e-3):
    m = Model(rng); a = {k: np.zeros_like(v) for k, v in m.p.items()}; b = {k: np.zeros_like(v) for k, v in m.p.items()}
    step, total = 0, epochs * (len(x) // batch)
    for e in range(epochs):
        order = rng.permutation(len(x))
        for at in range(0, len(x) - batch + 1, batch):
            r = order[at:at + batch]; m.forward(x[r]); step += 1
            lr = np.float32(rate * .5 * (1 + np.cos(np.pi * step / total)))
            for k, g in m.grad(y[r]).items():
                a[k] = .9 * a[k] + .1 * g; b[k] = .999 * b[k] + .001 * g * g
                m.p[k] = (m.p[k] - lr * (a[k] / (1 - .9 ** step)) / (np.sqrt(b[k] / (1 - .999 ** step)) + 1e-8)).astype(np.float32)
        print(f"epoch {e + 1}: {pinball(m.forward(x[:50_000]), y[:50_000]):.4f}", flush=True)
    return m

def pinball(q, y):
    e = y[:, None] - q; return float(np.maximum(Q * e, (Q - 1) * e).mean())

def export(m):
    import onnx
    from onnx import TensorProto, helper as h, numpy_helper as nh
    p = dict(m.p); p["w0"] = p["w0"] * np.float32(.1)
    ones = np.zeros((len(Q), len(Q)), np.float32); ones[MID] = 1
    p |= {"tri": TRI, "pick": ones, "wide": np.repeat(p.pop("line"), len(Q), axis=1)}
    nodes = [h.make_node("Gemm", ["x", "w0", "b0"], ["a0"]), h.make_node("Tanh", ["a0"], ["h0"]),
             h.make_node("Gemm", ["h0", "w1", "b1"], ["a1"]), h.make_node("Tanh", ["a1"], ["h1"]),
             h.make_node("Gemm", ["h1", "w2", "b2"], ["o"]), h.make_node("Softplus", ["o"], ["s"]),
             h.make_node("MatMul", ["s", "tri"], ["offs"]), h.make_node("MatMul", ["o", "pick"], ["shift"]),
             h.make_node("MatMul", ["x", "wide"], ["straight"]), h.make_node("Add", ["offs", "shift"], ["u"]),
             h.make_node("Add", ["u", "straight"], ["quantiles"])]
    g = h.make_graph(nodes, "forecast", [h.make_tensor_value_info("x", TensorProto.FLOAT, ["N", WINDOW + EXTRA])],
                     [h.make_tensor_value_info("quantiles", TensorProto.FLOAT, ["N", len(Q)])],
                     [nh.from_array(np.ascontiguousarray(v, dtype=np.float32), k) for k, v in p.items()])
    mp = h.make_model(g, opset_imports=[h.make_opsetid("", 13)], ir_version=8); mp.producer_name = "train.py"
    onnx.checker.check_model(mp, full_check=True); return mp.SerializeToString()

# ------------------------------------------------------------------ manifest and card

def vectors(m):
    """one window of each kind, six digits as they are written down, and the answer"""
    steps = np.arange(WINDOW); wave = 35 + 8 * np.sin(steps / 3)
    cases = [("a sensor that does not move", np.full(WINDOW, 21.5), 21.5, 21.5, 0.0),
             ("a steady rise", 10 + 0.25 * steps, 14.0, 14.0, 0.0),
             ("a step half way", np.where(steps < 16, 3.0, 7.0), 5.0, 5.0, 0.0),
             ("a wave with a spike", wave + np.where(steps == 20, 90.0, 0.0), 35.0, 35.0, 0.0),
             ("an hour that rises every day", wave, 33.0, 39.0, 0.9)]
    for why, window, now, nxt, rho in cases:
        x = np.array([float(f"{v:.6g}") for v in model_input(window, now, nxt, rho)[0]], np.float32)
        yield why, x, m.forward(x[None])[0]

def numbers(values): return ", ".join(f"{v:.6g}" if v != int(v) else f"{v:.1f}" for v in map(float, values))

def manifest(data, fig, vectors):
    tests = "".join(f'''
[[test]]
why = "{why}"
input = [{numbers(x)}]
output = [{numbers(y)}]
tolerance = 1e-4
''' for why, x, y in vectors)
    figures = "".join(f"{s.replace('_', '-')}-{k} = {f[v]:.4f}\n" for s, f in fig.items()
                      for k, v in (("pinball", "pinball"), ("pinball-persistence-band", "persistence+own band"), ("coverage-90", "cover 5-95")))
    return f'''# Written by train.py. What it is and is not good for: card.md.
name = "forecast"
version = "{VERSION}"
title = {{ en = "Next sample of any point", zh = "任意测点的下一采样预测" }}
file = "model.onnx"
sha256 = "{hashlib.sha256(data).hexdigest()}"
licence = "Apache-2.0"
training-data = "the first 70 % by time of beijing_pm25, ampds_gas_water, airquality_uci and occupancy_uci, and synthetic series made by train.py with seed {SEED}; never NAB, never SKAB"

# Numbers in and out for each sample that is forecast.
window = {WINDOW + EXTRA}
outputs = {len(Q)}

# What the caller does to the last {WINDOW} samples before it asks.
[normalisation]
kind = "median-spread"
centre = "the median of the window"
scale = "max(1.4826 * median(|x - centre|), mean(|x - centre|), 1e-3 * |centre| + 1e-9)"
clamp = {CLAMP:.1f}

[[input]]
name = "x"
shape = ["N", {WINDOW + EXTRA}]
type = "f32"
unit = "{WINDOW} samples as clamp((x - centre) / scale), oldest first; the usual value at this hour, as a sample; the step of the usual value to the next sample, in scales; how much the hours explain, 0..1, which has been multiplied into the two before it"

[[output]]
name = "quantiles"
shape = ["N", {len(Q)}]
type = "f32"
unit = "1, 5, 10, 25, 50, 75, 90, 95 and 99 % of the next sample, in the same units; never decreasing from left to right"

# On the last 30 % of each recording: pinball loss (lower is better) beside that of persistence with the
# test's own error quantiles, and the share within the 5-95 % band, which should be 0.9.
[figures]
{figures}{tests}'''

def card(fig):
    rows = "\n".join(f"| {s} | {f['n']} | {f['pinball']:.3f} | {f['persistence']:.3f} | {f['persistence+own band']:.3f} | {f['seasonal+own band']:.3f} | {100 * f['cover 5-95']:.1f} % |" for s, f in fig.items())
    path = HERE / "card.md"; before, rest = path.read_text(encoding="utf-8").split("<!-- figures -->\n", 1)
    table = "| recording | windows | pinball | persistence | persistence with its own band | yesterday with its own band | inside 5-95 % |\n| --- | --- | --- | --- | --- | --- | --- |\n"
    path.write_text(f"{before}<!-- figures -->\n{table}{rows}\n<!-- /figures -->\n{rest.split('<!-- /figures -->' + chr(10), 1)[1]}", encoding="utf-8")

# ------------------------------------------------------------------ all of it

def main():
    t0 = time.time(); rng = np.random.default_rng(SEED); X, Y = [], []; tests = {}
    for set_, name, t, v in recordings():
        cut = int(TRAIN_PART * len(v)); pr = profile(t, v); k = min(20_000, cut - WINDOW - 1)
        st = rng.choice(cut - WINDOW - 1, k, replace=False); x, y, _ = windows(t, v, st, pr); X.append(x); Y.append(y)
        st = np.sort(rng.choice(np.arange(cut, len(v) - WINDOW - 1), min(10_000, len(v) - WINDOW - 1 - cut), replace=False))
        tests.setdefault(set_, []).append((name, *windows(t, v, st, pr)))
        x, y, _ = tests[set_][-1][1:]
    real = sum(map(len, X)); print("real windows", real, f"{time.time() - t0:.0f}s", flush=True)
    srng = np.random.default_rng(SEED + 1)
    for part in range(2):
        for _ in range(500 if part == 0 else 60):
            t, v = synthetic(srng, 3000); pr = profile(t, v)
            st = srng.integers(0, len(v) - WINDOW - 1, 500); x, y, z = windows(t, v, st, pr)
            if part == 0: X.append(x); Y.append(y)
            else: tests.setdefault("synthetic", []).append(("synthetic", x, y, z))
    X, Y = np.concatenate(X), np.concatenate(Y); print(len(X), "windows", f"{time.time() - t0:.0f}s", flush=True)
    m = train(X, Y, rng)
    band = np.quantile(Y - X[:, WINDOW - 1], Q).astype(np.float32)[None]
    fig = {}
    for s, rows in tests.items():
        x, y, z = (np.concatenate([r[i] for r in rows]) for i in (1, 2, 3)); q = m.forward(x)
        sb = np.quantile(y - z, Q).astype(np.float32)[None]; pb = np.quantile(y - x[:, WINDOW - 1], Q).astype(np.float32)[None]
        fig[s] = {"n": len(x), "pinball": pinball(q, y), "persistence": pinball(np.repeat(x[:, WINDOW - 1:WINDOW], len(Q), 1), y),
                  "persistence+own band": pinball(x[:, WINDOW - 1:WINDOW] + pb, y), "seasonal naive": pinball(np.repeat(z[:, None], len(Q), 1), y),
                  "seasonal+own band": pinball(z[:, None] + sb, y),
                  "cover 5-95": float(((y >= q[:, 1] - .1) & (y <= q[:, 7] + .1)).mean()), "cover 1-99": float(((y >= q[:, 0] - .1) & (y <= q[:, 8] + .1)).mean())}
        print(s, {k: round(v, 4) for k, v in fig[s].items()}, flush=True)
    data = export(m)
    (HERE / "model.onnx").write_bytes(data)
    (HERE / "model.toml").write_text(manifest(data, fig, vectors(m)), encoding="utf-8")
    card(fig)
    print("sha256", hashlib.sha256(data).hexdigest(), f"{time.time() - t0:.0f}s")

if __name__ == "__main__":
    main()
