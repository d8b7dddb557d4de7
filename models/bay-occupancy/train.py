"""Trains `model.onnx`: is this parking bay, or this stretch of a lane, taken?

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python train.py --data FOLDER

FOLDER holds patches of one camera as `busy/*.jpg` and `free/*.jpg`, named DAY_HOUR_BAY.jpg (CNRPark, camera A). It is meant
for other cameras than that one, so every patch is seen as other cameras, hours and weather would show it (`view`), the
first half of the ImageNet network stays frozen, and what remains of a camera's own look is mixed between pictures.
First some bays are left out altogether and measured, then the network goes on for a while with all of them. Writes model.onnx, model.toml and the figures in card.md beside this file. Seeded. About ten minutes of one core.
"""
import argparse, pathlib, sys, time
import numpy as np, torch, torch.nn.functional as F
import cv2
from PIL import Image
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import lite0, manifest

VERSION, SEED, SIZE = "1.0.0", 20260101, 112
CLASSES = ["busy", "free"]
CUT, VIEWS, EPOCHS, BATCH = 8, 12000, 3, 48
MORE = 6000   # views of all bays at the end, once each, at a third of the pace
LEFT_OUT = (range(9, 18), range(35, 44))   # bays; neighbours, so that no bay beside them gives them away but at the edges
PICTURE = {"size": [SIZE, SIZE], "layout": "nchw", "colour": "rgb", "fit": "stretch", "filter": "antialiased", "scale": 1.0, "mean": [lite0.MEAN] * 3, "std": [lite0.STD] * 3}


def load(folder):
    out = []
    for c, name in enumerate(CLASSES):
        for f in sorted((folder / name).glob("*.jpg")):
            p = cv2.resize(cv2.imread(str(f)), (150, 150))   # a few are cut off at the edge of the picture
            out.append((cv2.cvtColor(p, cv2.COLOR_BGR2RGB), c, int(f.stem.split("_")[2])))
    return out


def plain(p): return np.asarray(Image.fromarray(p).resize((SIZE, SIZE), Image.BILINEAR))


def cloud(rng, h, w, cells):
    """smooth noise, 0..1"""
    return cv2.resize(rng.random((cells, cells)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)


def neighbour(rng, p, other):
    """a part of another patch, busy or free, reaches in from one side: what is beside a bay is not in it"""
    h, w = p.shape[:2]; reach = rng.uniform(.08, .27); side = rng.integers(4)
    yy, xx = np.mgrid[:h, :w].astype(np.float32); xx /= w; yy /= h
    d = (xx, 1 - xx, yy, 1 - yy)[side]; along = (yy, yy, xx, xx)[side]
    line = reach + rng.normal(0, .12) * (along - .5) + .05 * np.sin(along * rng.uniform(3, 9) + rng.uniform(0, 6))
    mask = (d < line).astype(np.float32)
    if rng.random() < .6:   # a corner only
        mask *= (along > rng.uniform(.1, .6)) if rng.random() < .5 else (along < rng.uniform(.4, .9))
    mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(.5, 2))[..., None]
    other = np.roll(other, rng.integers(-40, 41, 2), (0, 1))
    if rng.random() < .5: other = other[:, ::-1]
    return (p * (1 - mask) + other * mask).astype(np.uint8)


