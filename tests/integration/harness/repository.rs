//! Files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of `tests/data`.
pub fn data(name: &str) -> PathBuf {
    root().join("tests/data").join(name)
}

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The documents of the project: all in Markdown but hidden folders, what was built, and copies of
/// what others wrote.
pub fn documents() -> Vec<PathBuf> {
    let mut documents = Vec::new();
    add_documents(&root(), &mut documents);
    documents
}

fn add_documents(folder: &Path, documents: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        let is_foreign = path == root().join("tests/advisories/crates");
        let is_built = ["target", "dist", "run", "tmp", "venv"].contains(&name.as_str());
        if entry.file_type().unwrap().is_dir() {
            if !is_foreign && !is_built && !name.starts_with('.') {
                add_documents(&path, documents);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            documents.push(path);
        }
    }
}
