//! What is told of `[evidence]`.

use super::{GATEWAY, told_of_gateway};

#[test]
fn a_limit_and_a_basis_that_say_nothing_are_told_at_their_place() {
    let line = GATEWAY.lines().count() + 2;
    for (keep, basis, expected) in [
        ("72 h", "assembly", vec![]),
        ("721 h", "assembly", vec![format!("{line}:8 `keep` is ")]),
        ("0 s", "assembly", vec![format!("{line}:8 `keep` is ")]),
        ("1 h", " ", vec![format!("{}:9 `basis` is empty", line + 1)]),
    ] {
        let last = GATEWAY.lines().last().unwrap_or_default();
        let evidence = format!("{last}\n[evidence]\nkeep = \"{keep}\"\nbasis = \"{basis}\"\n");
        let told = told_of_gateway(last, &evidence);
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (told, expected) in told.iter().zip(&expected) {
            assert!(told.starts_with(expected), "{told}: {expected}");
        }
    }
}
