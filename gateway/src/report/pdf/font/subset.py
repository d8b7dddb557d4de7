#!/usr/bin/env python3
"""Makes the two fonts of the report from Noto Sans CJK SC (Debian: fonts-noto-cjk 20220127).

    python3 -m venv venv && venv/bin/pip install fonttools==4.60.1
    venv/bin/python subset.py /usr/share/fonts/opentype/noto

The regular one holds GB 2312 whole (6,763 Chinese characters) and Latin; the bold one its first level
(3,755, the common ones) and Latin: the report falls back from bold to regular, and from regular to a box.
Tables that only a text shaper or another writing direction reads are left out.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection

LATIN = set(range(0x20, 0x7F)) | set(range(0xA0, 0x180))
SIGNS = set(map(ord, "–—‘’“”…·•≤≥≈×±−µ²³°℃→←↑↓□"))


def gb2312(rows):
    found = set()
    for high in rows:
        for low in range(0xA1, 0xFF):
            try:
                found.add(ord(bytes([high, low]).decode("gb2312")))
            except UnicodeDecodeError:
                pass
    return found


def main(folder):
    for weight, rows in (("Regular", range(0xA1, 0xF8)), ("Bold", range(0xA1, 0xD8))):
        fonts = TTCollection(folder / f"NotoSansCJK-{weight}.ttc").fonts
        font = next(f for f in fonts if f["name"].getDebugName(4).startswith("Noto Sans CJK SC"))
        options = subset.Options()
        options.layout_features = []
        options.hinting = False
        options.notdef_outline = True
        options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
        options.drop_tables += ["vhea", "vmtx", "VORG", "BASE", "DSIG", "GSUB", "GPOS"]
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=LATIN | SIGNS | gb2312(rows))
        cutter.subset(font)
        font["head"].modified = font["head"].created
        font.recalcTimestamp = False
        font.save(Path(__file__).with_name(f"NotoSansCJKsc-{weight}.otf"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
