//! Letters: which glyph of which font, how wide, and where a line may break.
//!
//! Two fonts lie in the program: a regular one with the Chinese characters of GB 2312, and a bold one
//! with the common of them. A character that the bold one lacks is set in the regular one; one that
//! neither has is a box on paper, and stays itself for who copies or searches the text.

use std::ops::Range;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::charmap::Charmap;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::{FontRef, MetadataProvider as _};

use super::NoPdf;

static REGULAR: &[u8] = include_bytes!("font/NotoSansCJKsc-Regular.otf");
static BOLD: &[u8] = include_bytes!("font/NotoSansCJKsc-Bold.otf");

/// What stands for a character that no font has.
const BOX: char = '□';

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// Both fonts, ready to set text.
pub(super) struct Letters {
    regular: Face,
    bold: Face,
}

struct Face {
    font: Font,
    characters: Charmap<'static>,
    widths: GlyphMetrics<'static>,
    per_em: f32,
}

/// Glyphs of one font in a row.
pub(super) struct Run {
    pub font: Font,
    pub glyphs: Vec<KrillaGlyph>,
    /// For a font of one point.
    pub width: f32,
}

impl Letters {
    pub(super) fn new() -> Result<Self, NoPdf> {
        Ok(Self { regular: Face::new(REGULAR)?, bold: Face::new(BOLD)? })
    }

    /// The text as glyphs, each naming its place in the text.
    pub(super) fn set(&self, text: &str, weight: Weight) -> Vec<Run> {
        let mut runs: Vec<(Weight, Run)> = Vec::new();
        for (at, letter) in text.char_indices() {
            let (weight, glyph, width) = self.glyph(letter, weight);
            if runs.last().is_none_or(|(of, _)| *of != weight) {
                let font = self.face(weight).font.clone();
                runs.push((weight, Run { font, glyphs: Vec::new(), width: 0.0 }));
            }
            if let Some((_, run)) = runs.last_mut() {
                let place: Range<usize> = at..at + letter.len_utf8();
                run.glyphs.push(KrillaGlyph::new(glyph, width, 0.0, 0.0, 0.0, place, None));
                run.width += width;
            }
        }
        runs.into_iter().map(|(_, run)| run).collect()
    }

    /// How wide the text is in letters of `size` points.
    pub(super) fn width(&self, text: &str, weight: Weight, size: f32) -> f32 {
        text.chars().map(|letter| self.glyph(letter, weight).2).sum::<f32>() * size
    }

    /// Breaks a text into lines no wider than `most` points, at spaces and between Chinese characters; a
    /// word that is wider than a line is broken anywhere. Blanks at a line's end stay with it.
    pub(super) fn lines(&self, text: &str, weight: Weight, size: f32, most: f32) -> Vec<String> {
        let mut lines = vec![String::new()];
        let mut width = 0.0;
        for piece in pieces(text) {
            let wide = self.width(piece.trim_end(), weight, size);
            if width > 0.0 && width + wide > most {
                lines.push(String::new());
                width = 0.0;
            }
            let fits = wide <= most;
            for letter in piece.chars() {
                let letter_width = self.glyph(letter, weight).2 * size;
                if !fits && width > 0.0 && width + letter_width > most {
                    lines.push(String::new());
                    width = 0.0;
                }
                width += letter_width;
                if let Some(line) = lines.last_mut() {
                    line.push(letter);
                }
            }
        }
        lines
    }

    /// The widest part of a text that no line break may divide.
    pub(super) fn widest(&self, text: &str, weight: Weight, size: f32) -> f32 {
        let widths = pieces(text).into_iter().map(|p| self.width(p.trim_end(), weight, size));
        widths.fold(0.0, f32::max)
    }

