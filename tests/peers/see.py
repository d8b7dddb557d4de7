"""What the authors of four networks see in pictures, by their own formulas: the judge of tests/src/sight.rs.

Arguments: a model's kind, its file, the least score, the most overlap, pictures. For each picture a line of JSON
with "kept" and, before suppression, "all": boxes as x1, y1, x2, y2 in pixels of the picture, score, class. OpenCV reads and resizes, ONNX Runtime infers, NumPy does the rest.
"""

import json
import sys

import cv2
import numpy as np
import onnxruntime


def letterbox(picture, side, pad, is_centred):
    ratio = min(side / picture.shape[0], side / picture.shape[1])
    height, width = int(picture.shape[0] * ratio), int(picture.shape[1] * ratio)
    top, left = ((side - height) // 2, (side - width) // 2) if is_centred else (0, 0)
    out = np.full((side, side, 3), pad, np.uint8)
    out[top : top + height, left : left + width] = cv2.resize(picture, (width, height))
    return out, ratio, left, top


def planes(pixels):
    return np.ascontiguousarray(pixels.astype(np.float32).transpose(2, 0, 1)[None])


def corners(boxes):
    half = boxes[:, 2:4] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], 1)


def yolox(ask, bgr):
    pixels, ratio, _, _ = letterbox(bgr, 416, 114, False)
    (out,) = ask(planes(pixels))
    grids, strides = [], []
    for stride in (8, 16, 32):
        cells = 416 // stride
        x, y = np.meshgrid(np.arange(cells), np.arange(cells))
        grids.append(np.stack([x, y], 2).reshape(-1, 2))
        strides.append(np.full((cells * cells, 1), stride))
    grids, strides = np.concatenate(grids), np.concatenate(strides)
    rows = out[0]
    boxes = np.concatenate([(rows[:, :2] + grids) * strides, np.exp(rows[:, 2:4]) * strides], 1)
    return corners(boxes) / ratio, rows[:, 4:5] * rows[:, 5:]


def fastestdet(ask, bgr):
    (out,) = ask(planes(cv2.resize(bgr, (352, 352)) / np.float32(255)))
    grid = out[0].transpose(1, 2, 0)
    height, width = grid.shape[:2]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    centre = np.stack([(x + np.tanh(grid[..., 1])) / width, (y + np.tanh(grid[..., 2])) / height], 2)
    size = 1 / (1 + np.exp(-grid[..., 3:5]))
    boxes = np.concatenate([centre, size], 2).reshape(-1, 4)
    scores = grid[..., :1] ** 0.6 * grid[..., 5:] ** 0.4
    wide = [bgr.shape[1], bgr.shape[0]] * 2
    return corners(boxes) * wide, scores.reshape(-1, scores.shape[2])


def ultraface(ask, bgr):
    pixels = cv2.resize(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), (320, 240))
    scores, boxes = ask(planes((pixels.astype(np.float32) - 127) / 128))
    return boxes[0] * ([bgr.shape[1], bgr.shape[0]] * 2), scores[0][:, 1:]


def hyperlpr(ask, bgr):
    pixels, ratio, left, top = letterbox(bgr, 320, 0, True)
    (out,) = ask(planes(pixels[..., ::-1] / np.float32(255)))
    boxes = (corners(out[0]) - [left, top, left, top]) / ratio
    return boxes, out[0][:, 4:5] * out[0][:, 13:15]


def suppressed(boxes, scores, at_least, most):
    """Non-maximum suppression within each class, each box with its best class alone."""
    classes, best = scores.argmax(1), scores.max(1)
    kept = []
    for one in sorted(np.flatnonzero(best >= at_least), key=lambda i: -best[i]):
        for other in kept:
            if classes[one] != classes[other]:
                continue
            low, high = np.maximum(boxes[one, :2], boxes[other, :2]), np.minimum(boxes[one, 2:], boxes[other, 2:])
            both = np.prod(np.maximum(high - low, 0))
            areas = np.prod(boxes[one, 2:] - boxes[one, :2]) + np.prod(boxes[other, 2:] - boxes[other, :2])
            if both / (areas - both) > most:
                break
        else:
            kept.append(one)
    told = lambda i: [*map(float, boxes[i]), float(best[i]), int(classes[i])]
    everything = np.flatnonzero(best >= at_least * 0.8)
    return {"kept": [told(i) for i in kept], "all": [told(i) for i in everything]}


KINDS = {"yolox": yolox, "fastestdet": fastestdet, "ultraface": ultraface, "hyperlpr": hyperlpr}


def main():
    kind, model, at_least, most, *pictures = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for path in pictures:
        bgr = cv2.imread(path, cv2.IMREAD_COLOR)
        boxes, scores = KINDS[kind](lambda x: session.run(None, {name: x}), bgr)
        print(json.dumps(suppressed(boxes, scores, float(at_least), float(most))))


if __name__ == "__main__":
    main()
