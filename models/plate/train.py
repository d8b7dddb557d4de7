"""Trains `model.onnx`: where is a number plate in this picture? For masking; what stands on it is never asked.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python train.py --data FOLDER

No real plate is shown as one. FOLDER holds pictures of parked cars, whose own plates are too small to read and count as
background, and of things without plates (`cnrpark/A/busy`, `cnrpark/A/free`, `trashnet/train/*`); plates are drawn onto them by the proportions of GA 36-2018 and of the plates
of electric bicycles, in the colours of those and of other countries, with signs of a drawn font and strokes that look like one. Writes model.onnx, model.toml
and the figures in card.md beside this file. Seeded. About fifteen minutes of two cores.
"""
import argparse, multiprocessing, pathlib, sys, time
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
import cv2
from onnx import TensorProto as T, helper
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import lite0, manifest, ssd

VERSION, SEED = "1.0.0", 20260101
WIDTH, HEIGHT, STRIDE = 416, 312, 8
COLS, ROWS = WIDTH // STRIDE, HEIGHT // STRIDE
SCENES, BATCH, PACE = 5000, 16, 3e-3
NARROW, WIDE = 18, 260   # pixels of a plate's width
MEAN, STD = 127.5, 127.5
PICTURE = {"size": [WIDTH, HEIGHT], "layout": "nchw", "colour": "rgb", "fit": "letterbox-top-left", "filter": "antialiased", "pad": 0, "scale": 1.0, "mean": [MEAN] * 3, "std": [STD] * 3}
DECODE = {"kind": "rows", "boxes": "boxes", "scores": "scores", "box": "xyxy", "unit": "fraction", "score": 0.4, "iou": 0.4, "labels": ["plate"]}
# What is learnt leaves few scores near 0 and 1. They are stretched: 0.33, from which a plate is hidden, is what was 0.57, and 0.5, from which
# one counts as seen, is what was 0.7.
HIDDEN, STEEP, LOWER = .33, 1.324, 1.121
MARGIN = .15   # that masking adds on each side


# ------------------------------------------------------------------ scenes

def load(folder, kinds):
    return [[cv2.cvtColor(cv2.imread(str(f)), cv2.COLOR_BGR2RGB) for f in sorted(folder.glob(k))] for k in kinds]


def colour(rng): return tuple(float(c) for c in np.clip(rng.uniform(10, 245) + rng.normal(0, 25, 3), 0, 255))


FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_COMPLEX)
SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
# what is below and on top, for RGB: blue, yellow, green, white, black, red on white, white on green
STYLES = [((20, 60, 160), (250, 250, 250)), ((240, 190, 20), (10, 10, 10)), ((120, 205, 130), (15, 15, 15)), ((240, 240, 240), (15, 15, 15)),
          ((15, 15, 15), (240, 240, 240)), ((245, 245, 245), (180, 20, 20)), ((10, 110, 60), (245, 245, 245))]


def sign(rng, out, x, y, w, h, ink):
    """one sign in a box: of a font, or strokes as of a Chinese one"""
    if rng.random() < .8:
        font, text = FONTS[rng.integers(len(FONTS))], SIGNS[rng.integers(len(SIGNS))]
        thick = max(1, int(w * rng.uniform(.09, .22)))
        (tw, th), _ = cv2.getTextSize(text, font, 1, thick)
        page = np.zeros((th + thick * 2, tw + thick * 2), np.uint8)
        cv2.putText(page, text, (thick, th + thick), font, 1, 255, max(1, int(thick * tw / w)), cv2.LINE_AA)
        ys, xs = np.nonzero(page); page = page[ys.min():ys.max() + 1, xs.min():xs.max() + 1]
        mask = cv2.resize(page, (int(w), int(h)), interpolation=cv2.INTER_AREA if page.shape[0] > h else cv2.INTER_LINEAR)
    else:
        mask = np.zeros((int(h), int(w)), np.uint8)
        for _ in range(int(rng.integers(4, 9))):
            a = rng.uniform(0, 1, 2); b = np.clip(a + [(rng.choice([-1, 1]) * rng.uniform(.3, .9)), rng.normal(0, .06)][:: 1 if rng.random() < .55 else -1], 0, 1)
            cv2.line(mask, tuple((a * [w, h]).astype(int).tolist()), tuple((b * [w, h]).astype(int).tolist()), 255, max(1, int(w * .1)), cv2.LINE_AA)
    part = out[int(y):int(y) + int(h), int(x):int(x) + int(w)]; mask = mask[:part.shape[0], :part.shape[1], None] / 255
    part[:] = part * (1 - mask) + np.array(ink) * mask


