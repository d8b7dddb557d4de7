//! What a value should have been, in the words of whoever wrote the file.
//!
//! Integrators copy from manuals, and manuals say `int16`, `ABCD` and "holding register". Here stands
//! which of our words that is, and what is wanted where a number or a text alone says too little.

/// Words of manuals and of other programs, and ours; by key. Both without case, spaces and dashes.
const SYNONYMS: [(&str, &[(&str, &str)]); 5] = [
    (
        "type",
        &[
            ("i16", "int16 int short sint16 s16 signed16 signed"),
            ("u16", "uint16 uint ushort unsigned16 unsigned word"),
            ("i32", "int32 dint long sint32 s32 signed32"),
            ("u32", "uint32 udint ulong unsigned32 dword"),
            ("f32", "float float32 real single f float4"),
            ("bool", "boolean bit flag coil"),
            ("i8", "int8 sint char s8"),
            ("u8", "uint8 usint uchar byte"),
        ],
    ),
    (
        "order",
        &[
            ("big", "abcd ab bigendian be msb network"),
            ("little", "dcba ba littleendian le lsb"),
            ("big-swapped", "cdab wordswap wordswapped swapped bigendianswapped lowwordfirst"),
            ("little-swapped", "badc byteswap byteswapped littleendianswapped"),
        ],
    ),
    (
        "function",
        &[
            ("coil", "coils coilstatus 1 01 fc1 fc01 0x"),
            ("discrete", "discreteinput discreteinputs inputstatus 2 02 fc2 fc02 1x"),
            ("holding", "holdingregister holdingregisters 3 03 fc3 fc03 4x"),
            ("input", "inputregister inputregisters 4 04 fc4 fc04 3x"),
        ],
    ),
    ("parity", &[("none", "n no off"), ("even", "e"), ("odd", "o")]),
    ("language", &[("zh", "cn chinese zhcn zhhans 中文"), ("en", "english enus engb 英文")]),
];

/// Our word for what somebody wrote.
pub(super) fn meant(key: &str, word: &str) -> Option<&'static str> {
    let plain: String =
        word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let (_, words) = SYNONYMS.iter().find(|(name, _)| *name == key)?;
    let is_meant = |others: &&str| others.split(' ').any(|other| other == plain);
    words.iter().find(|(ours, others)| *ours == plain || is_meant(others)).map(|(ours, _)| *ours)
}

/// What to do about a word that is none of ours and no misspelling of one.
pub(super) fn no_such_word(key: &str, word: &str) -> Option<String> {
    let wide = ["64", "double", "lreal", "lword", "lint", "ulint"];
    let is_wide = key == "type" && wide.iter().any(|wide| word.to_lowercase().contains(wide));
    is_wide.then(|| "values of 64 bits are not read; many devices offer the same in 32".to_owned())
}

/// What a key takes, where its type alone allows more.
pub(super) fn wanted(key: &str, wanted: &str) -> String {
    match (key, wanted) {
        ("unit", "a whole number from 0 to 255") => "a whole number from 1 to 247".to_owned(),
        ("level", "a whole number from 0 to 255") => {
            "a whole number from 1 (most urgent) to 4".to_owned()
        }
        _ => wanted.to_owned(),
    }
}

/// How to write what was found so that it is what is wanted.
pub(super) fn rewritten(key: &str, found: &Found<'_>, wanted: &str) -> Option<String> {
    match found {
        Found::Text(text) if wanted.starts_with("a number") || wanted.starts_with("a whole") => {
            number_in(text).map(|number| format!("write `{number}`, without quotes"))
        }
        Found::Text(text) if wanted == "`true` or `false`" => {
            matches!(*text, "true" | "false").then(|| format!("write `{text}`, without quotes"))
        }
        Found::Text(text) if wanted == "a list" => Some(format!("write `[{text:?}]`")),
        Found::Text(text) if wanted.starts_with("a text in both languages") => {
            Some(format!("write `{{ zh = \"…\", en = {text:?} }}`"))
        }
        Found::Number(number) if wanted == "a list" => Some(format!("write `[{number}]`")),
        Found::Number(number) if wanted == "a text in quotes" => {
            Some(format!("write `\"{number}\"`"))
        }
        Found::Number(number) if wanted.starts_with("one of") => {
            meant(key, &number.to_string()).map(|word| format!("did you mean `\"{word}\"`?"))
        }
        Found::Number(number) if key == "start" => register(*number),
        // TOML tells seconds, which nobody asks for here.
        Found::Date(date) if wanted.contains("in quotes") && !wanted.starts_with("two") => {
            let minutes = date.strip_suffix(":00").filter(|text| text.contains(':'));
            Some(format!("write `\"{}\"`", minutes.unwrap_or(date)))
        }
        Found::Text(_) | Found::Number(_) | Found::Date(_) | Found::Other => None,
    }
}

/// A value that has the wrong type.
pub(super) enum Found<'t> {
    Text(&'t str),
    Number(f64),
    Date(&'t str),
    Other,
}

/// Hexadecimal numbers are numbers too.
fn number_in(text: &str) -> Option<&str> {
    let text = text.trim();
    let hex = text.strip_prefix("0x").is_some_and(|digits| u64::from_str_radix(digits, 16).is_ok());
    (hex || text.parse::<f64>().is_ok_and(f64::is_finite)).then_some(text)
}

/// Manuals put the table in front of the address and count from 1.
fn register(number: f64) -> Option<String> {
    let table = [(400_001.0, "holding"), (300_001.0, "input"), (100_001.0, "discrete")];
    let (first, table) = table.into_iter().find(|(first, _)| number >= *first)?;
    let address = number - first;
    (address <= 65_535.0).then(|| {
        format!("register {number} of a manual is address {address} of `function = \"{table}\"`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_manuals_are_understood() {
        let cases = [
            ("type", "int16", "i16"),
            ("type", "UINT16", "u16"),
            ("type", "word", "u16"),
            ("type", "DWORD", "u32"),
            ("type", "float", "f32"),
            ("type", "float32", "f32"),
            ("type", "Boolean", "bool"),
            ("type", "F32", "f32"),
            ("order", "CDAB", "big-swapped"),
            ("order", "big-endian", "big"),
            ("function", "Holding Register", "holding"),
            ("parity", "E", "even"),
            ("language", "cn", "zh"),
        ];
        for (key, word, ours) in cases {
            assert_eq!(meant(key, word), Some(ours), "{key} {word}");
        }
        assert_eq!(meant("type", "quaternion"), None);
        assert_eq!(meant("colour", "int16"), None);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_written_anew() {
        let number = |key, number, wanted| rewritten(key, &Found::Number(number), wanted);
        let text = |text, wanted| rewritten("x", &Found::Text(text), wanted);

        assert_eq!(number("no-data", 7.0, "a list").as_deref(), Some("write `[7]`"));
        assert_eq!(text("0x7FFF", "a number").as_deref(), Some("write `0x7FFF`, without quotes"));
        assert_eq!(text("low", "a number"), None);
        assert_eq!(
            number("function", 3.0, "one of `coil`").as_deref(),
            Some("did you mean `\"holding\"`?")
        );
        assert_eq!(
            number("start", 400_505.0, "a whole number from 0 to 65535").as_deref(),
            Some("register 400505 of a manual is address 504 of `function = \"holding\"`")
        );
    }
}
