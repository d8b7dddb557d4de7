"""Whom three networks that nobody here made still find in masked stills: the judge of tests/src/masked.rs.

    unseen.py judge NETWORKS SCORE BEFORE AFTER [BEFORE AFTER ..]
    unseen.py plates NETWORKS FOLDER PICTURE [PICTURE ..]

`judge` takes the folder of the networks, the least score, and for each still the picture as it was (in the size of the still) and
the still. They are shown each picture whole and in 2 x 2 tiles that overlap. For each still a line of JSON:
"before" and "after", who is found (what, score, left, top, right, bottom in pixels); "hidden", the share of the picture
that was changed; "elsewhere", the share that was changed of what lies away from all that was found before.

`plates` comes closer to each vehicle that is found in the pictures, paints a number plate on it, and writes two pictures: of all of
it, and cut off by the edge beside its plate.
"""

import json
import sys

import cv2
import numpy as np
import onnxruntime
from see import KINDS, suppressed

# What to look for: the kind in see.py, the file, and what its classes are called here.
NETWORKS = [
    ("yolox", "yolox_nano.onnx", {0: "person", 1: "vehicle", 2: "vehicle", 3: "vehicle", 5: "vehicle", 7: "vehicle"}),
    ("ultraface", "ultraface_rfb320.onnx", {0: "face"}),
    ("hyperlpr", "y5fu_320x_sim.onnx", {0: "plate", 1: "plate"}),
]
OVERLAP = 0.2  # of two neighbouring tiles, as a share of the picture
IOU = 0.45
MARGIN = 0.5  # of its size: what is around a thing may change with it
BLOCK, LEVELS = 8, 10  # a block of so many pixels has changed when it differs by so many levels on average


def views(picture):
    """The whole picture and its tiles, each with its left top corner."""
    height, width = picture.shape[:2]
    high, wide = int(height * (0.5 + OVERLAP / 2)), int(width * (0.5 + OVERLAP / 2))
    yield 0, 0, picture
    for top in (0, height - high):
        for left in (0, width - wide):
            yield left, top, picture[top : top + high, left : left + wide]


def found(sessions, picture, at_least):
    told = []
    for (kind, _, classes), session in zip(NETWORKS, sessions):
        name = session.get_inputs()[0].name
        for left, top, view in views(picture):
            boxes, scores = KINDS[kind](lambda x: session.run(None, {name: x}), np.ascontiguousarray(view))
            for *box, score, which in suppressed(boxes, scores, at_least, IOU)["kept"]:
                if which in classes:
                    x1, y1, x2, y2 = (a + b for a, b in zip(box, (left, top, left, top)))
                    told.append([classes[which], score, x1, y1, x2, y2])
    return told


def is_real(one, before):
    """A mosaic of a car may look like a plate: one that was not there before, for what is not hidden looks as it did."""
    return one[0] != "plate" or any(other[0] == "plate" and meet(one[2:], other[2:]) for other in before)


def meet(one, other):
    """Whether they are in the same place: intersection over union."""
    both = np.prod(np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both) > 0.3


def blocks(before, after):
    """Which blocks of a picture have changed."""
    apart = np.abs(before.astype(int) - after.astype(int)).mean(2)
    height, width = (side // BLOCK * BLOCK for side in apart.shape)
    apart = apart[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return apart.mean((1, 3)) > LEVELS


def away(boxes, shape):
    """Which blocks lie away from all boxes."""
    out = np.ones(shape, bool)
    for _, _, x1, y1, x2, y2 in boxes:
        across, down = (x2 - x1) * MARGIN, (y2 - y1) * MARGIN
        rows = slice(max(int((y1 - down) // BLOCK), 0), max(int((y2 + down) // BLOCK) + 1, 0))
        out[rows, max(int((x1 - across) // BLOCK), 0) : max(int((x2 + across) // BLOCK) + 1, 0)] = False
    return out


def plate(width):
    """A blue one with white signs, 440 mm x 140 mm (GA 36-2018)."""
    out = np.full((140, 440, 3), (160, 60, 20), np.uint8)
    cv2.rectangle(out, (5, 5), (434, 134), (255, 255, 255), 3)
    cv2.circle(out, (160, 75), 8, (255, 255, 255), -1)
    for text, left, size in (("A", 15, 3.2), ("B", 85, 3.2), ("12345", 180, 2.6)):
        cv2.putText(out, text, (left, 112), cv2.FONT_HERSHEY_DUPLEX, size, (255, 255, 255), 8)
    return cv2.resize(out, (width, width * 140 // 440), interpolation=cv2.INTER_AREA)


def plated(session, picture):
    """Each vehicle from near, with a plate; whole and cut off."""
    name = session.get_inputs()[0].name
    boxes, scores = KINDS["yolox"](lambda x: session.run(None, {name: x}), picture)
    for x1, y1, x2, y2, _, which in suppressed(boxes, scores, 0.5, IOU)["kept"]:
        if NETWORKS[0][2].get(which) != "vehicle" or x2 - x1 < 24:
            continue
        for is_cut in (False, True):
            left, top = max(int(x1 - (x2 - x1) * 0.7), 0), max(int(y1 - (x2 - x1) * 0.7), 0)
            right = x1 + (x2 - x1) * 0.72 if is_cut else x2 + (x2 - x1) * 0.7
            near = picture[top : int(y2 + (x2 - x1) * 0.7), left : int(right)]
            times = min(640 / near.shape[1], 480 / near.shape[0])
            near = cv2.resize(near, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
            sign = plate(int((x2 - x1) * 0.28 * times))
            x, y = int((x1 + (x2 - x1) * 0.4 - left) * times), int((y1 + (y2 - y1) * 0.68 - top) * times)
            near[y : y + sign.shape[0], x : x + sign.shape[1]] = sign[: near.shape[0] - y, : near.shape[1] - x]
            yield near


def opened(folder):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return [
        onnxruntime.InferenceSession(f"{folder}/{file}", options, providers=["CPUExecutionProvider"])
        for _, file, _ in NETWORKS
    ]


def judge(sessions, at_least, *pictures):
    for before, after in zip(pictures[::2], pictures[1::2]):
        before, after = cv2.imread(before), cv2.imread(after)
        boxes = found(sessions, before, float(at_least))
        changed = blocks(before, after)
        elsewhere = away(boxes, changed.shape)
        told = {
            "before": boxes,
            "after": [one for one in found(sessions, after, float(at_least)) if is_real(one, boxes)],
            "hidden": float(changed.mean()),
            "elsewhere": float(changed[elsewhere].mean()) if elsewhere.any() else 0.0,
        }
        print(json.dumps(told), flush=True)


def plates(sessions, folder, *pictures):
    made = (near for path in pictures for near in plated(sessions[0], cv2.imread(path)))
    for number, near in enumerate(made):
        cv2.imwrite(f"{folder}/plate-{number:03}.jpg", near, [cv2.IMWRITE_JPEG_QUALITY, 95])


if __name__ == "__main__":
    what, networks, *rest = sys.argv[1:]
    {"judge": judge, "plates": plates}[what](opened(networks), *rest)
