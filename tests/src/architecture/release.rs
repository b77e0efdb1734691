//! What each crate that is published has, so that `cargo package` and those who read the result find it.

use super::{METADATA, root, toml};
use cargo_metadata::{DependencyKind, Package};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

fn published() -> Vec<&'static Package> {
    let members = METADATA.workspace_packages().into_iter();
    members.filter(|member| member.publish.as_ref().is_none_or(|registries| !registries.is_empty())).collect()
}

/// What a manifest, or the folder that it stands in, lacks.
fn missing(package: &Package) -> Vec<&'static str> {
    let folder = package.manifest_path.parent().expect("a folder");
    let read = |path: &str| fs::read_to_string(folder.join(path)).unwrap_or_default();
    let is_ours = |licence: &str| {
        let ours = fs::read_to_string(root().join(licence)).expect("a licence");
        !ours.is_empty() && read(licence) == ours
    };
    let is_text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    let readme = read("README.md");
    let compiles_readme = "#[cfg(doctest)]\n#[doc = include_str!(\"../README.md\")]";
    let minimum = package.rust_version.as_ref().map(|oldest| format!("Rust {}.{}", oldest.major, oldest.minor));
    let minimum = minimum.unwrap_or_default();
    let wanted = [
        ("description", is_text(&package.description)),
        ("license", package.license.as_deref() == Some("MIT OR Apache-2.0")),
        ("documentation", package.documentation == Some(format!("https://docs.rs/{}", package.name))),
        ("keywords", (1..=5).contains(&package.keywords.len())),
        ("categories", (1..=5).contains(&package.categories.len())),
        ("rust-version", !minimum.is_empty()),
        ("include", toml(&package.manifest_path)["package"].get("include").is_some()),
        ("readme", package.readme.is_some() && !readme.is_empty()),
        ("README.md with code that compiles", readme.contains("```rust")),
        ("README.md with the oldest Rust, if any", !readme.contains("Rust 1.") || readme.contains(&minimum)),
        ("README.md among the doc tests", read("src/lib.rs").contains(compiles_readme)),
        ("LICENSE-APACHE", is_ours("LICENSE-APACHE")),
        ("LICENSE-MIT", is_ours("LICENSE-MIT")),
    ];
    wanted.into_iter().filter(|(_, is_there)| !is_there).map(|(what, _)| what).collect()
}

#[test]
fn every_published_crate_says_what_it_is_and_under_which_terms() {
    let packages = published();
    assert!(packages.len() >= 9, "there is something to publish");
    let lacks = packages.iter().map(|package| (package.name.as_str(), missing(package)));
    let lacks: BTreeMap<_, _> = lacks.filter(|(_, missing)| !missing.is_empty()).collect();
    assert!(lacks.is_empty(), "{lacks:#?}");
}

#[test]
fn what_a_crate_lacks_is_seen() {
    let mut bare = (*published().first().expect("a crate")).clone();
    bare.description = Some(" ".into());
    bare.keywords.clear();
    bare.categories.clear();
    bare.license = None;
    bare.rust_version = None;
    bare.readme = None;
    bare.documentation = None;
    let seen = missing(&bare);
    let wanted = ["description", "license", "documentation", "keywords", "categories", "rust-version", "readme"];
    assert!(wanted.iter().all(|what| seen.contains(what)), "{seen:?}");
}

#[test]
fn nothing_that_is_built_here_wants_a_newer_rust_than_we_say() {
    let ours = published().first().and_then(|package| package.rust_version.clone()).expect("a version");
    assert!(METADATA.workspace_packages().iter().all(|member| member.rust_version.as_ref() == Some(&ours)));
    let resolved =
        METADATA.resolve.as_ref().expect("a resolved workspace").nodes.iter().map(|node| &METADATA[&node.id]);
    let declared: Vec<_> = resolved.filter(|package| package.rust_version.is_some()).collect();
    assert!(declared.len() > 100, "dependencies declare what they want");
    let newer = declared.iter().filter(|package| package.rust_version.as_ref().is_some_and(|wanted| *wanted > ours));
    let newer: Vec<_> = newer.map(|package| (package.name.as_str(), &package.rust_version)).collect();
    assert!(newer.is_empty(), "newer than {ours}: {newer:?}");
}

/// The names in a cell, such as `` `axum`, `http` ``.
fn names(cell: &str) -> BTreeSet<&str> {
    cell.split(',').map(|name| name.trim().trim_matches('`')).filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_dependency_is_listed_as_public_or_private() {
    let page = include_str!("../../../docs/STABILITY.md");
    let rows = page.lines().filter(|line| line.starts_with("| `countersign"));
    let mut listed = BTreeMap::new();
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let &[name, public, through, private] = &*cells else { panic!("four cells: {row}") };
        let (public, private) = (names(public), names(private));
        assert!(public.is_disjoint(&private), "{name}: both public and private");
        assert!(names(through).is_disjoint(&private), "{name}: what is private brings nothing along");
        let all = public.union(&private).map(|dependency| (*dependency).to_owned()).collect();
        assert_eq!(listed.insert(name.trim_matches('`').to_owned(), all), None, "{name} stands there twice");
    }
    let depends = |package: &Package| -> BTreeSet<String> {
        let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        normal.map(|dependency| dependency.name.clone()).collect()
    };
    let declared: BTreeMap<_, _> =
        published().into_iter().map(|package| (package.name.to_string(), depends(package))).collect();
    assert_eq!(listed, declared);
}
