//! The rooms of the core: a lower one never names a higher one.

use super::source::{self, is_word};

/// The modules of `countersign`, low to high. A room may name those before it.
const ROOMS: [&str; 34] = [
    "config",
    "alg",
    "base64url",
    "json",
    "clock",
    "changes",
    "secret",
    "authority",
    "key_error",
    "reason",
    "decision",
    "request",
    "crypto",
    "jwk",
    "key",
    "danger",
    "jws",
    "claims",
    "provider",
    "cache",
    "observe",
    "issue",
    "token",
    "rules",
    "revocation",
    "authorize",
    "verifier",
    "extract",
    "cookie",
    "resource_metadata",
    "challenge",
    "denial",
    "guard",
    "manifest",
];

const CORE: &str = "crates/countersign/src";

/// What a file of `room` names and must not. `depth` is 0 for `room.rs`, 1 for `room/part.rs`.
fn breaches(room: &str, depth: usize, code: &str) -> Vec<String> {
    let place = |name: &str| ROOMS.iter().position(|room| *room == name);
    let Some(own) = place(room) else {
        return vec![format!("`{room}` has no place among the rooms")];
    };
    let judge = |name: &str| match place(name) {
        None => Some(format!("`{room}` names `crate::{name}`, which is no room: name it where it is defined")),
        Some(other) if other > own => Some(format!("`{room}` names the higher room `{name}`")),
        Some(_) => None,
    };
    names(depth, code).into_iter().filter_map(judge).collect()
}

/// The first name of each path from the root of the crate, which `super` reaches too.
fn names(depth: usize, code: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for prefix in ["crate::", &"super::".repeat(depth + 1)] {
        for (at, _) in code.match_indices(prefix) {
            let (before, rest) = (&code[..at], &code[at + prefix.len()..]);
            if before.ends_with(|c| is_word(c) || c == ':') {
                continue;
            }
            match rest.strip_prefix('{') {
                Some(group) => names.extend(members(group).into_iter().map(first_name)),
                None => names.push(first_name(rest)),
            }
        }
    }
    names
}

fn first_name(path: &str) -> &str {
    path.split(|c| !is_word(c)).next().unwrap_or_default()
}

/// The parts of a `{…}` of a `use`, whose opening brace is gone.
fn members(group: &str) -> Vec<&str> {
    let mut depth = 0;
    let mut start = 0;
    let mut members = Vec::new();
    for (at, c) in group.char_indices() {
        let ends = match c {
            '{' => {
                depth += 1;
                false
            }
            '}' if depth > 0 => {
                depth -= 1;
                false
            }
            '}' => true,
            ',' => depth == 0,
            _ => false,
        };
        if ends {
            members.push(group[start..at].trim());
            start = at + 1;
        }
        if ends && c == '}' {
            break;
        }
    }
    members.retain(|member| !member.is_empty());
    members
}

#[test]
fn no_room_names_a_higher_one() {
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for file in source::under(CORE) {
        let Some(path) = file.path.strip_prefix(CORE).and_then(|path| path.strip_prefix('/')) else {
            continue;
        };
        let room = path.split('/').next().unwrap_or(path).trim_end_matches(".rs");
        if room != "lib" {
            seen.push(room.to_owned());
            let depth = path.matches('/').count();
            found.extend(breaches(room, depth, &file.shipped_code()).into_iter().map(|b| format!("{path}: {b}")));
        }
    }
    assert_eq!(found, [""; 0]);
    for room in ROOMS {
        assert!(seen.iter().any(|seen| seen == room), "there is a room `{room}`");
    }
}

#[test]
fn a_breach_is_seen() {
    let cases = [
        ("alg", 0, "use crate::guard::Guard;", "`alg` names the higher room `guard`"),
        ("alg", 0, "fn f() { crate::jws::g() }", "`alg` names the higher room `jws`"),
        ("alg", 0, "use super::guard::Guard;", "`alg` names the higher room `guard`"),
        ("jws", 0, "use crate::{alg::{A, B}, token};", "`jws` names the higher room `token`"),
        ("jws", 0, "use crate::{\n    alg,\n    token::T,\n};", "`jws` names the higher room `token`"),
        ("key", 1, "use super::super::jws;", "`key` names the higher room `jws`"),
        ("key", 0, "use ::a::b; use crate::jws::{x::{y}};", "`key` names the higher room `jws`"),
        ("guard", 0, "use crate::keys::KeyError;", "`guard` names `crate::keys`, which is no room"),
        ("guard", 0, "use crate::VerifiedToken;", "`guard` names `crate::VerifiedToken`, which is no room"),
        ("guard", 0, "use crate::*;", "`guard` names `crate::`, which is no room"),
        ("attic", 0, "", "`attic` has no place among the rooms"),
    ];
    for (room, depth, code, expected) in cases {
        let found = breaches(room, depth, code);
        assert!(matches!(&*found, [one] if one.starts_with(expected)), "{code}: {found:?}");
    }
}

#[test]
fn what_is_lower_or_of_the_room_itself_may_be_named() {
    let cases = [
        ("guard", 0, "use crate::alg::Algorithm; use crate::{json::{self, x}, jws};"),
        ("guard", 1, "use crate::guard::Guard; use super::check::Check;"),
        ("alg", 0, "pub(crate) use other_crate::guard::x; use a::super::y;"),
    ];
    for (room, depth, code) in cases {
        assert_eq!(breaches(room, depth, code), [""; 0], "{code}");
    }
}
