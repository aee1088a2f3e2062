use std::{ffi::OsString, fmt};

use clap::Args;

use super::variables::Setting;

/// The flags of the configuration. Each has the name of the variable that it overrides.
#[expect(clippy::doc_markdown, reason = "the help text is no Markdown")]
#[derive(Args, Clone, Debug)]
pub(super) struct Flags {
    /// Read this file, in TOML [env: SPILLOVER_CONFIG]
    ///
    /// The file can have all settings. With a file, the backends are those of the file,
    /// and BACKEND_<LABEL>_<KEY> is ignored. The other variables and flags override it.
    /// docs/configuration.md lists its keys, and spillover check reports its mistakes.
    #[arg(long, value_name = "FILE")]
    #[arg(verbatim_doc_comment, help_heading = "Configuration file")]
    pub(super) config: Option<FlagText>,

    /// Add or change a backend; repeatable [env: BACKEND_<LABEL>_<KEY>]
    ///
    /// The keys are those of the variables: url, priority, auth, deployment_name, kind
    /// and protocol. A key given here overrides the variable of the same label. API
    /// keys are refused, because process lists show flags: set them in
    /// BACKEND_<LABEL>_APIKEY.
    #[arg(long, value_name = "LABEL,KEY=VALUE,...")]
    #[arg(verbatim_doc_comment, help_heading = "Backends")]
    pub(super) backend: Vec<FlagText>,

    /// Address to listen on [env: LISTEN] [default: 127.0.0.1:8080]
    ///
    /// For example 0.0.0.0:8080, [::]:8080 or localhost:8080.
    #[arg(long, value_name = "HOST:PORT")]
    #[arg(verbatim_doc_comment, help_heading = "Listening")]
    pub(super) listen: Option<FlagText>,

    /// Port to listen on, on every interface [env: PORT]
    ///
    /// The same as --listen 0.0.0.0:PORT. With both variables set, LISTEN wins.
    #[arg(long, value_name = "PORT", conflicts_with = "listen")]
    #[arg(verbatim_doc_comment, help_heading = "Listening")]
    pub(super) port: Option<FlagText>,

    /// Address for operators [env: ADMIN_LISTEN] [default: none]
    ///
    /// Metrics, status and health are served there, for example at 127.0.0.1:9090.
    #[arg(long, value_name = "HOST:PORT")]
    #[arg(verbatim_doc_comment, help_heading = "Listening")]
    pub(super) admin_listen: Option<FlagText>,

    /// Time a backend has to answer [env: HTTP_TIMEOUT_SECONDS] [default: 100]
    ///
    /// Time until the head of the response; fractions are allowed. After it, the backend
    /// is closed for a while and the request goes to the next one.
    #[arg(long, value_name = "SECONDS")]
    #[arg(verbatim_doc_comment, help_heading = "Requests")]
    pub(super) http_timeout_seconds: Option<FlagText>,

    /// Answer when every backend is closed [env: WHEN_EXHAUSTED] [default: forward]
    ///
    ///   forward  try the first backend once and return its answer
    ///   reject   answer 429 at once, with the time when a backend opens
    ///   wait:2s  wait up to this long for a backend to open (500ms, 1.5s, 1m)
    #[arg(long, value_name = "forward|reject|wait:DURATION")]
    #[arg(verbatim_doc_comment, help_heading = "Requests")]
    pub(super) when_exhausted: Option<FlagText>,

    /// Name the URL of the backend in responses [env: EXPOSE_BACKEND_URL] [default: false]
    ///
    /// The field is x-openai-backendurl, and shows internal URLs to clients. The label
    /// of the backend is always in x-spillover-backend.
    #[arg(long, value_name = "true|false")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(verbatim_doc_comment, help_heading = "Requests")]
    pub(super) expose_backend_url: Option<FlagText>,

    /// Format of the log [env: LOG_FORMAT] [default: auto]
    ///
    /// With auto it is text on a terminal and JSON anywhere else. RUST_LOG filters the
    /// log.
    #[arg(long, value_name = "auto|text|json")]
    #[arg(verbatim_doc_comment, help_heading = "Logging")]
    pub(super) log_format: Option<FlagText>,
}

impl Flags {
    /// Returns the flags that are set, by the variables that they override.
    pub(super) fn by_variable(&self) -> impl Iterator<Item = (&'static str, Setting)> {
        let flags = [
            ("SPILLOVER_CONFIG", &self.config),
            ("LISTEN", &self.listen),
            ("PORT", &self.port),
            ("ADMIN_LISTEN", &self.admin_listen),
            ("HTTP_TIMEOUT_SECONDS", &self.http_timeout_seconds),
            ("WHEN_EXHAUSTED", &self.when_exhausted),
            ("EXPOSE_BACKEND_URL", &self.expose_backend_url),
            ("LOG_FORMAT", &self.log_format),
        ];
        flags.into_iter().filter_map(|(variable, text)| {
            let name = variable.trim_start_matches("SPILLOVER_");
            let flag = name.to_ascii_lowercase().replace('_', "-");
            Some((variable, text.as_ref()?.setting(format!("--{flag}"))?))
        })
    }
}

/// The value of a flag as it was given. It may be a key in the wrong place, so it is not printed.
#[derive(Clone)]
pub(super) struct FlagText(OsString);

impl FlagText {
    /// Returns the setting at the place `flag`. `None`: the value is blank, and counts as not set.
    pub(super) fn setting(&self, flag: impl Into<String>) -> Option<Setting> {
        Setting::new(flag, &self.0)
    }
}

impl From<OsString> for FlagText {
    fn from(text: OsString) -> Self {
        Self(text)
    }
}

impl fmt::Debug for FlagText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
