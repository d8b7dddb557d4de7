"""TensorFlow Lite to ONNX for an SSD: only the operations that it uses.

Channels come first in the ONNX, the batch is 1, weights are kept as int8 with a scale for each channel (`int8`), and an
input of another size than the original's may be asked for: such a network looks at every place in the same way, so that a
larger picture finds smaller things. What leaves the network at the end is the caller's to decode (`ssd.py`).
"""
import numpy as np, onnx, tflite
from onnx import TensorProto as T, helper, numpy_helper

OPS = {v: k for k, v in vars(tflite.BuiltinOperator).items() if not k.startswith("_")}
FLOATS = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64}


class Convert:
    """`tensors` maps a tflite tensor to (ONNX name, shape, channels first?).

    `keep` = (part of a layer's name, numbers in a row, which of them): of such layers' rows only these are worked out.
    """
    def __init__(self, raw, size, int8=True, keep=("", 0, [])):
        m = tflite.Model.GetRootAsModel(raw, 0); self.m, self.g = m, m.Subgraphs(0)
        self.nodes, self.weights, self.n, self.int8, self.keep = [], [], 0, int8, keep
        self.const, self.tensors = {}, {self.g.Inputs(0): ("picture", [1, 3, size[1], size[0]], True)}
        self.input = helper.make_tensor_value_info("picture", T.FLOAT, [1, 3, size[1], size[0]])
        for i in range(self.g.OperatorsLength()):
            op = self.g.Operators(i); code = m.OperatorCodes(op.OpcodeIndex()); kind = OPS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            getattr(self, "add_op" if kind == "ADD" else kind.lower())(op, [op.Inputs(k) for k in range(op.InputsLength())], op.Outputs(0))

    # -------------------------------------------------------------- pieces
    def name(self, kind): self.n += 1; return f"{kind}{self.n}"

    def put(self, a, kind="c"):
        n = self.name(kind); self.weights.append(numpy_helper.from_array(np.array(a, order="C"), n)); return n

    def add(self, op, inputs, out=None, **attributes):
        out = out or self.name(op.lower()); self.nodes.append(helper.make_node(op, inputs, [out], **attributes)); return out

    def value(self, i):
        """a constant of the file"""
        if i in self.const: return self.const[i]
        t = self.g.Tensors(i); shape = [t.Shape(k) for k in range(t.ShapeLength())]
        a = np.frombuffer(self.m.Buffers(t.Buffer()).DataAsNumpy().tobytes(), FLOATS[t.Type()])
        assert not t.Sparsity(), f"{self.title(i)}: weights without their zeros are not read here"
        return a.reshape(shape)

    def title(self, i): return self.g.Tensors(i).Name().decode()

    def options(self, op, cls):
        o = cls(); t = op.BuiltinOptions(); o.Init(t.Bytes, t.Pos); return o

    def weight(self, w):
        """out, in, height, width"""
        if not self.int8 or w.size < 2048: return self.put(w.astype(np.float32), "w")
        scale = np.maximum(np.abs(w).reshape(len(w), -1).max(1), 1e-12).reshape(-1, *[1] * (w.ndim - 1)) / 127
        q = self.put(np.round(w / scale).astype(np.int8), "q")
        return self.add("Mul", [self.add("Cast", [q], to=T.FLOAT), self.put(scale.astype(np.float32), "s")])

    def after(self, x, activation):
        assert activation in (0, 3), activation   # none, or held within 0..6
        return x if activation == 0 else self.add("Clip", [x, self.put(np.float32(0)), self.put(np.float32(6))])

    def set(self, out, name, shape, first=True): self.tensors[out] = (name, shape, first)

    @staticmethod
    def window(size, k, s, padding):
        """(before, after, how many)"""
        if padding == 1: return 0, 0, (size - k) // s + 1
        n = -(-size // s); p = max((n - 1) * s + k - size, 0); return p // 2, p - p // 2, n

    # -------------------------------------------------------------- operations
    def dequantize(self, op, i, out): self.const[out] = self.value(i[0]).astype(np.float32)

    def convolve(self, op, i, out, o, w, group):
        x, (_, _, h, wd), _ = self.tensors[i[0]]; b = self.value(i[2]).astype(np.float32)
        part, many, which = self.keep
        if many and group == 1 and part in self.title(i[1]):
            some = [row + k for row in range(0, len(w), many) for k in which]; w, b = w[some], b[some]
        s = o.StrideH(); t, bt, nh = self.window(h, w.shape[2], s, o.Padding()); l, r, nw = self.window(wd, w.shape[3], s, o.Padding())
        y = self.add("Conv", [x, self.weight(w), self.put(b, "b")], kernel_shape=list(w.shape[2:]), strides=[s, s], group=group, pads=[t, l, bt, r])
        self.set(out, self.after(y, o.FusedActivationFunction()), [1, len(w), nh, nw])

    def conv_2d(self, op, i, out):
        self.convolve(op, i, out, self.options(op, tflite.Conv2DOptions), self.value(i[1]).transpose(0, 3, 1, 2), 1)

    def depthwise_conv_2d(self, op, i, out):
        w = self.value(i[1]).transpose(3, 0, 1, 2); self.convolve(op, i, out, self.options(op, tflite.DepthwiseConv2DOptions), w, len(w))

    def add_op(self, op, i, out):
        shape = self.tensors[i[0]][1]; o = self.options(op, tflite.AddOptions)
        self.set(out, self.after(self.add("Add", [self.tensors[k][0] for k in i]), o.FusedActivationFunction()), shape)

    def rows(self, tensor, last):
        """a tensor as rows of `last` numbers each, place by place"""
        x, shape, first = self.tensors[tensor]
        if first and len(shape) == 4:
            x = self.add("Transpose", [x], perm=[0, 2, 3, 1])
        many = int(np.prod(shape)) // last
        return self.add("Reshape", [x, self.put(np.array([1, many, last], np.int64))]), [1, many, last]

    def reshape(self, op, i, out):
        t = self.g.Tensors(out); last = t.Shape(t.ShapeLength() - 1)
        if last == self.keep[1]: last = len(self.keep[2])
        self.set(out, *self.rows(i[0], last), False)

    def concatenation(self, op, i, out):
        parts = [self.tensors[k] for k in i]; shape = list(parts[0][1]); first = parts[0][2]
        axis = 1   # rows after rows, or channels after channels
        shape[axis] = sum(p[1][axis] for p in parts)
        self.set(out, self.add("Concat", [p[0] for p in parts], axis=axis), shape, first)

    # -------------------------------------------------------------- the end
    def finish(self, outputs, about):
        """`outputs`: ONNX name and shape"""
        infos = [helper.make_tensor_value_info(n, T.FLOAT, s) for n, s in outputs]
        m = helper.make_model(helper.make_graph(self.nodes, about, [self.input], infos, self.weights), opset_imports=[helper.make_opsetid("", 13)], producer_name="gatehouse")
        m.ir_version = 8
        onnx.checker.check_model(m, full_check=True)
        return m
