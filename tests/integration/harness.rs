//! A real nginx for each test.
//!
//! ```ignore
//! let nginx = Nginx::with_location("/", "return 200 $decoded_ojwt;");
//! let response = nginx.get(&format!("/?jwt={}", token(json!({"sub": "me"}))));
//! assert_eq!(response.body, r#"{"sub":"me"}"#);
//! ```
//!
//! Each nginx has a folder and a loopback address of its own, so that tests run side by side.
//! It is stopped when the test ends, however that is; if the test failed, its error log is shown.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, process, thread};

use ojwt_core::Alg;
use ojwt_core::issue::sign::SigningKey;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The host that requests are for unless they say otherwise.
pub const HOST: &str = "example.com";

/// Which module an nginx loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// Without an embedded key.
    Plain,
    /// With the public key of [`ISSUER`] embedded.
    Embedded,
    /// Without an embedded key, and with a panic for the token `panic`.
    Panicking,
}

/// An nginx that is being described.
pub struct Builder {
    module: Module,
    http: String,
    server: String,
    files: Vec<(String, Vec<u8>)>,
    whole: Option<String>,
    configuration_file: &'static str,
}

/// A running nginx.
pub struct Nginx {
    module: Module,
    directory: TempDir,
    address: SocketAddrV4,
    master: Child,
}

impl Nginx {
    /// Describes an nginx whose one server knows the issuer's key and nothing else.
    pub fn builder() -> Builder {
        Builder {
            module: Module::Plain,
            http: String::new(),
            server: String::new(),
            files: vec![("issuer.pem".to_owned(), public_pem(&ISSUER).into_bytes())],
            whole: None,
            configuration_file: "nginx.conf",
        }
    }

    /// Starts an nginx with one location, at a gate that trusts the issuer.
    pub fn with_location(path: &str, location: &str) -> Self {
        Self::with_server(&format!("location {path} {{ {location} }}"))
    }

    /// Starts an nginx with this server, at a gate that trusts the issuer.
    pub fn with_server(server: &str) -> Self {
        Self::builder().http("auth_jwt_key_file issuer.pem;").server(server).start()
    }

    /// `GET target`, with header lines such as `Api-Key: x`.
    pub fn get_with(&self, target: &str, headers: &[&str]) -> Response {
        let mut request = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|line| line.to_ascii_lowercase().starts_with("host:")) {
            write!(request, "Host: {HOST}\r\n").unwrap();
        }
        for line in headers {
            write!(request, "{line}\r\n").unwrap();
        }
        self.send(format!("{request}\r\n").as_bytes())
    }

    /// `GET target`.
    pub fn get(&self, target: &str) -> Response {
        self.get_with(target, &[])
    }

    /// Sends bytes as they are, and reads the answer until nginx closes the connection.
    pub fn send(&self, request: &[u8]) -> Response {
        let mut stream = TcpStream::connect(self.address).expect("nginx accepts connections");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // nginx may answer, and close, before it has read the whole of a bad request.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
        Response::parse(&answer)
    }

    /// Sends requests at once, of which the last closes the connection; the statuses of the answers.
    pub fn send_all(&self, requests: &[u8]) -> Vec<u16> {
        let mut stream = TcpStream::connect(self.address).expect("nginx accepts connections");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let reading = thread::spawn(move || {
            let mut answers = Vec::new();
            reader.read_to_end(&mut answers).unwrap();
            String::from_utf8_lossy(&answers).into_owned()
        });
        stream.write_all(requests).unwrap();
        let answers = reading.join().unwrap();
        let starts = answers.split("HTTP/1.1 ").skip(1);
        starts.map(|answer| answer[..3].parse().unwrap()).collect()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// The process of its master.
    pub fn master(&self) -> u32 {
        self.master.id()
    }

    /// Has it end in order, and waits until it has.
    pub fn quit(mut self) {
        self.signal("QUIT");
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.master.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "nginx does not end");
            thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "{status}: {}", self.file("stderr.log"));
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces a file in its folder.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    /// The error log so far, at level `info`.
    pub fn error_log(&self) -> String {
        read(&self.path("error.log"))
    }

    /// Waits until the error log holds `text`.
    pub fn wait_for_log(&self, text: &str) {
        self.wait(&format!("{text:?} in the error log"), || self.error_log().contains(text));
    }

    /// A file that nginx writes, such as an access log.
    pub fn file(&self, name: &str) -> String {
        read(&self.path(name))
    }

    /// Waits until `condition` holds.
    #[allow(clippy::unused_self)] // Reads better.
    pub fn wait(&self, what: &str, condition: impl Fn() -> bool) {
        wait(what, condition);
    }

    /// Reads the configuration anew, and waits until only workers of the new one are left.
    pub fn reload(&self) {
        let old = self.workers();
        self.signal("HUP");
        self.wait("new workers", || {
            let workers = self.workers();
            !workers.is_empty() && workers.iter().all(|worker| !old.contains(worker))
        });
    }

    /// Sends the master a signal, such as `HUP`.
    pub fn signal(&self, signal: &str) {
        kill(self.master.id(), signal);
    }

    /// The processes of its workers.
    pub fn workers(&self) -> Vec<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.master.id());
        read(Path::new(&children)).split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    /// How often the error log holds `text`.
    pub fn count_in_log(&self, text: &str) -> usize {
        self.error_log().matches(text).count()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if matches!(self.master.try_wait(), Ok(None)) {
            kill(self.master.id(), "TERM");
        }
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.master.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.master.kill();
                let _ = self.master.wait();
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let log = self.error_log();
        if thread::panicking() {
            eprintln!("--- error log of the nginx of this test ---\n{log}");
        } else {
            // No test may pass over a worker that crashed or an entry point that panicked.
            let codes = log.split("exited with code ").skip(1);
            let failed = codes.filter(|code| !code.starts_with('0')).count();
            assert_eq!(failed, 0, "a worker ended with another code than 0:\n{log}");
            let panics = self.module == Module::Panicking;
            for trouble in ["exited on signal", "internal error at", "[alert]"] {
                let is_expected = panics && trouble != "exited on signal";
                assert!(
                    is_expected || !log.contains(trouble),
                    "{trouble:?} in the error log:\n{log}"
                );
            }
        }
    }
}

