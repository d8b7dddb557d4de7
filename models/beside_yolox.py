"""How many people and vehicles a model of boxes finds, beside YOLOX-nano on the same frames of a video.

    venv/bin/python beside_yolox.py road-users --video vtest.avi --yolox yolox_nano.onnx

YOLOX-nano stands in for the truth where it is sure (0.45 and above), so a figure of 1.0 means "as good as YOLOX-nano". The
frames are also shown smaller, on grey, to see how small a person may be. `vtest.avi` is in Debian's package opencv-doc; four
things in it that YOLOX-nano takes for people and that never move are left out.
"""
import argparse, pathlib
import cv2, numpy as np, onnxruntime as ort
import manifest, ssd

NOT_PEOPLE = [(38, 125), (168, 195), (444, 190), (300, 195), (604, 135)]
VEHICLES = {2, 3, 5, 7}


def yolox(path):
    s = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    grid = np.concatenate([np.stack([*np.meshgrid(range(416 // d), range(416 // d)), np.full((416 // d, 416 // d), 0)], -1).reshape(-1, 3) + [0, 0, d] for d in (8, 16, 32)])

    def run(rgb):
        h, w = rgb.shape[:2]; k = min(416 / w, 416 / h); page = np.full((416, 416, 3), 114, np.uint8)
        page[:int(h * k), :int(w * k)] = cv2.resize(rgb, (int(w * k), int(h * k)))
        o = s.run(None, {s.get_inputs()[0].name: page[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32)})[0][0]
        centre, size = (o[:, :2] + grid[:, :2]) * grid[:, 2:], np.exp(o[:, 2:4]) * grid[:, 2:]
        return ssd.found(np.c_[centre - size / 2, centre + size / 2] / k, o[:, 4:5] * o[:, 5:13], .45, .5)
    return run


def frames(path, every):
    video, i = cv2.VideoCapture(str(path)), 0
    while (got := video.read())[0]:
        if i % every == 5: yield got[1][:, :, ::-1]
        i += 1


def main():
    a = argparse.ArgumentParser(); a.add_argument("model", type=pathlib.Path); a.add_argument("--video", required=True); a.add_argument("--yolox", required=True)
    a.add_argument("--every", type=int, default=40); a = a.parse_args()
    m, run = manifest.runner(a.model); d, how = m["decode"], m["picture"]; teacher = yolox(a.yolox); total = {}
    for rgb in frames(a.video, a.every):
        h, w = rgb.shape[:2]; truth = []
        for c, _, b in teacher(rgb):
            still = any(abs((b[0] + b[2]) / 2 - x) < 14 and abs((b[1] + b[3]) / 2 - y) < 14 for x, y in NOT_PEOPLE)
            if c == 0 and not still: truth.append(("person", b))
            if c in VEHICLES: truth.append(("vehicle", b))
        for k in (1.0, .75, .5, .35):
            page = np.full_like(rgb, 114); page[:round(h * k), :round(w * k)] = cv2.resize(rgb, (round(w * k), round(h * k)), interpolation=cv2.INTER_AREA)
            out = run(manifest.prepare(page, how))
            got = [(d["labels"][c], b * [w, h, w, h] / k) for c, s, b in ssd.found(out["boxes"][0], out["scores"][0], d["score"], d["iou"])]
            for label in {"person", "vehicle"} & set(d["labels"]):
                true, mine = [b for l, b in truth if l == label], [b for l, b in got if l == label]
                t = total.setdefault((label, k), [0, 0, 0, 0, []])
                t[0] += 1; t[1] += len(true); t[2] += sum(any(ssd.overlap(b, x) > .35 for x in mine) for b in true)
                t[3] += sum(not any(ssd.overlap(b, x) > .3 for x in true) for b in mine); t[4] += [(b[3] - b[1]) * k for b in true]
    for (label, k), (n, true, hit, extra, heights) in sorted(total.items(), reverse=True):
        print(f"{label}, frames at {k:.0%}, {np.percentile(heights, 10):.0f} to {np.percentile(heights, 90):.0f} pixels high: found {hit / true:.3f} of {true}, {extra / n:.2f} others a frame")


if __name__ == "__main__": main()
