"""The detector of one point as it was found and measured; gateway/core/src/detect/anomaly is the same in Rust, and
golden.py writes what holds the two together. Plain loops; numba, where it is installed, only makes them faster.

    d = Detector(forecast)          # forecast(x[35] float32) -> 9 quantiles (model.onnx); None runs without it
    score, alarm = d.step(unix_seconds, value)

score in [0, 1): abnormality; 0.5 is the one fixed threshold. alarm: an event opens here (score >= 0.5 and none opened lately).
"""
import math
import numpy as np
try:
    from numba import njit
except ImportError:                       # plain Python gives the same numbers, slower
    def njit(**_): return lambda f: f

# ---- memory
RING = 512            # raw samples and 4-sample blocks remembered: long enough for a day and a half at 5 min
EXACT, BLOCKS_EXACT = 64, 32 # the newest of them that stay 32-bit floats
SEGMENT = 32          # so many older ones share a range, in 255ths of which they are kept
MED_EVERY = 16        # the long median is sorted anew this often: it moves slowly, sorting is the dearest step
SCALE_TAU = 2000.0    # memory of the mean absolute deviation, in samples: about a week at 5 min
# ---- levels
SHORT, LONG = 2, 16   # level over 2 samples sees spikes, over 16 sees shifts
STEP = 32             # mean of the last 32 against the 32 before: change point
# ---- shape novelty
M1, B4, M4 = 12, 4, 8 # shape of the last 12 samples, and of the last 8 blocks of 4
DEAD = 0.1            # deviations below a tenth of the range seen so far count as none: small wiggles are not shape
KNN_GAIN = 10.0       # puts distances into the histogram's range
# ---- profile: hour of day, working day or weekend
CELLS = 48
ALPHA = 0.3           # a cell follows the latest days, not the year
RHO_DECAY = 0.999     # memory of how well the profile explains
# ---- forecaster
WIN = 32              # samples shown to the network
CLAMP = 20.0          # its inputs are held within this
MIN_HALF = 0.05       # narrowest half band believed, in window scales
ZQ = (-2.3263, -1.6449, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.6449, 2.3263)  # normal scores of its quantiles
F_MEAN, F_SPREAD = 16, 32  # residuals are judged as a mean over 16 and a mean size over 32, not singly
# ---- calibration: log histogram with forgetting, tail extrapolated
BINS, LO, RATIO = 24, 0.05, 1.35   # 24 bins from 0.05 to 67
TAU = 6000.0          # forgetting, in samples: three weeks at 5 min
READY = 100.0         # samples before a calibrator speaks
TAIL_N, TAIL_Q = 10.0, 0.03        # the tail is the largest 3 %, at least 10 samples
TAIL_Q2 = 0.01        # same for the second stage
CAP = 5.0             # one witness alone says at most 1e-5
EMP = 2.0             # what was seen k times before has at least p = 2k/n, whatever the tail says
# ---- combination
WEIGHTS = (1.0, 0.5, 0.5, 1.0, 1.0, 0.33, 0.33)  # spike, shift, step, shape 12, shape 32, residual mean, residual size
BLEND = 0.1           # share of the absolute sum beside the point's own rank of it
THRESHOLD = 2.6       # in powers of ten; score = y / (y + THRESHOLD)
QUIET = 43_200.0      # one event per half day ...
QUIET_MIN, QUIET_MAX = 48, 120     # ... but no less than 48 and no more than 120 samples

LN10 = math.log(10.0)
LOG_R = math.log(RATIO)

@njit(cache=True)
def calibrate(h, w, x, tail_q, hill):
    """-log10 of the share of the past that was at least x; h histogram, w its weight"""
    b = 0
    if x > LO: b = min(int(math.log(x / LO) / LOG_R), BINS - 1)
    need = max(TAIL_N, tail_q * w); tail = 1e-9; k = BINS - 1
    while k >= 0:
        tail += h[k]
        if tail >= need: break
        k -= 1
    if k < 0: k = 0
    if b <= k:
        s = 0.0
        for j in range(b, BINS): s += h[j]
        return -math.log10(min(1.0, (s + 0.5) / (w + 1.0)))
    m = 0.0
    if hill:                               # Pareto tail: mean log excess
        for j in range(k, BINS): m += h[j] * ((j + 0.5) - k) * LOG_R
        m = m / tail + 0.02
        e = (math.log(x / LO) - k * LOG_R) / m
    else:                                  # exponential tail: mean excess
        u = LO * math.exp(k * LOG_R)
        for j in range(k, BINS): m += h[j] * (LO * math.exp((j + 0.5) * LOG_R) - u)
        m = m / tail + 0.02 * u
        e = (x - u) / m
    out = -math.log10(tail / (w + 1.0)) + e / LN10
    s = 0.0
    for j in range(b, BINS): s += h[j]
    f = EMP if hill else 1.0
    if s > 0.0: out = min(out, -math.log10(min(1.0, f * s / (w + 1.0))))
    return out

