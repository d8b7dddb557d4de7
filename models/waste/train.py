"""Trains `model.onnx`: what kind of waste lies in the picture.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python train.py --data FOLDER

FOLDER holds TrashNet's official lists as `train/<class>/*.jpg` and `val/<class>/*.jpg`. First it learns from `train` alone
and is measured on `val`, which also gives the temperature; then it goes on for a while with both.
Writes model.onnx, model.toml and the figures in card.md beside this file. Seeded. About ten minutes of one core.
"""
import argparse, pathlib, sys, time
import numpy as np, torch, torch.nn.functional as F
import cv2
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import lite0, manifest

VERSION, SEED, SIZE = "1.0.0", 20260101, 224
CLASSES = ["cardboard", "glass", "metal", "paper", "plastic", "trash"]
CUT, VIEWS, EPOCHS, BATCH = 11, 6, 9, 32
MORE = 2         # rounds over both lists at the end, at a quarter of the pace
PICTURE = {"size": [SIZE, SIZE], "layout": "nchw", "colour": "rgb", "fit": "stretch", "filter": "antialiased", "scale": 1.0, "mean": [lite0.MEAN] * 3, "std": [lite0.STD] * 3}


def load(folder):
    files = [(f, c) for c, name in enumerate(CLASSES) for f in sorted((folder / name).glob("*.jpg"))]
    return [cv2.cvtColor(cv2.imread(str(f)), cv2.COLOR_BGR2RGB) for f, _ in files], torch.tensor([c for _, c in files])


def plain(p):
    from PIL import Image
    return np.asarray(Image.fromarray(p).resize((SIZE, SIZE), Image.BILINEAR))


def view(rng, p):
    """one picture as another hand, lamp or lens would have taken it"""
    h, w = p.shape[:2]
    zoom, angle = rng.uniform(0.95, 1.55), np.deg2rad(rng.normal(0, 14) + 90 * rng.integers(0, 4) * (rng.random() < 0.3))
    sx, sy = SIZE / w * zoom * np.exp(rng.normal(0, .08)), SIZE / h * zoom * np.exp(rng.normal(0, .08))
    if rng.random() < 0.5: sx = -sx
    if rng.random() < 0.3: sy = -sy
    a = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([sx, sy])
    room = SIZE * (zoom - 0.9) / 2
    t = np.array([SIZE / 2, SIZE / 2]) - a @ np.array([w / 2, h / 2]) + rng.uniform(-room, room, 2)
    p = cv2.warpAffine(p, np.c_[a, t], (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    x = p.astype(np.float32) / 255
    if rng.random() < 0.8:
        x = x ** np.exp(rng.normal(0, .25)) * np.exp(rng.normal(0, .15)) * np.exp(rng.normal(0, .06, 3)).astype(np.float32)
        grey = x.mean(2, keepdims=True); x = grey + (x - grey) * rng.uniform(0.5, 1.4)
    if rng.random() < 0.15: x = x * rng.uniform(0.3, 0.7)
    if rng.random() < 0.15: x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.5, 1.6))
    if rng.random() < 0.25: x = x + rng.normal(0, rng.uniform(.01, .05), x.shape).astype(np.float32)
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def views(net, pictures, seed):
    """features: views x pictures, the first view untouched"""
    rng = np.random.default_rng(seed)
    return np.stack([lite0.features(net, SIZE, [plain(p) if v == 0 else view(rng, p) for p in pictures]) for v in range(VIEWS)])


