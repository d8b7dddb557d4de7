"""Draws what the demonstration's camera shows: a yard, and somebody who walks behind its hedge.

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python compose.py

The person is cut out of scikit-image's `astronaut`; everything else is drawn here. README.md says whose the
photograph is.
"""

import random
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

HERE = Path(__file__).parent
# What the camera sees, and how far its world goes on to the right, where it looks when it is turned.
WIDTH, HEIGHT, WORLD = 640, 480, 1400
HORIZON, HEDGE, LAWN = 150, 262, 300
TALL = 150
STEPS = 8

# Around the head and the suit, in pixels of the photograph; below, the hedge hides the rest.
OUTLINE = [
    (22, 400), (26, 350), (40, 300), (58, 264), (84, 240), (108, 214), (113, 193), (124, 172), (146, 157),
    (178, 150), (186, 148), (178, 128), (164, 114), (155, 96), (153, 80), (160, 56), (176, 38), (200, 22),
    (230, 15), (262, 22), (286, 40), (299, 68), (300, 94), (290, 118), (277, 130), (268, 152), (256, 176),
    (282, 190), (302, 222), (306, 238), (332, 254), (350, 280), (358, 312), (362, 400),
]  # fmt: skip


def person():
    """The person alone, `TALL` pixels high."""
    photograph = Image.fromarray(data.astronaut())
    cut = Image.new("L", photograph.size, 0)
    ImageDraw.Draw(cut).polygon(OUTLINE, fill=255)
    photograph.putalpha(cut.filter(ImageFilter.GaussianBlur(1.2)))
    box = photograph.crop((10, 5, 374, 352))
    return box.resize((round(TALL * box.width / box.height), TALL), Image.LANCZOS)


def world(chance):
    """Houses, trees and the ground, without the hedge."""
    picture = Image.new("RGB", (WORLD, HEIGHT), (196, 208, 218))
    draw = ImageDraw.Draw(picture)
    left = -40
    while left < WORLD:
        wide, top = chance.randint(150, 260), chance.randint(-60, 40)
        wall = chance.choice([(188, 172, 150), (172, 160, 152), (200, 188, 170), (160, 150, 140)])
        draw.rectangle((left, top, left + wide, HORIZON), fill=wall)
        for x in range(left + 14, left + wide - 24, 38):
            for y in range(top + 12, HORIZON - 30, 36):
                glass = chance.choice([(88, 104, 120), (70, 84, 98), (120, 134, 146)])
                draw.rectangle((x, y, x + 20, y + 22), fill=glass, outline=(226, 222, 214))
        left += wide + chance.randint(10, 60)
    draw.rectangle((0, HORIZON, WORLD, HEIGHT), fill=(158, 156, 150))
    for slab in range(-WORLD, 2 * WORLD, 90):
        draw.line((slab, HORIZON, slab * 2 - WORLD // 2, HEIGHT), fill=(136, 134, 128), width=2)
    y, step = HORIZON + 6.0, 9.0
    while y < HEIGHT:
        draw.line((0, y, WORLD, y), fill=(138, 136, 130), width=2)
        y, step = y + step, step * 1.25
    for _ in range(16):
        x, y, size = chance.randint(0, WORLD), HORIZON + chance.randint(0, 14), chance.randint(26, 46)
        draw.rectangle((x - 4, y - size, x + 4, y + 6), fill=(92, 72, 54))
        for _ in range(40):
            dx, dy = chance.gauss(0, size / 2.4), chance.gauss(-size * 1.5, size / 2.4)
            green = (chance.randint(44, 84), chance.randint(92, 130), chance.randint(40, 70))
            draw.ellipse((x + dx - 9, y + dy - 9, x + dx + 9, y + dy + 9), fill=green)
    return picture


def hedge(picture, chance):
    """What stands in front of whoever is in the yard."""
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, LAWN, WORLD, HEIGHT), fill=(126, 140, 98))
    for _ in range(5200):
        x, y = chance.randint(0, WORLD), chance.randint(HEDGE, LAWN + 18)
        green = (chance.randint(36, 74), chance.randint(74, 112), chance.randint(34, 60))
        draw.ellipse((x - 6, y - 5, x + 6, y + 5), fill=green)
    for bench in range(120, WORLD, 420):
        draw.rectangle((bench, 372, bench + 150, 384), fill=(120, 86, 58))
        draw.rectangle((bench, 348, bench + 150, 358), fill=(132, 96, 64))
        for leg in (bench + 8, bench + 136):
            draw.rectangle((leg, 348, leg + 6, 416), fill=(70, 70, 72))


def shown(at, somebody):
    """The world as it is, with somebody at a place in it (or nobody)."""
    picture = world(random.Random(7))
    if somebody is not None:
        shadow = ImageDraw.Draw(picture)
        shadow.ellipse((at + 10, HEDGE - 6, at + somebody.width + 20, HEDGE + 12), fill=(120, 118, 114))
        picture.paste(somebody, (at, HEDGE + 8 - TALL), somebody)
    hedge(picture, random.Random(8))
    return picture


def keep(name, picture, noise, grain=3.0):
    """As a cheap camera would send it; no two of its pictures are quite the same."""
    grain = np.random.default_rng(noise).normal(0, grain, (HEIGHT, WIDTH, 1))
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)), dtype=np.float32)
    pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(HERE / f"{name}.jpg", quality=52, optimize=True)


def main():
    somebody = person()
    ahead = (0, 0, WIDTH, HEIGHT)
    for turn in (0, 1):
        keep(f"empty-{turn}", shown(0, None).crop(ahead), turn)
        turned = shown(930, somebody).rotate(-14, Image.BICUBIC, center=(1000, 240))
        turned = turned.crop((770, 68, 1230, 413)).resize((WIDTH, HEIGHT), Image.LANCZOS)
        keep(f"turned-{turn}", turned, turn)
        keep(f"bag-{turn}", Image.new("RGB", (WIDTH, HEIGHT), (92, 88, 80 + 8 * turn)), turn, grain=0.3)
    for step in range(STEPS):
        at = 60 + step * (WIDTH - 120 - somebody.width) // (STEPS - 1)
        keep(f"walk-{step}", shown(at, somebody).crop(ahead), step)


if __name__ == "__main__":
    main()
