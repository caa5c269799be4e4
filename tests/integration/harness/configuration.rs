//! What an nginx is started with.

use std::fs;
use std::net::{SocketAddrV4, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::modules::{binary, is_static, module};
use super::upstream::own_address;
use super::wait::{PATIENCE, wait};
use super::{HOST, ISSUER, Module, Nginx, is_root, public_pem};

/// The line of `nginx.conf` where what is added to `http` begins.
pub(super) const HTTP: usize = 10;

/// The line where what is added to the server begins, if `http` has one line at the most.
pub(super) const SERVER: usize = 15;

/// An nginx that is being described.
pub struct Builder {
    module: Module,
    user: String,
    pub(super) http: String,
    pub(super) server: String,
    files: Vec<(String, Vec<u8>)>,
    whole: Option<String>,
    configuration_file: &'static str,
}

impl Nginx {
    /// Describes an nginx whose one server knows the issuer's key and nothing else.
    pub fn builder() -> Builder {
        Builder {
            module: Module::Plain,
            user: String::new(),
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
}

impl Builder {
    /// Chooses the module.
    pub fn module(mut self, module: Module) -> Self {
        self.module = module;
        self
    }

    /// Has workers run as this user, and as this group if one is named.
    pub fn user(mut self, user: &str) -> Self {
        self.user = format!("user {user};");
        self
    }

    /// Has workers run as the user of the tests: no other process may always lower their limits.
    pub fn own_user(self) -> Self {
        if is_root() { self.user("root root") } else { self }
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
        let Self { user, http, server, .. } = self;
        let access_log = if http.contains("access_log") { "" } else { "access_log off;" };
        format!(
            "load_module \"MODULE\";
worker_processes 1;
error_log error.log info;
pid nginx.pid; {user}
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

fn world_readable() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(0o755)
}
