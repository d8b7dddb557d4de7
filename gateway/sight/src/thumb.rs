//! A picture made so small that only light and coarse shapes are left, for what needs no more.

use crate::picture::Picture;

/// Cells across and down, whatever the picture's size.
pub const WIDTH: usize = 64;
pub const HEIGHT: usize = 48;
/// Samples a cell in each direction; more would not change what is made of it.
const SAMPLES: usize = 4;

/// Mean brightness of each cell, 0..255, row by row from the top.
#[derive(Clone, PartialEq)]
pub struct Thumb(Vec<f32>);

impl Thumb {
    /// Looks at 16 pixels of each cell; the weights are those of ITU-R BT.601.
    pub fn of(picture: &Picture) -> Self {
        let (width, height, pixels) = (picture.width(), picture.height(), picture.pixels());
        let place =
            |i: usize, size: usize, cells: usize| (i * 2 + 1) * size / (2 * cells * SAMPLES);
        let columns: Vec<usize> = (0..WIDTH * SAMPLES).map(|x| place(x, width, WIDTH)).collect();
        let columns = columns.as_chunks::<SAMPLES>().0;
        // Of red and blue in one number, and of green: 16 levels have 12 bits.
        let mut sums = vec![[0_u32; 2]; WIDTH * HEIGHT];
        for y in 0..HEIGHT * SAMPLES {
            let row = &pixels[place(y, height, HEIGHT) * width..][..width];
            let cells = &mut sums[y / SAMPLES * WIDTH..][..WIDTH];
            for ([red_blue, green], columns) in cells.iter_mut().zip(columns) {
                for column in columns {
                    let pixel = u32::from_le_bytes(row[*column]);
                    *red_blue += pixel & 0x00FF_00FF;
                    *green += pixel >> 8 & 0xFF;
                }
            }
        }
        let brightness = |[red_blue, green]: &[u32; 2]| {
            let sum = 299 * (red_blue & 0xFFFF) + 587 * green + 114 * (red_blue >> 16);
            sum as f32 / (SAMPLES * SAMPLES * 1000) as f32
        };
        Self(sums.iter().map(brightness).collect())
    }

    /// All cells, row by row.
    pub fn cells(&self) -> &[f32] {
        &self.0
    }

    /// 0..255.
    pub fn mean(&self) -> f32 {
        self.0.iter().sum::<f32>() / self.0.len() as f32
    }

    /// How strongly the brightness changes from each cell to its right and lower neighbour, 0 at the edge.
    pub fn edges(&self) -> Vec<f32> {
        let at = |x: usize, y: usize| self.0[y * WIDTH + x];
        (0..WIDTH * HEIGHT)
            .map(|i| {
                let (x, y) = (i % WIDTH, i / WIDTH);
                if x + 1 == WIDTH || y + 1 == HEIGHT {
                    return 0.0;
                }
                let (right, down) = (at(x + 1, y) - at(x, y), at(x, y + 1) - at(x, y));
                // None is large enough for `hypot`, which takes its time.
                (right * right + down * down).sqrt()
            })
            .collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A picture of a made-up yard: ground, boxes, a wall; moved to the right by some pixels, at some
    /// brightness (1 = day), with some noise.
    pub(crate) fn yard(shift: usize, light: f32, noise: u32) -> Picture {
        let (width, height) = (320, 240);
        let mut seed = noise.wrapping_mul(2_654_435_761).max(1);
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                let x = x + shift;
                let base: f32 = match (x / 23 % 5, y / 31 % 4) {
                    (0, _) => 200.0,
                    (1, 1 | 2) => 60.0,
                    (3, 0 | 3) => 120.0,
                    (4, 2) => 230.0,
                    _ => 150.0,
                };
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let grain = if noise == 0 { 0.0 } else { (seed >> 24) as f32 / 16.0 - 8.0 };
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "clamped"
                )]
                let value = ((base + grain) * light).clamp(0.0, 255.0) as u8;
                rgb.extend([value; 3]);
            }
        }
        Picture::of_rgb(width, height, &rgb).unwrap()
    }

    #[test]
    fn a_picture_of_one_colour_has_its_brightness_and_no_edges() {
        let picture = Picture::of_rgb(7, 3, &[10, 20, 30].repeat(21)).unwrap();
        let thumb = Thumb::of(&picture);
        assert!((thumb.mean() - (2.99 + 11.74 + 3.42)).abs() < 0.01, "{}", thumb.mean());
        assert!(thumb.edges().iter().all(|edge| *edge < 0.001));
    }

    #[test]
    fn each_cell_shows_its_own_part_of_the_picture() {
        let (width, height) = (WIDTH * 10, HEIGHT * 10);
        let mut rgb = vec![0; width * height * 3];
        // Only the last cell is white.
        for y in height - 10..height {
            rgb[(y * width + width - 10) * 3..(y * width + width) * 3].fill(255);
        }
        let thumb = Thumb::of(&Picture::of_rgb(width, height, &rgb).unwrap());
        assert!((thumb.cells()[WIDTH * HEIGHT - 1] - 255.0).abs() < 0.01);
        assert!(thumb.cells()[..WIDTH * HEIGHT - 1].iter().all(|cell| *cell < 0.01));
    }
}
