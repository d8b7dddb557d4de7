"""Writes a picture model's `model.toml`, and reads one: the preparation of a picture as the manifest says it.

`noise` is the picture that every engine can make for itself, so that a manifest can hold what the network says of it.
"""
import hashlib, pathlib, re, tomllib
import numpy as np


def noise(seed, width, height):
    """height x width x 3 bytes of a linear congruential generator, in that order"""
    x, out = seed, bytearray(width * height * 3)
    for i in range(len(out)):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = x >> 24
    return np.frombuffer(bytes(out), np.uint8).reshape(height, width, 3)


def prepare(rgb, how, resize=True):
    """RGB bytes to the input tensor, as the table [picture] says"""
    from PIL import Image
    w, h = how["size"]
    if resize and rgb.shape[:2] != (h, w):
        image, fit, pad = Image.fromarray(rgb), how["fit"], how.get("pad", 0)
        assert how["filter"] == "antialiased", how["filter"]   # what Pillow's BILINEAR is
        if fit == "stretch":
            rgb = np.asarray(image.resize((w, h), Image.BILINEAR))
        else:
            k = min(w / image.width, h / image.height) if fit.startswith("letterbox") else max(w / image.width, h / image.height)
            s = image.resize((max(1, int(image.width * k)), max(1, int(image.height * k))), Image.BILINEAR)
            page, centre = Image.new("RGB", (w, h), (pad,) * 3), not fit.endswith("top-left")
            page.paste(s, ((w - s.width) // 2, (h - s.height) // 2) if centre else (0, 0))
            rgb = np.asarray(page)
    if how["colour"] == "bgr": rgb = rgb[:, :, ::-1]
    x = (rgb.astype(np.float32) * how["scale"] - np.float32(how["mean"])) / np.float32(how["std"])
    return np.ascontiguousarray((x.transpose(2, 0, 1) if how["layout"] == "nchw" else x)[None])


def runner(folder):
    """The manifest of a model's folder, and a function from an input tensor to its outputs by name"""
    import onnxruntime as ort
    m = tomllib.loads((pathlib.Path(folder) / "model.toml").read_text())
    o = ort.SessionOptions(); o.intra_op_num_threads = 1; o.log_severity_level = 3
    s = ort.InferenceSession(str(pathlib.Path(folder) / m["file"]), o, providers=["CPUExecutionProvider"])
    names = [v.name for v in s.get_outputs()]
    return m, lambda x: dict(zip(names, s.run(names, {s.get_inputs()[0].name: x})))


def value(v):
    if isinstance(v, bool): return str(v).lower()
    if isinstance(v, str): return '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(v, dict): return "{ " + ", ".join(f"{k} = {value(x)}" for k, x in v.items()) + " }"
    if isinstance(v, (list, tuple)): return "[" + ", ".join(value(x) for x in v) + "]"
    if isinstance(v, (float, np.floating)): return repr(round(float(v), 6))
    return str(int(v))


def table(head, rows): return "\n".join([head] + [f"{k} = {value(v)}" for k, v in rows.items()])


def write(folder, head, picture, decode, units, figures, figures_say, seeds=((1, "noise"), (2, "other noise"))):
    """model.toml of the model.onnx in `folder`; its tests are what ONNX Runtime answers to noise"""
    import onnx, onnxruntime as ort
    folder = pathlib.Path(folder); path = folder / "model.onnx"; raw = path.read_bytes()
    net = onnx.load_from_string(raw); s = ort.InferenceSession(raw, providers=["CPUExecutionProvider"])
    parts = ["# Written by the script in this folder. What it is and is not good for: card.md.\n" + "\n".join(
        f"{k} = {value(v)}" for k, v in {**{k: head[k] for k in ("name", "version", "title")}, "file": "model.onnx",
                                         "sha256": hashlib.sha256(raw).hexdigest(), "licence": head["licence"], "training-data": head["training-data"]}.items())]
    parts += [table("# How a picture becomes the input: (byte * scale - mean) / std.\n[picture]", picture), table("[decode]", decode)]
    for kind, values in (("input", net.graph.input), ("output", net.graph.output)):
        for v in values:
            shape = [d.dim_value for d in v.type.tensor_type.shape.dim]
            assert all(shape), f"{v.name}: every dimension must be fixed"
            parts.append(table(f"[[{kind}]]", {"name": v.name, "shape": shape, "type": "f32", "unit": units[v.name]}))
    parts.append(table(f"# {figures_say}\n[figures]", figures))
    w, h = picture["size"]
    for seed, why in seeds:
        out = s.run(None, {net.graph.input[0].name: prepare(noise(seed, w, h), picture, resize=False)})
        for v, y in zip(s.get_outputs(), out):
            y = y.ravel(); at = sorted({int(i) for i in np.linspace(0, len(y) - 1, 8)})
            parts.append(table("[[test]]", {"why": why, "seed": seed, "output": v.name, "at": at, "expect": [float(y[i]) for i in at],
                                            "tolerance": max(1e-3, float(f"{1e-4 * np.abs(y).max():.1g}"))}))
    (folder / "model.toml").write_text("\n\n".join(parts) + "\n")


def figures_into_card(card, lines):
    text = card.read_text()
    card.write_text(re.sub(r"(<!-- figures -->\n).*?(<!-- /figures -->)", lambda m: m[1] + "\n".join(lines) + "\n" + m[2], text, flags=re.S))
