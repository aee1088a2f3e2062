use std::{
    collections::BTreeMap,
    env, fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use serde_json::Value;
use spillover_tests::gateway;

/// The environment and files that a gateway is started with.
#[derive(Debug, Default)]
pub(crate) struct Container {
    pub(crate) env: BTreeMap<String, String>,
    /// Keys are the absolute paths in the container.
    pub(crate) files: BTreeMap<String, String>,
}

/// The settings that the gateway read from them.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The address for clients.
    pub(crate) address: String,
    /// The address for operators.
    pub(crate) admin: String,
    /// The longest time from a stop signal to the end.
    pub(crate) stops_within: Duration,
    /// The memory that request bodies may take.
    pub(crate) replay_total: u64,
}

impl Container {
    /// Runs `spillover check` with this configuration.
    pub(crate) async fn check(&self) -> Taken {
        self.assert_known_variables().await;
        let root = Root::new();
        let mut gateway = gateway!().without("LISTEN").without("LOG_FORMAT");
        for (name, value) in &self.env {
            gateway = gateway.env(name, self.placed(value, &root));
        }
        for (path, text) in &self.files {
            let place = PathBuf::from(root.of(path));
            fs::create_dir_all(place.parent().expect("it is absolute")).expect("a directory");
            fs::write(place, self.placed(text, &root)).expect("a file");
        }
        let exit = gateway.args(["check"]).run().await;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        Taken::of(&exit.stdout)
    }

    /// Replaces the paths of the files by their paths in this test.
    fn placed(&self, text: &str, root: &Root) -> String {
        let mut placed = text.to_owned();
        for path in self.files.keys() {
            let (quoted, moved) = (format!("\"{path}\""), format!("\"{}\"", root.of(path)));
            placed = placed.replace(&quoted, &moved);
        }
        if self.files.contains_key(text) {
            return root.of(text);
        }
        placed
    }

    /// Without this check, a misspelt variable would have no effect and go unnoticed.
    async fn assert_known_variables(&self) {
        let help = gateway!().args(["--help"]).run().await.stdout;
        for name in self.env.keys() {
            let is_known = OTHERS.contains(&&**name) || help.contains(&format!("[env: {name}]"));
            assert!(is_known, "{name} is no variable of the gateway");
        }
    }
}

/// Variables that the gateway's libraries read.
const OTHERS: [&str; 4] = [
    "AZURE_CLIENT_ID",
    "RUST_LOG",
    "SSL_CERT_FILE",
    "TOKIO_WORKER_THREADS",
];

impl Taken {
    fn of(checked: &str) -> Self {
        let document: Value = toml::from_str(checked).expect("it prints a configuration");
        let text = |at: &str| {
            let value = document.pointer(at).and_then(Value::as_str);
            value.unwrap_or_else(|| panic!("no {at} in {checked}"))
        };
        let time = |at| humantime::parse_duration(text(at)).expect("a duration");
        let mebibytes = text("/pools/0/limits/replay_total").strip_suffix("MiB");
        Self {
            address: text("/listeners/0/address").to_owned(),
            admin: text("/admin/address").to_owned(),
            stops_within: time("/shutdown/delay") + time("/shutdown/deadline"),
            replay_total: mebibytes.map_or(u64::MAX, |number| {
                number.parse::<u64>().expect("a number") << 20
            }),
        }
    }

    /// Returns the port for clients, open on every interface.
    pub(crate) fn port(&self) -> u64 {
        port_of_all(&self.address)
    }

    /// Returns the port for operators, open on every interface.
    pub(crate) fn admin_port(&self) -> u64 {
        port_of_all(&self.admin)
    }

    /// Checks that the gateway stops well before it is killed: after its requests, it also ends connections.
    pub(crate) fn assert_stops_before(&self, killed_after: Duration) {
        let least = self.stops_within + Duration::from_secs(5);
        assert!(killed_after >= least, "{killed_after:?} < {least:?}");
    }

    /// Checks that the gateway needs less memory than the limit at which it is killed.
    pub(crate) fn assert_fits(&self, memory: u64) {
        assert!(
            self.replay_total * 2 <= memory,
            "{} of {memory}",
            self.replay_total
        );
    }
}

fn port_of_all(address: &str) -> u64 {
    let port = address.strip_prefix("0.0.0.0:").expect("all interfaces");
    port.parse().expect("a port")
}

/// A directory that stands for the root of the file system.
struct Root(PathBuf);

impl Root {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);

        let number = COUNT.fetch_add(1, Relaxed);
        Self(env::temp_dir().join(format!("spillover-deploy-{}-{number}", process::id())))
    }

    fn of(&self, path: &str) -> String {
        format!("{}{path}", self.0.display())
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
