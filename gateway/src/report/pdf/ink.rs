//! The marks as a PDF, with the reading order beside them.

use krilla::color::rgb;
use krilla::configure::{Accessibility, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, Node as TagNode, SpanTag, TagGroup, TagTree,
};
use krilla::{Document, SerializeSettings};

use super::NoPdf;
use super::sheet::{Colour, HEIGHT, Mark, Node, Owner, Sheets, WIDTH};
use crate::report::paper::Paper;
use gatehouse_core::community::quantity::Language;

/// Of a rule, in points.
const HAIR: f32 = 0.6;

pub(super) fn write(sheets: &Sheets<'_>, paper: &Paper) -> Result<Vec<u8>, NoPdf> {
    let failed = |why: String| NoPdf::Writing(why);
    let configuration = ConfigurationBuilder::new()
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| failed(format!("{error:?}")))?;
    let mut document =
        Document::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
    let mut leaves: Vec<Vec<Identifier>> = vec![Vec::new(); sheets.groups.len()];
    for marks in &sheets.pages {
        let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| failed("no page".into()))?;
        let mut page = document.start_page_with(size);
        let mut surface = page.surface();
        let mut rest = marks.as_slice();
        while let Some((owner, _)) = rest.first() {
            let many = rest.iter().take_while(|(of, _)| of == owner).count();
            let (group, left) = rest.split_at(many);
            let identifier = surface.start_tagged(content(*owner));
            for (_, mark) in group {
                draw(&mut surface, sheets, mark);
            }
            surface.end_tagged();
            match owner {
                Owner::Node(node) => leaves[node.index()].push(identifier),
                Owner::Nobody | Owner::Header | Owner::Footer => {}
            }
            rest = left;
        }
        surface.finish();
        page.finish();
    }
    let mut tree = TagTree::new();
    for root in &sheets.roots {
        tree.push(group(sheets, &leaves, *root));
    }
    document.set_tag_tree(tree);
    document.set_outline(outline(sheets));
    document.set_metadata(metadata(paper));
    document.finish().map_err(|error| failed(format!("{error}: {error:?}")))
}

fn content(owner: Owner) -> ContentTag<'static> {
    let artifact = |kind| ContentTag::Artifact(Artifact::with_kind(kind));
    match owner {
        Owner::Node(_) => ContentTag::Span(SpanTag::empty()),
        Owner::Nobody => artifact(ArtifactType::Layout),
        Owner::Header => artifact(ArtifactType::Header),
        Owner::Footer => artifact(ArtifactType::Footer),
    }
}

fn group(sheets: &Sheets<'_>, leaves: &[Vec<Identifier>], node: Node) -> TagGroup {
    let of = &sheets.groups[node.index()];
    let own = leaves[node.index()].iter().copied().map(TagNode::Leaf);
    let below = of.below.iter().map(|below| TagNode::Group(group(sheets, leaves, *below)));
    TagGroup::with_children(of.tag.clone(), own.chain(below).collect())
}

fn outline(sheets: &Sheets<'_>) -> Outline {
    let mut outline = Outline::new();
    for stop in &sheets.stops {
        let place = XyzDestination::new(stop.page, Point::from_xy(0.0, stop.y));
        outline.push_child(OutlineNode::new(stop.title.clone(), place));
    }
    outline
}

fn metadata(paper: &Paper) -> Metadata {
    let language = match paper.language {
        Language::Zh => "zh-CN",
        Language::En => "en",
    };
    Metadata::new()
        .title(format!("{} {} {}", paper.community, paper.month, paper.kind))
        .authors(vec![paper.community.clone()])
        .creator(format!("Gatehouse {}", env!("CARGO_PKG_VERSION")))
        .language(language.to_owned())
}

fn draw(surface: &mut Surface<'_>, sheets: &Sheets<'_>, mark: &Mark) {
    match mark {
        Mark::Text { x, y, size, weight, colour, text } => {
            surface.set_fill(Some(fill(*colour)));
            let mut x = *x;
            for run in sheets.letters.set(text, *weight) {
                surface.draw_glyphs(
                    Point::from_xy(x, *y),
                    &run.glyphs,
                    run.font.clone(),
                    text,
                    *size,
                    false,
                );
                x += run.width * size;
            }
        }
        Mark::Box { x, y, wide, high, colour } => {
            surface.set_fill(Some(fill(*colour)));
            rectangle(surface, [*x, *y, *wide, *high]);
        }
        Mark::Rule { x, y, wide, colour } => {
            surface.set_fill(Some(fill(*colour)));
            rectangle(surface, [*x, *y - HAIR / 2.0, *wide, HAIR]);
        }
    }
}

fn rectangle(surface: &mut Surface<'_>, [x, y, wide, high]: [f32; 4]) {
    let Some(rectangle) = Rect::from_xywh(x, y, wide, high) else { return };
    let mut path = PathBuilder::new();
    path.push_rect(rectangle);
    if let Some(path) = path.finish() {
        surface.draw_path(&path);
    }
}

fn fill(colour: Colour) -> Fill {
    Fill { paint: rgb(colour).into(), opacity: NormalizedF32::ONE, rule: FillRule::default() }
}

fn rgb([red, green, blue]: Colour) -> rgb::Color {
    rgb::Color::new(red, green, blue)
}
