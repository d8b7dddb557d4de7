//! What stands where: pages of strokes, boxes and lines of text, and the order in which they are read.
//!
//! Coordinates are points from the page's upper left corner. Every stroke belongs to a node of the
//! reading order, or to nobody when it is mere decoration.

use krilla::tagging::{Tag, TagKind};

use super::letters::{Letters, Weight, plain};

/// A4.
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
pub(super) const LEFT: f32 = 50.0;
pub(super) const RIGHT: f32 = WIDTH - 50.0;
pub(super) const TOP: f32 = 62.0;
pub(super) const BOTTOM: f32 = HEIGHT - 58.0;
/// Between the margins.
pub(super) const ACROSS: f32 = RIGHT - LEFT;

/// Red, green, blue.
pub(super) type Colour = [u8; 3];

pub(super) const INK: Colour = [0x1b, 0x24, 0x22];
pub(super) const SOFT: Colour = [0x55, 0x62, 0x5f];
pub(super) const LINE: Colour = [0xd5, 0xdd, 0xda];
pub(super) const GROUND: Colour = [0xf3, 0xf6, 0xf5];
pub(super) const ACCENT: Colour = [0x1d, 0x5c, 0x53];
pub(super) const BAD: Colour = [0xa3, 0x34, 0x1c];
/// Level I to IV.
pub(super) const LEVELS: [Colour; 4] =
    [[0xb3, 0x26, 0x1e], [0xd9, 0x7a, 0x2b], [0xf0, 0xc0, 0x30], [0x4a, 0x7f, 0xbd]];

/// Something that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// A line of text; `y` is its base line.
    Text {
        x: f32,
        y: f32,
        size: f32,
        weight: Weight,
        colour: Colour,
        text: String,
    },
    Box {
        x: f32,
        y: f32,
        wide: f32,
        high: f32,
        colour: Colour,
    },
    Rule {
        x: f32,
        y: f32,
        wide: f32,
        colour: Colour,
    },
}

/// A node of the reading order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node(usize);

/// Whose a mark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Node(Node),
    Nobody,
    /// Above the margin, the same on every page.
    Header,
    Footer,
}

/// A heading and where it stands, for the table of contents that a reader shows beside the page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stop {
    pub title: String,
    pub page: usize,
    pub y: f32,
}

/// One group of the reading order; groups or marks are below it, never both.
pub(super) struct Group {
    pub tag: TagKind,
    pub below: Vec<Node>,
}

/// All pages.
pub(super) struct Sheets<'a> {
    pub letters: &'a Letters,
    pub pages: Vec<Vec<(Owner, Mark)>>,
    pub groups: Vec<Group>,
    /// The groups that stand below none.
    pub roots: Vec<Node>,
    pub stops: Vec<Stop>,
    /// How far down the last page is taken.
    pub y: f32,
}

impl Node {
    pub(super) fn index(self) -> usize {
        self.0
    }
}

impl<'a> Sheets<'a> {
    pub(super) fn new(letters: &'a Letters) -> Self {
        Self {
            letters,
            pages: vec![Vec::new()],
            groups: Vec::new(),
            roots: Vec::new(),
            stops: Vec::new(),
            y: TOP,
        }
    }

    /// A new group, below another one or below none.
    pub(super) fn group(&mut self, tag: impl Into<TagKind>, above: Option<Node>) -> Node {
        let node = Node(self.groups.len());
        self.groups.push(Group { tag: tag.into(), below: Vec::new() });
        match above {
            Some(above) => self.groups[above.0].below.push(node),
            None => self.roots.push(node),
        }
        node
    }

    /// Begins a new page unless there is so much room left; true when it has.
    pub(super) fn need(&mut self, high: f32) -> bool {
        let is_full = self.y + high > BOTTOM && self.y > TOP;
        if is_full {
            self.pages.push(Vec::new());
            self.y = TOP;
        }
        is_full
    }

    pub(super) fn mark(&mut self, owner: Owner, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push((owner, mark));
        }
    }

    /// One line of text whose upper edge is at `y`.
    pub(super) fn line(&mut self, owner: Owner, text: &str, style: Style, x: f32, y: f32) {
        // Noto Sans CJK: ascender 0.88, descender 0.12 of the em box, set in the middle of the line.
        let base = y + style.leading / 2.0 + style.size * 0.38;
        let Style { size, weight, colour, .. } = style;
        self.mark(owner, Mark::Text { x, y: base, size, weight, colour, text: plain(text) });
    }

    /// A paragraph at the place that was reached, over as many pages as it takes.
    pub(super) fn paragraph(&mut self, node: Node, text: &str, style: Style, x: f32, wide: f32) {
        for line in self.letters.lines(text, style.weight, style.size, wide) {
            self.need(style.leading);
            self.line(Owner::Node(node), &line, style, x, self.y);
            self.y += style.leading;
        }
    }

    /// A paragraph of its own.
    pub(super) fn text(&mut self, text: &str, style: Style) {
        let node = self.group(Tag::P, None);
        self.paragraph(node, text, style, LEFT, ACROSS);
    }
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    /// Of the letters, in points.
    pub size: f32,
    /// From line to line.
    pub leading: f32,
    pub weight: Weight,
    pub colour: Colour,
}

impl Style {
    pub(super) const BODY: Self =
        Self { size: 9.5, leading: 15.0, weight: Weight::Regular, colour: INK };
    pub(super) const SMALL: Self =
        Self { size: 8.0, leading: 12.0, weight: Weight::Regular, colour: SOFT };
    pub(super) const CELL: Self =
        Self { size: 8.5, leading: 12.5, weight: Weight::Regular, colour: INK };

    pub(super) fn bold(self) -> Self {
        Self { weight: Weight::Bold, ..self }
    }

    pub(super) fn in_colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }
}