def plate(rng):
    """one from the front, 440 pixels wide"""
    below, ink = STYLES[rng.choice(len(STYLES), p=[.32, .14, .16, .22, .06, .05, .05])]
    if rng.random() < .1: below, ink = colour(rng), colour(rng)
    below = np.clip(np.array(below) + rng.normal(0, 14, 3), 0, 255)
    two, high = rng.random() < .22, rng.choice([140, 140, 140, 120, 165])
    if two: high = int(rng.choice([220, 190, 260]))
    out = np.empty((high, 440, 3), np.float32); out[:] = below
    if ink[0] < 60 and rng.random() < .4:   # green from white
        out = out * (k := np.linspace(0, 1, high)[:, None, None] ** rng.uniform(.5, 1.5)) + 240 * (1 - k)
    if rng.random() < .75: cv2.rectangle(out, (6, 6), (433, high - 7), tuple(map(float, ink)), int(rng.integers(2, 7)))
    if rng.random() < .25:   # the band of a country at one side
        cv2.rectangle(out, (0, 0), (40, high), (20., 50., 160.), -1)
    rows = [(.10, .36, int(rng.integers(2, 5))), (.44, .48, int(rng.integers(4, 6)))] if two else [(rng.uniform(.12, .22), rng.uniform(.58, .72), int(rng.integers(5, 9)))]
    for top, part, many in rows:
        left, right = (rng.uniform(12, 48), rng.uniform(395, 430)) if part != .36 else (rng.uniform(60, 120), rng.uniform(320, 380))
        step = (right - left) / many; gap = rng.integers(1, many) if rng.random() < .7 else 0
        for i in range(many):
            sign(rng, out, left + i * step + (step * .12 if i >= gap else 0), high * top, step * .78, high * part, ink)
        if gap and not two: cv2.circle(out, (int(left + gap * step + step * .02), high // 2), 7, tuple(map(float, ink)), -1)
    for _ in range(int(rng.integers(0, 5))): cv2.circle(out, (int(rng.uniform(15, 425)), int(rng.choice([14, high - 14]))), int(rng.integers(3, 8)), colour(rng), -1)
    return out


def texture(rng, h, w):
    """what is like writing and is none: a grille, a fence, bricks, louvres, gravel, leaves"""
    kind, yy, xx = rng.random(), *np.mgrid[:h, :w].astype(np.float32)
    a = rng.normal(0, .2) + (np.pi / 2 if rng.random() < .5 else 0); long = rng.uniform(3, 22)
    along, across = xx * np.cos(a) + yy * np.sin(a), yy * np.cos(a) - xx * np.sin(a)
    if kind < .45: x = (np.sin(along * 2 * np.pi / long) > rng.uniform(-.8, .8)).astype(np.float32)
    elif kind < .65:
        row = np.floor(across / long); x = ((across % long < rng.uniform(1, 3)) | ((along + row % 2 * long) % (2 * long) < rng.uniform(1, 3))).astype(np.float32)
    else:
        n = int(rng.integers(20, 160)); x = cv2.resize(rng.random((n, n)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
        if rng.random() < .5: x = (x > rng.uniform(.3, .7)).astype(np.float32)
    x = cv2.GaussianBlur(x, (0, 0), rng.uniform(.3, 1.2))[..., None]
    return (np.float32(colour(rng)) * x + np.float32(colour(rng)) * (1 - x)).astype(np.float32)


def filled(rng, p, h, w):
    """a part of a picture, as large as that"""
    zoom = rng.uniform(.35, 1); ph, pw = p.shape[:2]; ch, cw = max(int(ph * zoom), 8), max(int(pw * zoom), 8)
    y, x = rng.integers(ph - ch + 1), rng.integers(pw - cw + 1)
    p = p[y:y + ch, x:x + cw]
    return cv2.resize(p[:, ::-1] if rng.random() < .5 else p, (w, h), interpolation=cv2.INTER_AREA if cw > w else cv2.INTER_CUBIC).astype(np.float32)


def scene(rng, pictures, widths=(NARROW, WIDE)):
    """a picture, and the plates in it: left, top, right, bottom in pixels"""
    pick = lambda: (g := pictures[rng.integers(len(pictures))])[rng.integers(len(g))]
    x = filled(rng, pick(), HEIGHT, WIDTH) if rng.random() < .85 else texture(rng, HEIGHT, WIDTH)
    for _ in range(int(rng.integers(0, 5))):
        w, h = int(WIDTH * rng.uniform(.1, .6)), int(HEIGHT * rng.uniform(.1, .6)); left, top = int(rng.integers(WIDTH - w)), int(rng.integers(HEIGHT - h))
        x[top:top + h, left:left + w] = texture(rng, h, w) if rng.random() < .35 else filled(rng, pick(), h, w)
    for _ in range(int(rng.integers(0, 6))):
        ends = [tuple((rng.uniform(-.1, 1.1, 2) * [WIDTH, HEIGHT]).astype(int).tolist()) for _ in range(2)]
        (cv2.rectangle if rng.random() < .5 else cv2.line)(x, *ends, colour(rng), int(rng.integers(1, 7)))
    boxes = []
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[.25, .4, .2, .15]))):
        p = plate(rng); w = float(np.exp(rng.uniform(*np.log(widths)))); h = w * p.shape[0] / 440
        a, k = np.deg2rad(rng.normal(0, 9)), rng.normal(0, .1); squeeze = rng.uniform(.55, 1) if rng.random() < .4 else 1.0
        turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ np.array([[squeeze, 0], [rng.normal(0, .12), 1]])
        own = np.array([[-w, -h * (1 + k)], [w, -h * (1 - k)], [w, h * (1 - k)], [-w, h * (1 + k)]]) / 2 @ turn.T
        half = np.abs(own).max(0)
        if (half * 2 > [WIDTH * .95, HEIGHT * .9]).any(): continue
        corners = own + rng.uniform(half * .9, [WIDTH, HEIGHT] - half * .9)
        box = np.array([*corners.min(0), *corners.max(0)])
        cx, cy = (box[:2] + box[2:]) / 2; grow = rng.uniform(.55, 1.4, 4) * [w, h * 2, w, h * 2]
        area = np.array([cx - grow[0], cy - grow[1], cx + grow[2], cy + grow[3]]).astype(int).clip(0, [WIDTH, HEIGHT] * 2)
        if any(ssd.overlap(hull, other) > 0 for hull in (area, box) for other in boxes): continue
        if rng.random() < .75:   # what it is fixed to: a bumper, a mudguard, with an edge or two
            part = x[area[1]:area[3], area[0]:area[2]]
            if part.size:
                shade = np.linspace(1, rng.uniform(.5, 1.3), part.shape[0])[:, None, None]
                part[:] = np.array(colour(rng)) * shade
                if rng.random() < .3 and min(part.shape[:2]) > 12:
                    row = slice(0, part.shape[0] // 3) if rng.random() < .6 else slice(part.shape[0] * 3 // 4, None)
                    part[row] = texture(rng, *part[row].shape[:2])
                for _ in range(int(rng.integers(0, 4))): cv2.line(x, (int(area[0]), y := int(rng.uniform(area[1], area[3] + 1))), (int(area[2]), y), colour(rng), int(rng.integers(1, 5)))
        size = (max(int(w * 1.5), 4), max(int(h * 1.5), 3)); p = cv2.resize(p, size, interpolation=cv2.INTER_AREA)
        p = p * rng.uniform(.45, 1.1) + rng.normal(0, 8)
        if rng.random() < .25:   # a shadow, dirt, a light
            p = p * (1 - cv2.resize(rng.random((3, 5)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)[..., None] * rng.uniform(.2, .7))
        to = cv2.getPerspectiveTransform(np.float32([[0, 0], [size[0], 0], size, [0, size[1]]]), corners.astype(np.float32))
        mask = cv2.warpPerspective(np.ones(size[::-1], np.float32), to, (WIDTH, HEIGHT))[..., None]
        here = np.s_[max(int(box[1]) - 1, 0):int(box[3]) + 2, max(int(box[0]) - 1, 0):int(box[2]) + 2]
        x[here] = x[here] * (1 - mask[here]) + cv2.warpPerspective(p.astype(np.float32), to, (WIDTH, HEIGHT))[here] * mask[here]
        boxes.append(box)
    x = seen(rng, x / 255)
    if rng.random() < .12:   # an upright picture, and the padding beside it
        edge = int(WIDTH * rng.uniform(.55, .9)); x[:, edge:] = 0; boxes = [np.minimum(b, [edge, HEIGHT] * 2) for b in boxes if (b[0] + b[2]) / 2 < edge]
    return x, boxes


def seen(rng, x):
    """as a camera makes it: light, weather, lens, noise, JPEG"""
    dark = rng.random() < .1; light, bend, much, more = (np.float32(v) for v in (rng.uniform(.25, .6) if dark else 1, np.exp(rng.normal(0, .3)) * (rng.uniform(1.2, 2) if dark else 1), np.exp(rng.normal(0, .25)), rng.normal(0, .08)))
    levels = (np.clip((np.linspace(0, 1, 256, dtype=np.float32) ** bend - .5) * much + .5 + more, 0, 1) * light)
    x = levels[np.clip(x * 255, 0, 255).astype(np.uint8)] * np.exp(rng.normal(0, .08, 3)).astype(np.float32)
    if rng.random() < .6: grey = x.mean(2, keepdims=True); x = grey + (x - grey) * np.float32(0 if rng.random() < .25 else rng.uniform(.3, 1.5))
    if rng.random() < .35:
        n = rng.uniform(.5, .95); x = cv2.resize(cv2.resize(x, (int(WIDTH * n), int(HEIGHT * n)), interpolation=cv2.INTER_AREA), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    if rng.random() < .35: x = cv2.GaussianBlur(x, (0, 0), rng.uniform(.3, 1.1))
    if rng.random() < .12:
        kernel = np.zeros((7, 7), np.float32); b = rng.integers(0, 7, 2); cv2.line(kernel, tuple(b.tolist()), tuple((6 - b).tolist()), 1.0, 1); x = cv2.filter2D(x, -1, kernel / kernel.sum())
    if rng.random() < .3: x = cv2.addWeighted(x, 1.8, cv2.GaussianBlur(x, (0, 0), 1.2), -.8, 0)
    if rng.random() < .4: x = x + rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(.01, .05))
    p = (np.clip(x, 0, 1) * 255).astype(np.uint8)
    if rng.random() < .5: p = cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])[1], cv2.IMREAD_COLOR)
    return p.copy()


