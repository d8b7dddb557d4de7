//! Which right an address asks for, before its handler sees the request.
//!
//! Whoever adds a page that only some may see adds a line; what stands in no line can be read by
//! everybody who is signed in, and changed by those who may act.

use axum::http::Method;

use crate::accounts::Right;

/// The beginning of a path, to read and to change.
const TABLE: [(&str, Right, Right); 11] = [
    // One's own account, and the way out.
    ("/account", Right::See, Right::See),
    ("/logout", Right::See, Right::See),
    ("/users", Right::Administer, Right::Administer),
    ("/audit", Right::SeeAudit, Right::SeeAudit),
    ("/api/v1/audit", Right::SeeAudit, Right::SeeAudit),
    ("/integrate", Right::Integrate, Right::Integrate),
    ("/api/v1/integrate", Right::Integrate, Right::Integrate),
    ("/draw", Right::Integrate, Right::Integrate),
    ("/report", Right::Act, Right::Act),
    ("/write", Right::Write, Right::Write),
    ("/api/v1/write", Right::Write, Right::Write),
];

/// The right that a request needs.
pub(super) fn needed(method: &Method, path: &str) -> Right {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let below = |start: &str| {
        path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let found = TABLE.iter().find(|(start, ..)| below(start));
    match found {
        Some((_, to_read, to_change)) => *if is_read { to_read } else { to_change },
        None if is_read => Right::See,
        None => Right::Act,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_for_all_and_changing_for_those_who_act_unless_the_table_says_otherwise() {
        for (method, path, expected) in [
            (Method::GET, "/", Right::See),
            (Method::GET, "/models", Right::See),
            (Method::POST, "/verdict", Right::Act),
            (Method::POST, "/anything/new", Right::Act),
            (Method::DELETE, "/", Right::Act),
            (Method::GET, "/users", Right::Administer),
            (Method::POST, "/users", Right::Administer),
            (Method::GET, "/usersx", Right::See),
            (Method::GET, "/api/v1/audit", Right::SeeAudit),
            (Method::POST, "/account", Right::See),
            (Method::GET, "/report", Right::Act),
            (Method::GET, "/reports", Right::See),
            (Method::POST, "/integrate/scan", Right::Integrate),
            (Method::GET, "/draw/lane-1/still", Right::Integrate),
            (Method::GET, "/events/e/still", Right::See),
        ] {
            assert_eq!(needed(&method, path), expected, "{method} {path}");
        }
    }
}
