"""How often a shipped classifier is right on a folder of pictures with a sub-folder for each class.

    venv/bin/python judge.py waste FOLDER
    venv/bin/python judge.py bay-occupancy FOLDER

It reads model.toml as the gateway does: preparation, temperature and the bar for "unsure" are all taken from there.
"""
import pathlib, sys
import numpy as np
from PIL import Image
import manifest

EXTENSIONS = {".jpg", ".jpeg", ".png"}


def main(model, folder):
    m, run = manifest.runner(model); d, labels = m["decode"], m["decode"]["labels"]
    table, sure, right_sure, loss = np.zeros((len(labels), len(labels)), int), 0, 0, 0.0
    for true, name in enumerate(labels):
        for f in sorted(p for p in (pathlib.Path(folder) / name).rglob("*") if p.suffix.lower() in EXTENSIONS):
            z = next(iter(run(manifest.prepare(np.asarray(Image.open(f).convert("RGB")), m["picture"])).values()))[0].astype(float)
            p = np.exp((z - z.max()) / d.get("temperature", 1.0)); p /= p.sum(); guess = int(p.argmax())
            table[true, guess] += 1; loss -= np.log(max(p[true], 1e-12))
            if p.max() >= d["unsure-below"]: sure += 1; right_sure += guess == true
    n = table.sum()
    if n == 0: raise SystemExit(f"no pictures: expected sub-folders {', '.join(labels)} in {folder}")
    print(f"{n} pictures, right {np.trace(table) / n:.4f}, log loss {loss / n:.4f}, "
          f"sure of {sure / n:.4f} and then right {right_sure / max(1, sure):.4f}")
    width = max(map(len, labels)) + 2
    print("is \\ said".ljust(width), *(l.rjust(width) for l in labels), "right".rjust(8))
    for name, row in zip(labels, table):
        print(name.ljust(width), *(str(v).rjust(width) for v in row), f"{row[labels.index(name)] / max(1, row.sum()):8.4f}")


if __name__ == "__main__":
    if len(sys.argv) != 3: raise SystemExit(__doc__)
    main(pathlib.Path(__file__).resolve().parent / sys.argv[1], sys.argv[2])