# ------------------------------------------------------------------ network

def norm(c): return nn.BatchNorm2d(c)


class Part(nn.Module):
    """A depthwise convolution and one of single pixels"""
    def __init__(self, a, b, stride=1, apart=1):
        super().__init__()
        self.deep, self.bn1 = nn.Conv2d(a, a, 3, stride, apart, apart, groups=a, bias=False), norm(a)
        self.wide, self.bn2 = nn.Conv2d(a, b, 1, bias=False), norm(b)
        self.skip = stride == 1 and a == b

    def forward(self, x):
        y = F.relu(self.bn2(self.wide(F.relu(self.bn1(self.deep(x))))))
        return x + y if self.skip else y


class Net(nn.Module):
    """For each 8 x 8 pixels how likely they are the middle of a plate, and how far its four sides are"""
    def __init__(self):
        super().__init__()
        self.stem, self.bn = nn.Conv2d(3, 16, 3, 2, 1, bias=False), norm(16)
        self.parts = nn.Sequential(Part(16, 32), Part(32, 32, 2), Part(32, 32), Part(32, 64, 2), *(Part(64, 64, apart=k) for k in (1, 2, 1, 4, 1, 8, 1)))
        self.head = nn.Conv2d(64, 5, 1); nn.init.constant_(self.head.bias, -3.0); nn.init.constant_(self.head.bias[1:], 1.0)

    def forward(self, x): return self.head(self.parts(F.relu(self.bn(self.stem(x)))))


