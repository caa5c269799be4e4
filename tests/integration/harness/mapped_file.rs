//! A file that is written to unseen.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Writes to a file in place without that its times tell, as within a tick of their clock: through
/// a page of it that was written to already.
pub struct MappedFile(Child);

impl MappedFile {
    /// Opens one.
    pub fn open(path: &Path) -> Self {
        let script = "import mmap, sys
with open(sys.argv[1], 'r+b') as file:
    page = mmap.mmap(file.fileno(), 0)
    page[0:1] = page[0:1]
    print(flush=True)
    for line in sys.stdin:
        contents = bytes.fromhex(line)
        page[0:len(contents)] = contents
        print(flush=True)";
        let mut child = Command::new("python3")
            .args(["-c", script])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self::answer(&mut child);
        Self(child)
    }

    /// Writes over its beginning.
    pub fn write(&mut self, contents: &str) {
        let digits: String = contents.bytes().map(|byte| format!("{byte:02x}")).collect();
        writeln!(self.0.stdin.as_mut().unwrap(), "{digits}").unwrap();
        Self::answer(&mut self.0);
    }

    fn answer(child: &mut Child) {
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
