//! Who may import whom (docs/ARCHITECTURE.md): no circle, between crates, rooms or files, and no arrow
//! upwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex_lite::Regex;

/// The crates from the bottom up: each may use those on lower floors only. Tests may use more.
const FLOORS: [&[&str]; 4] = [
    &["core"],
    &["history"],
    &["local", "aws", "sim"],
    &["realtime", "reseed", "cli", "fuzz"],
];

/// The rooms of the history crate from the bottom up.
const ROOMS: [&[&str]; 5] = [
    &["id"],
    &["plan"],
    &["scan", "send"],
    &["job", "verify"],
    &["api"],
];

/// The rooms of core from the bottom up.
const CORE: [&[&str]; 9] = [
    &["failure", "text"],
    &["timestamp", "retry", "limiter"],
    &["clock", "event"],
    &["format", "notification", "listing", "watched"],
    &["queue"],
    &["forward"],
    &["live"],
    &["config"],
    &["realtime"],
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates")
}

/// Which modules of a crate use which, by file: `scan::keyspace` is `src/scan/keyspace.rs`. Tests are
/// left out.
fn imports(name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let source = crates().join(name).join("src");
    let mut files = Vec::new();
    collect(&source, &source, &mut files);
    let names: BTreeSet<_> = files.iter().map(|(name, _)| name.clone()).collect();
    let uses = Regex::new(r"\b(crate|super)((?:::\w+)+)").unwrap();
    let grouped = Regex::new(r"\bcrate((?:::\w+)*)::\{([^}]*)\}").unwrap();
    let comment = Regex::new(r"//[^\n]*").unwrap();
    let mut found = BTreeMap::new();
    for (name, text) in &files {
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
        let code = comment.replace_all(code, "");
        let parent = name.rsplit_once("::").map_or("", |(parent, _)| parent);
        let mut paths = Vec::new();
        for used in uses.captures_iter(&code) {
            let of = if &used[1] == "crate" { "" } else { parent };
            paths.push(format!("{of}{}", &used[2]));
        }
        for used in grouped.captures_iter(&code) {
            let items = used[2].split(',').map(str::trim);
            paths.extend(items.map(|item| format!("{}::{item}", &used[1])));
        }
        let modules = paths.iter().map(|path| module(path, &names));
        found.insert(name.clone(), modules.filter(|used| used != name).collect());
    }
    found
}

/// The module that a path leads to or into; what is in none is in `lib`.
fn module(path: &str, names: &BTreeSet<String>) -> String {
    let mut path = path.trim_start_matches("::");
    while !names.contains(path) {
        let Some((parent, _)) = path.rsplit_once("::") else {
            return "lib".to_owned();
        };
        path = parent;
    }
    path.to_owned()
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let name = path.strip_prefix(root).unwrap().with_extension("");
            let name = name.to_string_lossy().replace('/', "::");
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// A circle among `nodes`, if there is one.
fn circle(nodes: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit(
        node: &str,
        nodes: &BTreeMap<String, BTreeSet<String>>,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(begin) = way.iter().position(|passed| passed == node) {
            return Some(way[begin..].to_vec());
        }
        if !done.insert(node.to_owned()) {
            return None;
        }
        way.push(node.to_owned());
        let mut next = nodes.get(node).into_iter().flatten();
        let circle = next.find_map(|next| visit(next, nodes, way, done));
        way.pop();
        circle
    }
    let mut done = BTreeSet::new();
    nodes
        .keys()
        .find_map(|node| visit(node, nodes, &mut Vec::new(), &mut done))
}

/// The floor that a room or a crate is on.
fn floor(floors: &[&[&str]], name: &str) -> usize {
    let found = floors.iter().position(|floor| floor.contains(&name));
    found.unwrap_or_else(|| panic!("{name} is on no floor: put it on one in {}", file!()))
}

#[test]
fn no_file_is_in_a_circle_of_imports() {
    let mut edges = 0;
    for name in FLOORS.concat() {
        let imports = imports(name);
        edges += imports.values().map(BTreeSet::len).sum::<usize>();
        assert_eq!(circle(&imports), None, "in crate {name}");
    }
    assert!(edges > 200, "the sources were not read: {edges} imports");
}

#[test]
fn no_room_imports_one_above_or_beside_it() {
    for (name, floors) in [("history", &ROOMS[..]), ("core", &CORE[..])] {
        for (file, used) in imports(name) {
            let room = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
            if file == "lib" {
                continue;
            }
            let others = used.iter().filter(|used| room(used) != room(&file));
            for used in others.filter(|used| *used != "lib") {
                let (from, to) = (floor(floors, &room(&file)), floor(floors, &room(used)));
                assert!(from > to, "{name}: {file} imports {used}");
            }
        }
    }
}

#[test]
fn no_crate_depends_on_one_above_or_beside_it() {
    let package = |name: &str| match name {
        "realtime" | "reseed" => name.to_owned(),
        "cli" => "s3-sqs-bridge".to_owned(),
        name => format!("bridge-{name}"),
    };
    for (level, floor) in FLOORS.iter().enumerate() {
        for name in *floor {
            let manifest = std::fs::read_to_string(crates().join(name).join("Cargo.toml")).unwrap();
            let (_, dependencies) = manifest.split_once("\n[dependencies]\n").unwrap();
            let dependencies = dependencies.split("\n[").next().unwrap();
            for other in FLOORS[level..].concat() {
                let other = package(other);
                let depends = dependencies
                    .lines()
                    .any(|line| line.split(['.', ' ']).next() == Some(&other));
                assert!(!depends, "{name} depends on {other}");
            }
        }
    }
}

#[test]
fn a_circle_is_found() {
    let graph = |edges: &[(&str, &str)]| {
        let mut nodes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in edges {
            nodes
                .entry((*from).to_owned())
                .or_default()
                .insert((*to).to_owned());
        }
        nodes
    };
    assert_eq!(circle(&graph(&[("a", "b"), ("a", "c"), ("b", "c")])), None);
    let found = circle(&graph(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")]));
    assert_eq!(found.unwrap(), ["b", "c", "d"]);
}