impl Builder {
    /// Chooses the module.
    pub fn module(mut self, module: Module) -> Self {
        self.module = module;
        self
    }

    /// Adds lines to `http`.
    pub fn http(mut self, lines: &str) -> Self {
        self.http.push_str(lines);
        self
    }

    /// Adds lines to the server.
    pub fn server(mut self, lines: &str) -> Self {
        self.server.push_str(lines);
        self
    }

    /// Adds a file to the folder in which the configuration lies.
    pub fn file(mut self, name: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), contents.into()));
        self
    }

    /// Takes a whole configuration instead; `MODULE` and `ADDRESS` in it are replaced.
    pub fn whole(mut self, configuration: &str) -> Self {
        self.whole = Some(configuration.to_owned());
        self
    }

    /// Puts the configuration elsewhere in its folder.
    pub fn configuration_file(mut self, name: &'static str) -> Self {
        self.configuration_file = name;
        self
    }

    /// Starts it, and waits until it answers.
    pub fn start(self) -> Nginx {
        let address = own_address();
        let directory = self.write(address);
        let master = self
            .nginx(directory.path())
            .args(["-g", "daemon off;"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.path().join("stderr.log")).unwrap())
            .spawn()
            .expect("nginx is installed (scripts/setup)");
        let mut nginx = Nginx { module: self.module, directory, address, master };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            let exited = nginx.master.try_wait().unwrap();
            assert!(
                exited.is_none() && Instant::now() < deadline,
                "nginx did not start: {}",
                nginx.file("stderr.log")
            );
            thread::sleep(Duration::from_millis(5));
        }
        // The master listens before it has workers.
        wait("a worker", || !nginx.workers().is_empty());
        nginx
    }

    /// What `nginx -t` says of a configuration that it refuses; its exit code must be 1.
    pub fn refused(self) -> String {
        let (output, text) = self.test();
        assert_eq!(output.status.code(), Some(1), "nginx -t accepts:\n{text}");
        text
    }

    /// What `nginx -t` says of a configuration that it accepts.
    pub fn accepted(self) -> String {
        let (output, text) = self.test();
        assert!(output.status.success(), "nginx -t refuses:\n{text}");
        text
    }

    /// What `nginx -t` says of a configuration, whether it accepts it or not.
    pub fn outcome(self) -> String {
        self.test().1
    }

    fn test(self) -> (Output, String) {
        let directory = self.write(own_address());
        let output = self.nginx(directory.path()).arg("-t").output().expect("nginx is installed");
        let text = String::from_utf8_lossy(&output.stderr)
            .replace(&format!("{}/", directory.path().display()), "");
        (output, text)
    }

    fn write(&self, address: SocketAddrV4) -> TempDir {
        let directory = tempfile::Builder::new()
            .prefix("ojwt-test-")
            .permissions(world_readable())
            .tempdir()
            .unwrap();
        for folder in ["conf.d", "html", "modules", "tmp"] {
            fs::create_dir(directory.path().join(folder)).unwrap();
        }
        for (name, contents) in &self.files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
        let configuration = match &self.whole {
            Some(whole) => whole.clone(),
            None => self.configuration(),
        };
        let load_module = if is_static() { "" } else { "load_module \"MODULE\";" };
        let configuration = configuration
            .replace("load_module \"MODULE\";", load_module)
            .replace("MODULE", &module(self.module).display().to_string())
            .replace("ADDRESS", &address.to_string())
            // nginx takes the paths of sockets as they are.
            .replace("unix:", &format!("unix:{}/", directory.path().display()));
        fs::write(directory.path().join(self.configuration_file), configuration).unwrap();
        directory
    }

    fn nginx(&self, directory: &Path) -> Command {
        let mut nginx = Command::new(binary(self.module));
        // nginx takes its value for sockets that it inherits.
        nginx.env_remove("NGINX");
        nginx.arg("-p").arg(directory).args(["-c", self.configuration_file, "-e", "error.log"]);
        nginx
    }

    fn configuration(&self) -> String {
        let Self { http, server, .. } = self;
        let access_log = if http.contains("access_log") { "" } else { "access_log off;" };
        format!(
            "load_module \"MODULE\";
worker_processes 1;
error_log error.log info;
pid nginx.pid;
events {{ worker_connections 512; }}
http {{
{access_log}
client_body_temp_path tmp/body; proxy_temp_path tmp/proxy; fastcgi_temp_path tmp/fastcgi;
uwsgi_temp_path tmp/uwsgi; scgi_temp_path tmp/scgi;
{http}
server {{
listen ADDRESS;
server_name {HOST};
root html;
{server}
}}
}}
"
        )
    }
}

