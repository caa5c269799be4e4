//! What the documentation says of the project is true.

use std::fs;
use std::path::Path;

use crate::harness::root;

/// The text of every Rust file below a folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn every_test_that_security_md_names_exists() {
    let tests = sources(&root().join("tests")) + &sources(&root().join("crates"));
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let names: Vec<&str> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.matches('_').count() >= 3 && !code.contains(['/', ' ', '$']))
        .collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        assert!(tests.contains(&format!("fn {name}()")), "no test is named {name}");
    }
}

#[test]
fn every_directive_and_variable_is_documented() {
    let text = fs::read_to_string(root().join("docs/directives.md")).unwrap();
    let code = sources(&root().join("src"));
    let names: Vec<&str> = code
        .split("name: ")
        .skip(1)
        .filter_map(|rest| rest.trim_start_matches('c').strip_prefix('"')?.split('"').next())
        .collect();
    assert!(names.len() >= 18, "{names:?}");
    for name in names {
        let is_documented = text.contains(&format!("### {name}\n"))
            || text
                .lines()
                .any(|line| line.starts_with("###") && line.contains(&format!("${name}")));
        assert!(is_documented, "{name}");
    }
}

#[test]
fn files_that_the_documentation_links_to_exist() {
    for document in ["README.md", "docs/directives.md", "docs/migrating.md", "docs/security.md"] {
        let path = root().join(document);
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if !link.contains("://") && !link.starts_with('#') {
                assert!(path.parent().unwrap().join(link).exists(), "{document}: {link}");
            }
        }
    }
}