def in_front(rng, p):
    """leaves, a pole, a lamp between the camera and the bay"""
    h, w = p.shape[:2]; kind = rng.random(); x = p.astype(np.float32)
    if kind < .55:
        n = cloud(rng, h, w, int(rng.integers(3, 7))) * .6 + cloud(rng, h, w, int(rng.integers(12, 40))) * .4
        yy, xx = np.mgrid[:h, :w]; cx, cy = rng.uniform(0, w), rng.uniform(0, h)
        n = n - ((xx - cx) ** 2 + (yy - cy) ** 2) / (rng.uniform(.25, .6) * w) ** 2 * .5
        mask = cv2.GaussianBlur((n > np.quantile(n, rng.uniform(.6, .95))).astype(np.float32), (0, 0), .8)[..., None]
        leaf = np.array([rng.uniform(30, 150), rng.uniform(60, 180), rng.uniform(10, 90)]) * (.4 + 1.2 * cloud(rng, h, w, int(rng.integers(20, 60)))[..., None])
        x = x * (1 - mask) + leaf * mask
    elif kind < .85:
        a, b = (rng.uniform(0, w), -5), (rng.uniform(0, w), h + 5)
        if rng.random() < .2: a, b = a[::-1], b[::-1]
        cv2.line(x, tuple(map(int, a)), tuple(map(int, b)), tuple(map(float, rng.uniform(20, 220) + rng.normal(0, 15, 3))), int(rng.integers(2, 10)), cv2.LINE_AA)
    else:
        cv2.ellipse(x, (int(rng.uniform(0, w)), int(rng.uniform(0, h))), (int(rng.uniform(5, 22)), int(rng.uniform(5, 22))), rng.uniform(0, 180), 0, 360,
                    tuple(map(float, rng.uniform(10, 245) + rng.normal(0, 20, 3))), -1, cv2.LINE_AA)
    return np.clip(x, 0, 255).astype(np.uint8)


def shade(rng, x):
    """a hard shadow, or the dappled one of a tree"""
    h, w = x.shape[:2]
    if rng.random() < .5:
        a = rng.uniform(0, 2 * np.pi); yy, xx = np.mgrid[:h, :w]
        mask = ((xx - rng.uniform(0, w)) * np.cos(a) + (yy - rng.uniform(0, h)) * np.sin(a) > 0).astype(np.float32)
    else:
        n = cloud(rng, h, w, int(rng.integers(4, 24))); mask = (n > np.quantile(n, rng.uniform(.2, .8))).astype(np.float32)
    return x * (1 - cv2.GaussianBlur(mask, (0, 0), rng.uniform(.5, 4))[..., None] * rng.uniform(.2, .7))


def place(rng, p, ground):
    """from another angle, nearer or further, not quite in the middle"""
    h, w = p.shape[:2]
    zoom = rng.uniform(.95, 1.5) if rng.random() < .75 else rng.uniform(.65, .95)
    a = np.deg2rad(rng.normal(0, 13)); s = np.diag([zoom * np.exp(rng.normal(0, .13)), zoom * np.exp(rng.normal(0, .13))]) * SIZE / w
    if rng.random() < .5: s[0] = -s[0]
    m = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ np.array([[1, rng.normal(0, .13)], [rng.normal(0, .06), 1]]) @ s
    t = SIZE / 2 - m @ np.array([w / 2, h / 2]) + rng.uniform(-.11, .11, 2) * SIZE
    h3 = np.vstack([np.c_[m, t], [rng.normal(0, 5e-4), rng.normal(0, 8e-4), 1]])
    if zoom >= .95 or rng.random() < .4:
        return cv2.warpPerspective(p, h3, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    mask = cv2.GaussianBlur(cv2.warpPerspective(np.ones((h, w), np.float32), h3, (SIZE, SIZE)), (0, 0), rng.uniform(1, 4))[..., None]
    return (cv2.warpPerspective(p, h3, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT_101) * mask + cv2.resize(ground, (SIZE, SIZE)) * (1 - mask)).astype(np.uint8)


def view(rng, p, other, ground):
    if rng.random() < .5: p = neighbour(rng, p, other)
    p = place(rng, p, ground)
    if rng.random() < .3: p = in_front(rng, p)
    if rng.random() < .35:   # a car, or a kerb, of any colour
        hsv = cv2.cvtColor(p, cv2.COLOR_RGB2HSV); hsv[..., 0] = (hsv[..., 0].astype(int) + rng.integers(180)) % 180; p = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    x = p.astype(np.float32) / 255
    if rng.random() < .07: x = 1 - x
    if rng.random() < .4: x = shade(rng, x)
    x = np.clip(x, 0, 1) ** np.exp(rng.normal(0, .35)); x = (x - .5) * np.exp(rng.normal(0, .25)) + .5 + rng.normal(0, .1)
    x = x * np.exp(rng.normal(0, .1, 3)).astype(np.float32)
    grey = x.mean(2, keepdims=True); x = grey + (x - grey) * (0 if rng.random() < .3 else rng.uniform(.2, 1.6))
    k = rng.random()
    if k < .1:     # night
        x = np.clip(x, 0, 1) ** rng.uniform(1.2, 2.2) * rng.uniform(.15, .5) * np.array([rng.uniform(.9, 1.3), 1, rng.uniform(.6, 1)], np.float32)
        if rng.random() < .5:
            glow = cloud(rng, SIZE, SIZE, 3)[..., None]; x = x + np.clip(glow - .6, 0, 1) * rng.uniform(.2, .8)
    elif k < .18:  # fog and rain
        x = x * (1 - (f := rng.uniform(.2, .6))) + f * rng.uniform(.5, .9)
        if rng.random() < .6:
            drops = (rng.random((SIZE, SIZE)) < .01).astype(np.float32); kernel = np.zeros((11, 11), np.float32)
            cv2.line(kernel, (5 + int(rng.integers(-3, 4)), 0), (5, 10), 1.0, 1); x = x + cv2.filter2D(drops, -1, kernel)[..., None] * rng.uniform(.1, .35)
    x = np.clip(x, 0, 1)
    if rng.random() < .4:
        n = int(SIZE * rng.uniform(.2, .8)); x = cv2.resize(cv2.resize(x, (n, n), interpolation=cv2.INTER_AREA), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    if rng.random() < .3: x = cv2.GaussianBlur(x, (0, 0), rng.uniform(.4, 2))
    if rng.random() < .3: x = cv2.addWeighted(x, 1.8, cv2.GaussianBlur(x, (0, 0), 1.2), -.8, 0)
    if rng.random() < .4: x = x + rng.normal(0, rng.uniform(.01, .07), x.shape).astype(np.float32)
    p = (np.clip(x, 0, 1) * 255).astype(np.uint8)
    if rng.random() < .4: p = cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])[1], cv2.IMREAD_COLOR)
    return p


