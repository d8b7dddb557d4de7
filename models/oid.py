"""The people-and-vehicle detector that MediaPipe's Objectron carries: an SSD on MobileNetV2, trained by Google on Open
Images V4, Apache-2.0. `road-users` and `person` are built from it, at other sizes and with the classes that they need."""
import parcels, ssd, tflite_onnx

PACKAGE = ("@mediapipe/objectron@0.4.1675468480", "fc3e37b326b05e8f596099c90b3e0931b05a56cd3160b9ac450b621794bac94c", "objectron_solution_packed_assets.data")
START, END = 184, 9987912    # where the network lies in it, as the loader beside it says
SIDE, CLASSES = 300, 24      # what it was trained at
# Labels and columns, of object_detection_oidv4_labelmap.txt; a car is a vehicle, and one thing should not count twice.
COLUMNS = {"person": [4], "bicycle": [1], "vehicle": [18, 23]}


def build(labels, width, height, about):
    raw = parcels.npm(*PACKAGE)[START:END]
    wanted = [c for l in labels for c in COLUMNS[l]]
    net = tflite_onnx.Convert(raw, (width, height), keep=("ClassPredictor", CLASSES, wanted))
    groups = [[wanted.index(c) for c in COLUMNS[l]] for l in labels]
    outputs = ssd.decode(net, net.g.Outputs(0), net.g.Outputs(1), ssd.pyramid(width, height, SIDE), "yxhw", (10, 10, 5, 5), groups)
    return net.finish(outputs, about)


def picture(width, height):
    return {"size": [width, height], "layout": "nchw", "colour": "rgb", "fit": "stretch", "filter": "antialiased", "scale": 1.0, "mean": [127.5] * 3, "std": [127.5] * 3}


UNITS = {"picture": "RGB, (byte - 127.5) / 127.5", "boxes": "left, top, right, bottom as fractions of the picture, one row an anchor", "scores": "0..1, a column a class, in the order of the labels"}