def learn(feats, y, told, watch=None, start=None):
    torch.manual_seed(SEED); rng = np.random.default_rng(SEED); rounds, pace = (MORE, 0.25) if start else (EPOCHS, 1.0)
    net = lite0.Net(len(CLASSES), CUT, 0.3).train()
    if start: net.load_state_dict(start.state_dict())
    body = net.learning(); head = list(net._fc.parameters())
    for p in net.parameters(): p.requires_grad = False
    for p in body + head: p.requires_grad = True
    opt = torch.optim.AdamW([{"params": body, "lr": pace * 4e-4}, {"params": head, "lr": pace * 2e-3}], weight_decay=0.02)
    base = [g["lr"] for g in opt.param_groups]
    n = len(y); per = n // BATCH; steps = rounds * per; mean = lite0.Mean(); started = time.time()
    count = torch.bincount(y, minlength=len(CLASSES)).float(); weight = (count.mean() / count) ** 0.3
    for step in range(steps):
        if step % per == 0: order = rng.permutation(n)
        i = order[step % per * BATCH:][:BATCH]
        x = torch.from_numpy(feats[rng.integers(0, VIEWS, len(i)), i]).float(); t = F.one_hot(y[i], len(CLASSES)).float()
        if rng.random() < 0.5:   # two pictures in one: fewer certainties
            lam = float(rng.beta(0.3, 0.3)); j = torch.from_numpy(rng.permutation(len(i)))
            x, t = lam * x + (1 - lam) * x[j], lam * t + (1 - lam) * t[j]
        for g, lr in zip(opt.param_groups, base): g["lr"] = lr * lite0.cosine(step, steps)
        t = t * 0.95 + 0.05 / len(CLASSES)
        loss = -(t * weight * F.log_softmax(net(x), 1)).sum(1).mean()
        opt.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(body + head, 2.0); opt.step()
        if step >= steps * 0.6 and step % 10 == 9 or step == steps - 1: mean.add(net)
        if step % per == per - 1:
            seen = f", val {(lite0.logits(net, watch[0]).argmax(1) == watch[1]).float().mean():.4f}" if watch else ""
            print(f"{told} epoch {step // per + 1}/{rounds}: loss {loss.item():.3f}{seen}, {time.time() - started:.0f} s", flush=True); net.train()
    return mean.into(net)


def judge(model, t, pictures):
    s = lite0.session(model)
    return torch.from_numpy(np.concatenate([s.run(None, {"picture": lite0.tensor(plain(p))})[0] for p in pictures])) / t


def main():
    a = argparse.ArgumentParser(); a.add_argument("--data", type=pathlib.Path, required=True); a.add_argument("--threads", type=int, default=1)
    a = a.parse_args(); torch.set_num_threads(a.threads); cv2.setNumThreads(1)
    train, y = load(a.data / "train"); val, vy = load(a.data / "val")
    trunk = lite0.Net(len(CLASSES), CUT, 0.3).eval()
    ft, fv = views(trunk, train, 1), views(trunk, val, 2)
    print("features", ft.shape, fv.shape, flush=True)
    net = learn(ft, y, "train", (fv[0], vy))
    z = lite0.logits(net, fv[0]); t = lite0.temperature(z, vy)
    z = judge(lite0.export(net, SIZE), t, val)
    p, guess = z.softmax(1).max(1); right = guess == vy
    # the lowest bar at which what is still said is right 97 times in 100
    bar = next((b for b in np.arange(0.3, 0.96, 0.05) if right[p >= b].float().mean() >= 0.97), 0.95)
    said = p >= bar
    figures = {"val-accuracy": right.float().mean().item(), "val-log-loss": F.cross_entropy(z, vy).item(),
               "val-accuracy-when-sure": right[said].float().mean().item(), "val-share-sure": said.float().mean().item()}
    for c, name in enumerate(CLASSES): figures[f"val-recall-{name}"] = right[vy == c].float().mean().item()
    figures = {k: round(v, 4) for k, v in figures.items()}; print(t, bar, figures, flush=True)
    net = learn(np.concatenate([ft, fv], 1), torch.cat([y, vy]), "train and val", start=net)
    model = lite0.export(net, SIZE, about="waste"); (HERE / "model.onnx").write_bytes(model.SerializeToString())
    manifest.write(HERE, {"name": "waste", "version": VERSION, "title": {"en": "Kind of waste", "zh": "垃圾种类"}, "licence": "Apache-2.0",
                          "training-data": "TrashNet's official train and val lists (MIT), on the ImageNet weights of EfficientNet-Lite0 (Apache-2.0); never its test list"},
                   PICTURE, {"kind": "classifier", "softmax": True, "temperature": round(float(t), 3), "unsure-below": round(float(bar), 2), "labels": CLASSES},
                   {"picture": "RGB, (byte - 127) / 128", "logits": "one per class; softmax(logits / temperature) is the probability"}, figures,
                   "On TrashNet's val list (328 pictures), before the network went on to learn from them as well.")
    manifest.figures_into_card(HERE / "card.md", ["| on val, learnt from train alone | |", "| --- | --- |"] + [f"| {k} | {v} |" for k, v in figures.items()])


if __name__ == "__main__": main()
