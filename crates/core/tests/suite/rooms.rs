//! The order of rooms: a file uses only those that stand below it in the list of `mod` that names
//! it, so that none imports in a circle.

use std::fs;
use std::path::{Path, PathBuf};

/// The roots of the crates whose rooms are in order.
const CRATES: [&str; 3] = ["crates/core/src/lib.rs", "crates/http/src/lib.rs", "src/lib.rs"];

#[test]
fn a_room_uses_only_rooms_that_stand_below_it() {
    let repository = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let (mut faults, mut uses) = (Vec::new(), 0);
    for root in CRATES.map(|root| repository.join(root)) {
        check(&root, &mut |at, used, is_below| {
            uses += 1;
            if !is_below {
                faults.push(format!("{}: {}", at.display(), used.join("::")));
            }
        });
    }
    assert!(uses > 200, "only {uses} uses were found: is the reader of sources broken?");
    assert!(faults.is_empty(), "not of a room below:\n{}", faults.join("\n"));
}

/// Tells of each path that a file of the crate names whether it is below the file.
fn check(root: &Path, tell: &mut impl FnMut(&Path, &[String], bool)) {
    let source = root.parent().unwrap();
    let rooms = modules(root);
    for (own, room) in rooms.iter().enumerate() {
        let face = source.join(room).join("mod.rs");
        let files = if face.exists() { modules(&face) } else { Vec::new() };
        let mut of_room: Vec<(Option<usize>, PathBuf)> = files
            .iter()
            .enumerate()
            .map(|(index, file)| (Some(index), source.join(room).join(format!("{file}.rs"))))
            .collect();
        of_room.push(if face.exists() {
            (None, face)
        } else {
            (None, source.join(format!("{room}.rs")))
        });
        for (index, path) in of_room {
            for used in paths(&fs::read_to_string(&path).unwrap(), room, index.is_some()) {
                let is_below = if used[0] == *room {
                    let other = used.get(1).and_then(|name| files.iter().position(|f| f == name));
                    // The face of a room may name all of it; a file of it never the face.
                    index.is_none_or(|index| other.is_some_and(|other| other > index))
                } else {
                    rooms.iter().position(|room| *room == used[0]).is_some_and(|other| other > own)
                };
                tell(&path, &used, is_below);
            }
        }
    }
}

/// The modules that a file declares, in order.
fn modules(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let declared = text.lines().filter_map(|line| {
        let (before, name) = line.split_once("mod ")?;
        let is_declared = before.is_empty() || before.starts_with("pub");
        name.strip_suffix(';').filter(|_| is_declared).map(str::to_owned)
    });
    declared.collect()
}

/// The paths within the crate that a file names outside of its comments and tests, of two names at
/// most; `super` is the room, seen from a file of it.
fn paths(text: &str, room: &str, is_in_folder: bool) -> Vec<Vec<String>> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join(" ");
    let mut found = Vec::new();
    for (word, before) in [("crate::", vec![]), ("super::", vec![room.to_owned()])] {
        if word == "super::" && !is_in_folder {
            continue;
        }
        for (at, _) in code.match_indices(word) {
            // `$crate`, and what ends so.
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || "_$:".contains(c)) {
                continue;
            }
            let rest = &code[at + word.len()..];
            for name in first_names(rest) {
                found.push([before.clone(), name].concat());
            }
        }
    }
    found
}

/// What follows `crate::`: a path, or several in braces.
fn first_names(rest: &str) -> Vec<Vec<String>> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    let (path, rest) = rest.split_at(end);
    let path: Vec<String> =
        path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
    match rest.strip_prefix('{') {
        Some(list) => {
            let list = &list[..list.find('}').unwrap_or(list.len())];
            let names = list.split(',').flat_map(|name| first_names(name.trim()));
            names
                .map(|name| [path.clone(), name].concat())
                .filter(|path| !path.is_empty())
                .collect()
        }
        None => vec![path],
    }
}