/// An answer of nginx.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    /// The value of a header field that occurs once or not at all.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.headers(name);
        assert!(values.len() <= 1, "{name} occurs more than once: {values:?}");
        values.first().copied()
    }

    /// All values of a header field.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    fn parse(answer: &[u8]) -> Self {
        let text = String::from_utf8_lossy(answer);
        let (head, body) =
            text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let is_chunked = headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("transfer-encoding") && value == "chunked"
        });
        let body = if is_chunked { unchunked(body) } else { body.to_owned() };
        Self { status, headers, body }
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.push_str(&rest[..size]);
        body = &rest[size + 2..];
        if size == 0 {
            break;
        }
    }
    whole
}

/// What a server of the test does with a request that it read: it answers to the stream, or not.
pub type Answer = dyn Fn(&str, &mut TcpStream) + Send + Sync;

/// A server of the test, on an address of its own, that answers each request on a new connection.
pub struct Upstream {
    address: SocketAddrV4,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    /// Starts one.
    pub fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(own_address()).unwrap();
        let std::net::SocketAddr::V4(address) = listener.local_addr().unwrap() else {
            unreachable!()
        };
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let answer: Arc<Answer> = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let head = read_head(&mut stream);
                    if head.is_empty() {
                        return;
                    }
                    seen.lock().unwrap().push(head.clone());
                    answer(&head, &mut stream);
                });
            }
        });
        Self { address, requests }
    }

    /// Starts one whose answer is always the same.
    pub fn with_answer(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::start(move |_, stream| {
            let _ = stream.write_all(answer.as_bytes());
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// The heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The heads of the requests so far, once there are at least `count`: for those that nginx sends
    /// side by side, and whose answers it does not wait for.
    pub fn requests_once(&self, count: usize) -> Vec<String> {
        wait("the requests", || self.requests().len() >= count);
        self.requests()
    }
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.extend_from_slice(&byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A response with the status 200 and this body.
pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// The key whose tokens the gates of the tests trust.
pub static ISSUER: LazyLock<SigningKey> = LazyLock::new(|| key("rsa.pem"));

/// A key that no gate trusts.
pub static FORGER: LazyLock<SigningKey> = LazyLock::new(|| key("other_rsa.pem"));

/// A key of `tests/data`.
pub fn key(name: &str) -> SigningKey {
    SigningKey::read(&fs::read(data(name)).unwrap()).unwrap()
}

/// A token of the issuer, RS256.
pub fn token(claims: Value) -> String {
    signed_by(&ISSUER, &claims)
}

/// A token of some RSA key, RS256.
pub fn signed_by(key: &SigningKey, claims: &Value) -> String {
    key.sign(Alg::RS256, None, claims.to_string().as_bytes()).unwrap()
}

/// The public half of a key in PEM.
pub fn public_pem(key: &SigningKey) -> String {
    ojwt_core::issue::sign::public_pem(&key.material().unwrap()).unwrap()
}

/// A key and a certificate for TLS, which nobody but itself vouches for.
pub fn self_signed() -> (Vec<u8>, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let (key, certificate) = (directory.path().join("key"), directory.path().join("certificate"));
    let status = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-subj", "/CN=example.com", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    (fs::read(key).unwrap(), fs::read(certificate).unwrap())
}

/// The seconds since the epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A file of `tests/data`.
pub fn data(name: &str) -> PathBuf {
    root().join("tests/data").join(name)
}

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Waits until `condition` holds.
pub fn wait(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether nginx and curl both speak HTTP/3; if not, says what a test is skipped for.
pub fn has_http_3() -> bool {
    let output = Command::new(binary(Module::Plain)).arg("-V").output().unwrap();
    let is_in_nginx = String::from_utf8_lossy(&output.stderr).contains("http_v3_module");
    let output = Command::new("curl").arg("-V").output().unwrap();
    let is_in_curl = String::from_utf8_lossy(&output.stdout).contains("HTTP3");
    match (is_in_nginx, is_in_curl) {
        (true, true) => return true,
        (false, _) => skipped("HTTP/3: this nginx was built without"),
        (true, false) => skipped("HTTP/3: this curl was built without"),
    }
    false
}

/// Whether nginx speaks TLS to others, as configurations with `proxy_ssl_verify` want; if not, says what
/// a test is skipped for.
pub fn has_tls() -> bool {
    let output = Command::new(binary(Module::Plain)).arg("-V").output().unwrap();
    let is_there = String::from_utf8_lossy(&output.stderr).contains("http_ssl_module");
    if !is_there {
        skipped("configurations with TLS: this nginx was built without");
    }
    is_there
}

/// Whether nginx has what came with this version; if not, says what a test is skipped for.
pub fn has_since(what: &str, version: [u32; 3]) -> bool {
    let output = Command::new(binary(Module::Plain)).arg("-v").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, number) = text.trim().rsplit_once("nginx/").unwrap();
    let parts = number.split(|c: char| !c.is_ascii_digit()).take(3);
    let is_there = parts.map(|part| part.parse::<u32>().unwrap()).ge(version);
    if !is_there {
        skipped(&format!("{what}: this nginx is older"));
    }
    is_there
}

/// Says what was not tested, and why: in the file that `OJWT_SKIPPED` names, since a test that passes
/// is not shown.
pub fn skipped(reason: &str) {
    eprintln!("*** SKIPPED *** {reason}");
    if let Some(file) = env::var_os("OJWT_SKIPPED") {
        let mut file = fs::File::options().create(true).append(true).open(file).unwrap();
        writeln!(file, "{reason}").unwrap();
    }
}

/// Whether the module is linked into nginx: then what names a module names an nginx that has it.
fn is_static() -> bool {
    env::var_os("OJWT_STATIC").is_some()
}

/// The nginx that has or loads a module.
fn binary(which: Module) -> PathBuf {
    if is_static() {
        return module(which);
    }
    env::var_os("NGINX").unwrap_or_else(|| "nginx".into()).into()
}

/// The module to load, or the nginx that has it: built by the Makefile, or else by cargo now.
fn module(which: Module) -> PathBuf {
    let (variable, key, features) = match which {
        Module::Plain => ("OJWT_MODULE", String::new(), ""),
        Module::Embedded => {
            ("OJWT_MODULE_EMBEDDED", data("embedded_public_key.pem").display().to_string(), "")
        }
        Module::Panicking => ("OJWT_MODULE_PANICKING", String::new(), "inject-panic"),
    };
    if let Some(module) = env::var_os(variable) {
        return module.into();
    }
    let target = root().join("target").join(variable.to_lowercase());
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "ojwt", "--features", features, "--target-dir"])
        .arg(&target)
        .current_dir(root())
        .env("OJWT_PUBLIC_KEY", key)
        .status()
        .unwrap();
    assert!(status.success(), "the module does not build");
    target.join("debug/libngx_http_ojwt_module.so")
}

/// An address that no other test uses: the loopback network has one for each process.
fn own_address() -> SocketAddrV4 {
    static NEXT_PORT: AtomicU16 = AtomicU16::new(8000);
    let [_, a, b, c] = process::id().to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(127, a, b, c), NEXT_PORT.fetch_add(1, Ordering::Relaxed))
}

fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

fn read(path: &Path) -> String {
    match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            String::new()
        }
    }
}

fn world_readable() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(0o755)
}
