"""Anchors of MediaPipe's SSD, and their decoding as nodes at the end of the ONNX.

A model that is finished here gives `boxes` (left, top, right, bottom as fractions of the input picture) and `scores`
(0..1), so that its manifest needs no word about anchors.
"""
import numpy as np


def pyramid(width, height, side, layers=6, smallest=.2, largest=.95):
    """centre and size of the anchors of a six-layer SSD that was trained at `side` x `side`, as SsdAnchorsCalculator makes
    them with `reduce_boxes_in_lowest_layer`; at another size of input they keep their size in pixels"""
    scale = [smallest + (largest - smallest) * k / (layers - 1) for k in range(layers)] + [1.0]
    out, cols, rows = [], width, height
    for k in range(layers):
        cols, rows = (-(-n // (16 if k == 0 else 2)) for n in (cols, rows))
        shapes = [(scale[k] * r ** .5, scale[k] / r ** .5) for r in (1, 2, .5, 3, 1 / 3)] + [((scale[k] * scale[k + 1]) ** .5,) * 2]
        if k == 0: shapes = [(.1, .1)] + shapes[1:3]
        out += [((x + .5) / cols, (y + .5) / rows, w * side / width, h * side / height) for y in range(rows) for x in range(cols) for w, h in shapes]
    return np.array(out)


def decode(net, boxes, scores, anchors, order, scales, groups):
    """Adds the nodes; `order` is that of the four offsets, e.g. "yxhw"; `scales` divides x, y, w and h. Of the columns of
    `scores` each of `groups` becomes one, the highest of them. Gives the outputs."""
    name, (_, n, _), _ = net.tensors[boxes]
    assert n == len(anchors), (n, len(anchors))
    put = lambda a: net.put(np.asarray(a, np.float32).reshape(1, -1, 1))
    ints = lambda v: net.put(np.array([v], np.int64))
    part = {}
    for c, a, s in zip("xywh", anchors.T, scales):
        k = order.index(c)
        x = net.add("Slice", [name, ints(k), ints(k + 1), ints(2)])
        if c in "xy":
            size = anchors[:, 2 if c == "x" else 3]
            part[c] = net.add("Add", [net.add("Mul", [x, put(size / s)]), put(a)])
        else: part[c] = net.add("Mul", [net.add("Exp", [net.add("Mul", [x, net.put(np.float32(1 / s))])]), put(a / 2)])
    sides = [net.add("Sub", [part["x"], part["w"]]), net.add("Sub", [part["y"], part["h"]]), net.add("Add", [part["x"], part["w"]]), net.add("Add", [part["y"], part["h"]])]
    net.add("Concat", sides, "boxes", axis=2)
    logits = net.tensors[scores][0]
    columns = [[net.add("Slice", [logits, ints(c), ints(c + 1), ints(2)]) for c in g] for g in groups]
    net.add("Sigmoid", [net.add("Concat", [c[0] if len(c) == 1 else net.add("Max", c) for c in columns], axis=2)], "scores")
    return [("boxes", [1, n, 4]), ("scores", [1, n, len(groups)])]


def found(boxes, scores, bar, iou):
    """what is left after the bar and non-maximum suppression, class by class: (class, score, box)"""
    out = []
    for c in range(scores.shape[1]):
        order = [i for i in np.argsort(-scores[:, c]) if scores[i, c] >= bar]
        while order:
            i = order.pop(0); out.append((c, float(scores[i, c]), boxes[i])); order = [j for j in order if overlap(boxes[i], boxes[j]) <= iou]
    return out


def overlap(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0: return 0.0
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)