def export(net):
    g = lite0.Graph(True); net = net.eval()

    def conv(x, c, bn):
        k = (bn.weight / torch.sqrt(bn.running_var + bn.eps)).detach().double() if bn else torch.ones(c.out_channels).double()
        w = (c.weight.detach().double() * k[:, None, None, None]).numpy()
        b = (bn.bias.detach().double() - bn.running_mean.double() * k) if bn else c.bias.detach().double()
        p = list(c.padding) * 2
        y = g.add("Conv", [x, g.weight(w), g.put("b", b.numpy().astype(np.float32))], kernel_shape=list(c.kernel_size), strides=list(c.stride), dilations=list(c.dilation), group=c.groups, pads=p)
        return g.add("Relu", [y]) if bn else y

    x = conv("picture", net.stem, net.bn)
    for part in net.parts:
        y = conv(conv(x, part.deep, part.bn1), part.wide, part.bn2)
        x = g.add("Add", [x, y]) if part.skip else y
    n = ROWS * COLS; ints = lambda *v: g.put("i", np.array(v, np.int64))
    x = g.add("Reshape", [conv(x, net.head, None), ints(1, 5, n)])
    part = lambda i: g.add("Slice", [x, ints(i), ints(i + 1), ints(1)])
    stretched = g.add("Sub", [g.add("Mul", [part(0), g.put("k", np.float32(STEEP))]), g.put("k", np.float32(LOWER))])
    g.add("Reshape", [g.add("Sigmoid", [stretched]), ints(1, n, 1)], "scores")
    centre = {"x": np.tile((np.arange(COLS) + .5) * STRIDE / WIDTH, ROWS), "y": np.repeat((np.arange(ROWS) + .5) * STRIDE / HEIGHT, COLS)}
    sides = []
    for i, (axis, pixels, way) in enumerate((("x", WIDTH, "Sub"), ("y", HEIGHT, "Sub"), ("x", WIDTH, "Add"), ("y", HEIGHT, "Add"))):
        far = g.add("Mul", [g.add("Exp", [part(i + 1)]), g.put("s", np.float32(STRIDE / pixels))])
        sides.append(g.add(way, [g.put("m", centre[axis].astype(np.float32).reshape(1, 1, n)), far]))
    g.add("Transpose", [g.add("Concat", sides, axis=1)], "boxes", perm=[0, 2, 1])
    info = lambda name, shape: helper.make_tensor_value_info(name, T.FLOAT, shape)
    return g.model([info("picture", [1, 3, HEIGHT, WIDTH])], [info("boxes", [1, n, 4]), info("scores", [1, n, 1])], "plate")