    fn glyph(&self, letter: char, weight: Weight) -> (Weight, GlyphId, f32) {
        // A blank of a width of its own has no glyph.
        let letter = if letter.is_whitespace() { ' ' } else { printable(letter) };
        let found = |weight: Weight, letter: char| {
            let face = self.face(weight);
            let glyph = face.characters.map(letter).filter(|glyph| glyph.to_u32() != 0)?;
            let width = face.widths.advance_width(glyph).unwrap_or(0.0) / face.per_em;
            Some((weight, GlyphId::new(glyph.to_u32()), width))
        };
        found(weight, letter)
            .or_else(|| found(Weight::Regular, letter))
            .or_else(|| found(Weight::Regular, BOX))
            .unwrap_or((Weight::Regular, GlyphId::new(0), 1.0))
    }

    fn face(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }
}

impl Face {
    fn new(bytes: &'static [u8]) -> Result<Self, NoPdf> {
        let font = Font::new(bytes.into(), 0).ok_or(NoPdf::Font)?;
        let reader = FontRef::new(bytes).map_err(|_| NoPdf::Font)?;
        Ok(Self {
            per_em: font.units_per_em(),
            font,
            characters: reader.charmap(),
            widths: reader.glyph_metrics(Size::unscaled(), LocationRef::default()),
        })
    }
}

/// The text without what is no letter: controls, marks that turn the direction of reading, and what
/// Unicode has set aside; a blank stands there. PDF knows no text with them.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(printable).collect()
}

fn printable(letter: char) -> char {
    match letter {
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff0}'..='\u{ffff}' => ' ',
        letter if letter.is_control() || u32::from(letter) & 0xfffe == 0xfffe => ' ',
        letter => letter,
    }
}

/// The parts of a text that no line break may divide, blanks at their ends included.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut last: Option<char> = None;
    for (at, letter) in text.char_indices() {
        if last.is_some_and(|last| may_break(last, letter)) {
            pieces.push(&text[from..at]);
            from = at;
        }
        last = Some(letter);
    }
    pieces.push(&text[from..]);
    pieces
}

/// Whether a line may end between two characters (after Unicode's UAX 14, as far as a report needs it).
fn may_break(before: char, after: char) -> bool {
    if after == ' ' || "，。、；：？！）”’》」％%…·,.;:?!)\u{a0}".contains(after)
    {
        return false;
    }
    if before == ' ' || (before == '-' && after.is_alphabetic()) {
        return true;
    }
    let is_opening = "（“‘《「(".contains(before);
    !is_opening && (is_chinese(before) || is_chinese(after)) && before != '\u{a0}'
}

fn is_chinese(letter: char) -> bool {
    matches!(letter, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
        || "“”‘’…—".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_breaks_at_spaces_and_between_chinese_characters_but_not_before_a_stop() {
        assert_eq!(pieces("ab cd，东区。x"), ["ab ", "cd，", "东", "区。", "x"]);
        assert_eq!(pieces("（东区）共 3\u{a0}起"), ["（东", "区）", "共 ", "3\u{a0}起"]);
    }

    #[test]
    fn lines_keep_every_letter_and_their_width() {
        let letters = Letters::new().unwrap();
        let text = "消防通道被占 Fire lane blocked 超长单词abcdefghijklmnopqrstuvwxyz。";

        let lines = letters.lines(text, Weight::Regular, 10.0, 60.0);

        assert_eq!(lines.concat(), text);
        for line in &lines {
            let width = letters.width(line.trim_end(), Weight::Regular, 10.0);
            assert!(width <= 70.0, "{line}: {width}");
        }
    }

    #[test]
    fn a_character_that_no_font_has_is_a_box_and_keeps_its_place() {
        let letters = Letters::new().unwrap();

        let runs = letters.set("a𠮷\u{7}b", Weight::Bold);

        let glyphs: Vec<_> = runs.iter().flat_map(|run| &run.glyphs).collect();
        assert_eq!(glyphs.len(), 4);
        assert!(glyphs.iter().all(|glyph| glyph.glyph_id.to_u32() != 0));
        assert_eq!(glyphs[1].text_range, 1..5);
    }
}