def views(data, n, seed):
    """n pictures, half of them busy, each bay as often as any other"""
    rng = np.random.default_rng(seed); groups = [[], []]
    for c in (0, 1):
        bays = {}
        for p, k, bay in data:
            if k == c: bays.setdefault(bay, []).append(p)
        groups[c] = list(bays.values())
    pick = lambda c: (g := groups[c][rng.integers(len(groups[c]))])[rng.integers(len(g))]
    for i in range(n): yield view(rng, pick(i % 2), pick(rng.integers(2)), pick(1))


def mix_style(rng, x):
    """half of the batches: each picture's contrast, channel by channel, moves towards that of another one"""
    if rng.random() < .5: return x
    m, s = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True) + 1e-5
    j = torch.from_numpy(rng.permutation(len(x))); k = torch.from_numpy(rng.beta(.2, .2, (len(x), 1, 1, 1)).astype(np.float32))
    return (x - m) / s * (s * k + s[j] * (1 - k)) + m * k + m[j] * (1 - k)


def learn(data, seed, told, watch, start=None):
    torch.manual_seed(SEED); rng = np.random.default_rng(SEED); n, rounds, pace = (MORE, 1, .3) if start else (VIEWS, EPOCHS, 1.0)
    net = lite0.Net(len(CLASSES), CUT, .4)
    if start: net.load_state_dict(start.state_dict())
    feats = lite0.features(net.eval(), SIZE, list(views(data, n, seed))); y = torch.arange(n) % 2
    body, head = net.train().learning(), list(net._fc.parameters())
    for p in net.parameters(): p.requires_grad = False
    for p in body + head: p.requires_grad = True
    opt = torch.optim.AdamW([{"params": body, "lr": pace * 2e-4}, {"params": head, "lr": pace * 1e-3}], weight_decay=.05)
    base = [g["lr"] for g in opt.param_groups]; per = n // BATCH; steps = rounds * per; mean = lite0.Mean(); started = time.time()
    for step in range(steps):
        if step % per == 0: order = rng.permutation(n)
        i = np.sort(order[step % per * BATCH:][:BATCH])
        z = net(mix_style(rng, torch.from_numpy(feats[i]).float()))
        for g, lr in zip(opt.param_groups, base): g["lr"] = lr * lite0.cosine(step, steps)
        loss = F.cross_entropy(z, y[i], label_smoothing=.05)
        opt.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(body + head, 2.0); opt.step()
        if step >= steps * .4 and step % 20 == 19 or step == steps - 1: mean.add(net)
        if step % 125 == 124:
            said = "".join(f", {k} {(lite0.logits(net, f).argmax(1) == t).float().mean():.4f}" for k, (f, t) in watch.items())
            print(f"{told} {step + 1}/{steps}: loss {loss.item():.3f}{said}, {time.time() - started:.0f} s", flush=True); net.train()
    return mean.into(net)