# ------------------------------------------------------------------ learning

def target(boxes):
    """for each cell 1 in the middle of a plate, -1 elsewhere on it, else 0; and the plate's box"""
    is_in, box = np.zeros((ROWS, COLS), np.float32), np.zeros((4, ROWS, COLS), np.float32)
    x, y = (np.arange(COLS) + .5) * STRIDE, (np.arange(ROWS) + .5)[:, None] * STRIDE
    for b in boxes:
        cx, cy, w, h = (b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]
        on = (abs(x - cx) < w / 2 + 4) & (abs(y - cy) < h / 2 + 4); middle = (abs(x - cx) < w * .22) & (abs(y - cy) < h * .3)
        middle[min(int(cy // STRIDE), ROWS - 1), min(int(cx // STRIDE), COLS - 1)] = True
        is_in[on & (is_in == 0)] = -1; is_in[middle] = 1; box[:, middle] = np.array(b, np.float32)[:, None]
    return is_in, box


def loss(z, is_in, box):
    p, yes = torch.sigmoid(z[:, 0]), (is_in == 1).float()
    even = F.binary_cross_entropy_with_logits(z[:, 0], yes, reduction="none") * torch.where(yes == 1, .6 * (1 - p) ** 2, .4 * p ** 2)
    x = (torch.arange(COLS) + .5) * STRIDE; y = (torch.arange(ROWS) + .5)[:, None] * STRIDE
    many = yes.sum().clamp(min=1)
    l, t, r, b = torch.exp(z[:, 1:].clamp(-4, 4.5)).unbind(1)
    tl, tt, tr, tb = ((d / STRIDE).clamp(min=.05) for d in (x - box[:, 0], y - box[:, 1], box[:, 2] - x, box[:, 3] - y))
    both = (torch.minimum(l, tl) + torch.minimum(r, tr)) * (torch.minimum(t, tt) + torch.minimum(b, tb))
    iou = both / ((l + r) * (t + b) + (tl + tr) * (tt + tb) - both)
    return (even * (is_in >= 0)).sum() / many + ((1 - iou) * yes).sum() / many


def batch(seed):
    rng = np.random.default_rng((SEED, seed)); out = [(p, *target(b)) for p, b in (scene(rng, KEPT) for _ in range(BATCH))]
    return [np.stack(part) for part in zip(*out)]


def learn(pictures, scenes, workers):
    global KEPT
    KEPT = pictures; cv2.setNumThreads(1); torch.manual_seed(SEED); net = Net().to(memory_format=torch.channels_last); steps = scenes // BATCH * 2
    opt = torch.optim.AdamW(net.parameters(), lr=PACE, weight_decay=.01); mean, started, said = lite0.Mean(), time.time(), 0.0
    with multiprocessing.get_context("fork").Pool(workers) as pool:
      # Each scene is seen twice, the second time in a mirror: it takes as long to draw as to learn from.
      for step, (turn, (x, is_in, box)) in enumerate((turn, b) for b in pool.imap(batch, range(steps // 2)) for turn in range(2)):
        for g in opt.param_groups: g["lr"] = PACE * lite0.cosine(step, steps)
        x = torch.from_numpy(((x.astype(np.float32) - MEAN) / STD).transpose(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)
        is_in, box = torch.from_numpy(is_in), torch.from_numpy(box)
        if turn % 2: x, is_in, box = x.flip(3), is_in.flip(2), torch.stack([WIDTH - box[:, 2], box[:, 1], WIDTH - box[:, 0], box[:, 3]], 1).flip(3)
        l = loss(net(x), is_in, box)
        opt.zero_grad(); l.backward(); torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0); opt.step(); said += l.item()
        if step >= steps * .9 and step % 5 == 0 or step == steps - 1: mean.add(net)
        if step % 50 == 49: print(f"{step + 1}/{steps}: loss {said / 50:.3f}, {time.time() - started:.0f} s", flush=True); said = 0.0
    return mean.into(net)


def figures(pictures, scenes=120):
    """of plates so wide how many are covered to four fifths, and how many boxes there are a picture where there is no plate"""
    _, run = manifest.runner(HERE); out, rng = {}, np.random.default_rng(7); wrong = count = 0
    for low, high in ((20, 28), (28, 40), (40, 70), (70, 120), (120, 250)):
        covered = many = 0
        for _ in range(scenes):
            p, boxes = scene(rng, pictures, (low, high)); o = run(manifest.prepare(p, PICTURE, resize=False))
            got = [(b + MARGIN * np.tile(b[2:] - b[:2], 2) * [-1, -1, 1, 1]) * np.tile([WIDTH, HEIGHT], 2) for _, _, b in ssd.found(o["boxes"][0], o["scores"][0], HIDDEN, DECODE["iou"])]
            inside = lambda a, b: max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0) / ((a[2] - a[0]) * (a[3] - a[1]))
            covered += sum(any(inside(b, g) > .8 for g in got) for b in boxes); many += len(boxes)
            if not boxes: wrong += len(got); count += 1
        out[f"plates-{low}-to-{high}-pixels-of-{WIDTH}-covered"] = round(covered / many, 3)
    out["others-a-picture-without-plates"] = round(wrong / count, 2)
    return out


def main():
    a = argparse.ArgumentParser(); a.add_argument("--data", type=pathlib.Path, required=True); a.add_argument("--workers", type=int, default=2); a.add_argument("--scenes", type=int, default=SCENES)
    a = a.parse_args(); torch.set_num_threads(1)
    pictures = load(a.data, ("cnrpark/A/busy/*.jpg", "cnrpark/A/free/*.jpg", "trashnet/train/*/*.jpg"))
    kept, held = [g[: len(g) * 9 // 10] for g in pictures], [g[len(g) * 9 // 10 :] for g in pictures]
    (HERE / "model.onnx").write_bytes(export(learn(kept, a.scenes, a.workers)).SerializeToString())
    head = {"name": "plate", "version": VERSION, "title": {"en": "Number plates, for masking", "zh": "车牌（用于遮挡）"}, "licence": "Apache-2.0",
            "training-data": "plates drawn on CNRPark camera A (ODbL 1.0) and TrashNet (MIT)"}
    units = {"picture": "RGB, (byte - 127.5) / 127.5", "boxes": "left, top, right, bottom as fractions of the input, one row a cell of 8 x 8 pixels", "scores": "0..1, one column"}
    say = "Drawn plates in pictures that were kept back: so many are covered to four fifths."
    manifest.write(HERE, head, PICTURE, DECODE, units, {}, say)
    manifest.write(HERE, head, PICTURE, DECODE, units, numbers := figures(held), say); print(numbers)
    if (HERE / "card.md").exists(): manifest.figures_into_card(HERE / "card.md", ["| | |", "| --- | --- |"] + [f"| {k} | {v} |" for k, v in numbers.items()])


if __name__ == "__main__": main()
