"""Whom three networks that nobody here made still find in masked stills: the judge of tests/src/masked.rs.

    unseen.py judge NETWORKS SCORE BEFORE AFTER [BEFORE AFTER ..]
    unseen.py plates NETWORKS FOLDER PICTURE [PICTURE ..]
    unseen.py legible PLACE BEFORE AFTER [PLACE BEFORE AFTER ..]

`judge` takes the folder of the networks, the least score, and for each still the picture as it was (in the size of the still) and
the still. They are shown each picture whole and in 2 x 2 tiles that overlap. For each still a line of JSON:
"before" and "after", who is found, and "made", what the mosaics made (what, score, left, top, right, bottom in pixels); "hidden", the share of the picture
that was changed; "elsewhere", the share that was changed of what lies away from all that was found before.

`plates` comes closer to each vehicle that is found in the pictures, paints a number plate on it, and writes three pictures: of all of
it, cut off by the edge beside its plate, and so close that there is little more than the plate (`close-*.jpg`); and beside each
where the plate is.

`legible` takes such a place, the picture and its still. For each a line of JSON: the correlation of light and dark there, 1 where the
plate is as it was.
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
HARDLY = 0.1  # the least score of what was like a face or a plate before
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
    """What is not hidden looks as it did. So a face or a plate where nothing was like one is made by the mosaics, of a car or of
    a strip of gravel between two. A person counts in any case: one who stood behind others may come out when they are hidden."""
    return one[0] == "person" or any(other[0] == one[0] and meet(one[2:], other[2:]) for other in before)


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
    """Each vehicle from near, with a plate, and where that is: left, top, right, bottom as shares of the picture."""
    name = session.get_inputs()[0].name
    boxes, scores = KINDS["yolox"](lambda x: session.run(None, {name: x}), picture)
    for x1, y1, x2, y2, _, which in suppressed(boxes, scores, 0.5, IOU)["kept"]:
        if NETWORKS[0][2].get(which) != "vehicle" or x2 - x1 < 24:
            continue
        wide = x2 - x1
        sign = np.array([x1 + wide * 0.4, y1 + (y2 - y1) * 0.68]), wide * 0.28
        whole = x1 - wide * 0.7, y1 - wide * 0.7, x2 + wide * 0.7, y2 + wide * 0.7
        cut = *whole[:2], x1 + wide * 0.72, whole[3]
        close = sign[0][0] - wide * 0.2, sign[0][1] - wide * 0.22, sign[0][0] + wide * 0.48, sign[0][1] + wide * 0.29
        for left, top, right, bottom in (whole, cut, close):
            corner = np.array([max(int(left), 0), max(int(top), 0)])
            near = picture[corner[1] : int(bottom), corner[0] : int(right)]
            times = min(640 / near.shape[1], 480 / near.shape[0])
            near = cv2.resize(near, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
            painted = plate(int(sign[1] * times))
            x, y = ((sign[0] - corner) * times).astype(int)
            high, across = near[y : y + painted.shape[0], x : x + painted.shape[1]].shape[:2]
            near[y : y + high, x : x + across] = painted[:high, :across]
            shares = np.array([x, y, x + across, y + high]) / np.tile(near.shape[1::-1], 2)
            yield near, shares.tolist()


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
        hardly = found(sessions, before, HARDLY)
        boxes = [one for one in hardly if one[1] >= float(at_least)]
        left = found(sessions, after, float(at_least))
        changed = blocks(before, after)
        elsewhere = away(boxes, changed.shape)
        told = {
            "before": boxes,
            "after": [one for one in left if is_real(one, hardly)],
            "made": [one for one in left if not is_real(one, hardly)],
            "hidden": float(changed.mean()),
            "elsewhere": float(changed[elsewhere].mean()) if elsewhere.any() else 0.0,
        }
        print(json.dumps(told), flush=True)


def plates(sessions, folder, *pictures):
    made = (near for path in pictures for near in plated(sessions[0], cv2.imread(path)))
    for number, (near, where) in enumerate(made):
        name = f"{folder}/{'close' if number % 3 == 2 else 'plate'}-{number:03}"
        cv2.imwrite(f"{name}.jpg", near, [cv2.IMWRITE_JPEG_QUALITY, 95])
        with open(f"{name}.json", "w") as file:
            json.dump(where, file)


def legible(*files):
    """White on blue is light and dark where it was; the mean colour of a mosaic's cells is not."""
    for where, before, after in zip(files[::3], files[1::3], files[2::3]):
        with open(where) as file:
            shares = json.load(file)
        levels = []
        for picture in (cv2.imread(before, cv2.IMREAD_GRAYSCALE), cv2.imread(after, cv2.IMREAD_GRAYSCALE)):
            x1, y1, x2, y2 = (round(share * side) for share, side in zip(shares, picture.shape[::-1] * 2))
            part = picture[y1:y2, x1:x2].astype(float)
            levels.append((part - part.mean()).ravel())
        one, other = levels
        length = np.linalg.norm(one) * np.linalg.norm(other)
        print(json.dumps(float(one @ other / length) if length > 0 else 0.0), flush=True)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "legible":
        legible(*rest)
    else:
        {"judge": judge, "plates": plates}[what](opened(rest[0]), *rest[1:])