def judge(model, pictures):
    s = lite0.session(model)
    return torch.from_numpy(np.concatenate([s.run(None, {"picture": lite0.tensor(p)})[0] for p in pictures]))


def main():
    a = argparse.ArgumentParser(); a.add_argument("--data", type=pathlib.Path, required=True); a.add_argument("--threads", type=int, default=1)
    a.add_argument("--other", type=pathlib.Path, help="busy/ and free/ of another camera: printed while it learns, never learnt from")
    a = a.parse_args(); torch.set_num_threads(a.threads); cv2.setNumThreads(1)
    data = load(a.data); out = lambda bay: any(bay in r for r in LEFT_OUT)
    kept, held = [d for d in data if not out(d[2])], [d for d in data if out(d[2])][::3]
    trunk = lite0.Net(len(CLASSES), CUT, .4).eval()
    hard = list(views([d for d in data if out(d[2])], 1000, 3)); hard_y = torch.arange(1000) % 2
    sets = {"left out": ([plain(p) for p, _, _ in held], torch.tensor([c for _, c, _ in held])), "left out, harder": (hard, hard_y)}
    if a.other:
        other = load_other(a.other)
        sets["other"] = ([plain(p) for p, _, _ in other], torch.tensor([c for _, c, _ in other]))
    watch = {k: (lite0.features(trunk, SIZE, p), y) for k, (p, y) in sets.items()}
    net = learn(kept, 1, "without some bays", watch)
    model = lite0.export(net, SIZE); z = judge(model, hard); t = lite0.temperature(z, hard_y); figures = {}
    for k, (p, y) in sets.items():
        z = judge(model, p) / t; q, guess = z.softmax(1).max(1); right = guess == y; sure = q >= .75; k = k.replace(", ", "-").replace(" ", "-")
        if k == "other": print(k, right.float().mean(), right[sure].float().mean(), sure.float().mean()); continue
        figures |= {f"{k}-accuracy": right.float().mean().item(), f"{k}-accuracy-when-sure": right[sure].float().mean().item(), f"{k}-share-sure": sure.float().mean().item()}
    figures = {k: round(v, 4) for k, v in figures.items()}; print(t, figures, flush=True)
    net = learn(data, 2, "all bays", {k: v for k, v in watch.items() if k == "other"}, start=net)
    model = lite0.export(net, SIZE, about="bay-occupancy"); (HERE / "model.onnx").write_bytes(model.SerializeToString())
    manifest.write(HERE, {"name": "bay-occupancy", "version": VERSION, "title": {"en": "Parking bay or lane: taken or free", "zh": "车位或车道：占用或空闲"}, "licence": "Apache-2.0",
                          "training-data": "CNRPark camera A (ODbL 1.0), patches of one sunny day, on the ImageNet weights of EfficientNet-Lite0 (Apache-2.0)"},
                   PICTURE, {"kind": "classifier", "softmax": True, "temperature": round(float(t), 3), "unsure-below": .75, "labels": CLASSES},
                   {"picture": "RGB, (byte - 127) / 128", "logits": "one per class; softmax(logits / temperature) is the probability"}, figures,
                   "On 18 of 51 bays of the same camera, before the network went on to learn from them as well; harder: with other angle, light, weather and things in front.")
    manifest.figures_into_card(HERE / "card.md", ["| bays left out | |", "| --- | --- |"] + [f"| {k} | {v} |" for k, v in figures.items()])


def load_other(folder):
    return [(cv2.cvtColor(cv2.imread(str(f)), cv2.COLOR_BGR2RGB), c, 0) for c, n in enumerate(CLASSES) for f in sorted((folder / n).iterdir())]


if __name__ == "__main__": main()