@njit(cache=True)
def learn(h, x):
    """forgets a little, counts x"""
    b = 0
    if x > LO: b = min(int(math.log(x / LO) / LOG_R), BINS - 1)
    keep = math.exp(-1.0 / TAU)
    for j in range(BINS): h[j] *= keep
    h[b] += 1.0

@njit(cache=True)
def novelty(ring, n, m, med, lo, hi):
    """distance of the last m values to the nearest earlier m; ring[i % len] for i < n"""
    size = len(ring); span = max(hi - lo, 1e-12 * abs(hi) + 1e-300)
    have = min(n, size); y = np.empty(have)
    for i in range(have):                  # oldest first
        e = (ring[(n - have + i) % size] - med) / span
        y[i] = max(e - DEAD, 0.0) + min(e + DEAD, 0.0)
    best = 1e300; last = have - 1
    for i in range(m - 1, last - m // 2 - 1):
        d = 0.0
        for q in range(m):
            e = y[i - q] - y[last - q]; d += e * e
            if d >= best: break
        if d < best: best = d
    return math.sqrt(best) if best < 1e299 else 0.0

def put(ring, n, v, exact):
    """value number n goes into the ring; the older ones are kept in 8 bits"""
    if n >= exact + SEGMENT and (n - exact) % SEGMENT == 0:
        i = np.arange(n - exact - SEGMENT, n - exact) % len(ring)
        lo = float(ring[i].min()); span = float(ring[i].max()) - lo
        codes = np.floor((ring[i] - lo) / span * 255 + .5) if span > 0 else np.zeros(SEGMENT)
        ring[i] = np.float32(lo + span * (codes / 255))
    ring[n % len(ring)] = np.float32(v)

@njit(cache=True)
def mean_last(ring, n, w, back):
    """mean of w values ending `back` before the newest"""
    s = 0.0; c = 0; size = len(ring)
    for i in range(w):
        j = n - 1 - back - i
        if j >= 0 and n - j <= size: s += ring[j % size]; c += 1
    return s / c if c else 0.0

class Profile:
    """hour of day x (working day | weekend) mean of value minus long median, and how much it explains"""
    def __init__(self):
        self.mean = [0.0] * CELLS; self.seen = [0] * CELLS; self.e0 = self.e1 = 0.0; self.cell = -1; self.s = 0.0; self.c = 0
    @staticmethod
    def at(t):
        return int(t % 86_400 // 3600) + (24 if (int(t // 86_400) + 3) % 7 >= 5 else 0)
    def rho(self): return min(1.0, max(0.0, 1.0 - self.e1 / self.e0)) if self.e0 > 0 else 0.0
    def step(self, t, d):
        """residual of d after the profile; then learns"""
        b = self.at(t); p = self.mean[b]; out = d - self.rho() * p
        if self.seen[b]: self.e0 = self.e0 * RHO_DECAY + d * d; self.e1 = self.e1 * RHO_DECAY + (d - p) ** 2
        if b != self.cell:
            if self.cell >= 0:
                k = self.cell; self.seen[k] += 1; self.mean[k] += max(ALPHA, 1.0 / self.seen[k]) * (self.s / self.c - self.mean[k])
            self.cell, self.s, self.c = b, 0.0, 0
        self.s += d; self.c += 1
        return out

def window_scale(win):
    c = float(np.median(win)); a = np.abs(win - c)
    return c, max(1.4826 * float(np.median(a)), float(a.mean()), 1e-3 * abs(c) + 1e-9)

def model_input(win, now, nxt, rho):
    """win: last 32 values; now, nxt: profile (value) at this and the next sample; -> inputs, centre, scale"""
    c, s = window_scale(win); x = np.empty(WIN + 3, np.float32)
    x[:WIN] = np.clip((win - c) / s, -CLAMP, CLAMP)
    x[WIN] = min(CLAMP, max(-CLAMP, (now - c) / s)) * rho
    x[WIN + 1] = min(CLAMP, max(-CLAMP, (nxt - now) / s)) * rho
    x[WIN + 2] = rho
    return x, c, s

def normal_score(q, y):
    """where y lies among the quantiles, as a normal score; beyond them in half bands"""
    if y >= q[8]: return ZQ[8] + (y - q[8]) / max(q[8] - q[4], MIN_HALF) * ZQ[8]
    if y <= q[0]: return ZQ[0] + (y - q[0]) / max(q[4] - q[0], MIN_HALF) * ZQ[8]
    i = 0
    while y > q[i + 1]: i += 1
    return ZQ[i] + (y - q[i]) / max(q[i + 1] - q[i], 1e-9) * (ZQ[i + 1] - ZQ[i])

class Detector:
    def __init__(self, forecast=None, threshold=THRESHOLD):
        self.forecast = forecast; self.threshold = threshold; self.n = 0
        self.raw = np.zeros(RING); self.res = np.zeros(2 * STEP); self.z = np.zeros(F_SPREAD); self.nz = 0
        self.blk = np.zeros(RING); self.nblk = 0; self.acc = 0.0
        self.med = 0.0; self.mad = 0.0; self.madw = 0.0
        self.lo = self.hi = self.blo = self.bhi = 0.0; self.novel4 = -1.0
        self.profile = Profile(); self.pending = None; self.t0 = None; self.dt = 0.0
        self.h = np.zeros((8, BINS)); self.w = np.zeros(8); self.last = -10 ** 9; self.parts = [0.0] * 7

    def witnesses(self, t, v):
        """the seven statistics of this sample (None: not yet), and takes the sample in"""
        n = self.n
        if n == 0: self.med = self.lo = self.hi = v
        # -- forecaster: judge what was forecast one step before
        if self.pending is not None:
            q, c, s = self.pending
            self.z[self.nz % F_SPREAD] = normal_score(q, min(CLAMP, max(-CLAMP, (v - c) / s))); self.nz += 1
        # -- long median of the past, without this sample
        if n and n % MED_EVERY == 0: self.med = float(np.median(self.raw[:min(n, RING)]))
        d = v - self.med
        scale = max(self.mad / self.madw if self.madw > 0 else 0.0, 1e-12 + 1e-9 * abs(v))
        keep = 1.0 - 1.0 / SCALE_TAU
        self.mad = self.mad * keep + abs(d); self.madw = self.madw * keep + 1.0
        r = self.profile.step(t, d)
        put(self.raw, n, v, EXACT); self.res[n % (2 * STEP)] = r; self.n = n = n + 1
        self.lo = min(self.lo, v); self.hi = max(self.hi, v)
        out = [None] * 7
        if n > STEP * 2:
            lvl = lambda w: 0.5 * (abs(mean_last(self.raw, n, w, 0) - self.med) + abs(mean_last(self.res, n, w, 0))) / scale
            out[0] = lvl(SHORT); out[1] = lvl(LONG)
            out[2] = 0.5 * (abs(mean_last(self.raw, n, STEP, 0) - mean_last(self.raw, n, STEP, STEP)) + abs(mean_last(self.res, n, STEP, 0) - mean_last(self.res, n, STEP, STEP))) / scale
        if n > 2 * M1: out[3] = KNN_GAIN * novelty(self.raw, n, M1, self.med, self.lo, self.hi)
        self.acc += v / B4
        if n % B4 == 0:
            if self.nblk == 0: self.blo = self.bhi = self.acc
            put(self.blk, self.nblk, self.acc, BLOCKS_EXACT); self.nblk += 1
            self.blo = min(self.blo, self.acc); self.bhi = max(self.bhi, self.acc); self.acc = 0.0
            if self.nblk > 2 * M4: self.novel4 = KNN_GAIN * novelty(self.blk, self.nblk, M4, self.med, self.blo, self.bhi)
        if self.novel4 >= 0: out[4] = self.novel4
        if self.nz >= F_SPREAD:
            out[5] = abs(mean_last(self.z, self.nz, F_MEAN, 0)); out[6] = abs(float(np.abs(self.z).mean()) - 1.0)
        # -- ask the forecaster for the next sample
        if self.t0 is not None and t > self.t0: self.dt = t - self.t0 if self.dt == 0 else min(self.dt * 1.05, t - self.t0)
        self.t0 = t
        if self.forecast is not None and n >= WIN:
            p = self.profile; rho = p.rho(); a, b = p.mean[p.at(t)], p.mean[p.at(t + self.dt)]
            i = np.arange(n - WIN, n) % RING
            x, c, s = model_input(self.raw[i], self.med + a, self.med + b, rho); self.pending = (self.forecast(x), c, s)
        return out

    def abnormality(self, out):
        """y: powers of ten. Calibrates each witness by its own past, adds, calibrates the sum by its own past"""
        total = 0.0; spoke = False
        for i in range(7):
            self.parts[i] = 0.0
            if out[i] is None: continue
            if self.w[i] >= READY: self.parts[i] = min(CAP, calibrate(self.h[i], self.w[i], out[i], TAIL_Q, True)); spoke = True
            learn(self.h[i], out[i]); self.w[i] = self.w[i] * math.exp(-1.0 / TAU) + 1.0
            total += WEIGHTS[i] * self.parts[i]
        y = 0.0
        if self.w[7] >= READY and total > 0.0: y = calibrate(self.h[7], self.w[7], total, TAIL_Q2, False) + BLEND * total
        learn(self.h[7], total); self.w[7] = self.w[7] * math.exp(-1.0 / TAU) + 1.0
        return y

    def step(self, t, v):
        y = self.abnormality(self.witnesses(t, v)); self.y = y
        quiet = min(QUIET_MAX, max(QUIET_MIN, int(QUIET / self.dt) if self.dt > 0 else QUIET_MAX))
        alarm = y >= self.threshold and self.n - self.last > quiet
        if alarm: self.last = self.n
        return y / (y + THRESHOLD), alarm
